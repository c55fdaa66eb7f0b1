"""What the demo reads from the cluster, the service and Prometheus."""

from __future__ import annotations

import pytest

from canary_analyzer.sandbox.demo.parse import Growth, Progress, Status, by_workload, progress, status
from canary_analyzer.sandbox.demo.view import Evidence

RUN = 'namespace="default",deployment="flask-app",run="flask-app-1"'
METRICS = f"""\
# HELP canary_analyzer_weight Canary weight in percent.
# TYPE canary_analyzer_weight gauge
canary_analyzer_weight{{{RUN},kind="wanted"}} 25.0
canary_analyzer_weight{{{RUN},kind="observed"}} 24.0
canary_analyzer_weight{{deployment="other",kind="wanted"}} 50.0
# HELP canary_analyzer_evidence Evidence.
# TYPE canary_analyzer_evidence gauge
canary_analyzer_evidence{{{RUN},metric="errors",side="against"}} 0.5
canary_analyzer_evidence{{{RUN},metric="errors",side="for"}} -0.25
"""


@pytest.mark.parametrize(
    ("annotations", "expected"),
    [
        pytest.param(None, Status(), id="none"),
        pytest.param({"other": "x"}, Status(), id="only foreign ones"),
        pytest.param(
            {"canary-analyzer.io/status": '{"run": "a-1", "phase": "Aborted", "weight": 0, "reason": "too slow"}'},
            Status(run="a-1", phase="Aborted", reason="too slow"),
            id="ours",
        ),
    ],
)
def test_the_status_of_a_deployment(annotations, expected):
    assert status({"metadata": {"annotations": annotations} if annotations else {}}) == expected


@pytest.mark.parametrize(
    ("deployment", "expected"),
    [
        pytest.param(
            "flask-app",
            Progress(wanted=25, evidence=(Evidence(metric="errors", against=0.5, in_favour=-0.25),)),
            id="active",
        ),
        pytest.param("idle", Progress(), id="no run"),
    ],
)
def test_the_progress_of_a_run(deployment, expected):
    assert progress(METRICS, deployment) == expected


def test_numbers_by_workload_leave_out_what_is_no_number():
    result = [
        {"metric": {"destination_workload": name}, "value": [0, value]} for name, value in (("a", "1.5"), ("b", "NaN"))
    ]
    assert by_workload({"data": {"result": result}}) == {"a": 1.5}


@pytest.mark.parametrize(
    ("first", "values", "total"),
    [
        pytest.param(0, [3, 10], 10, id="from nothing"),
        pytest.param(7, [7, 10], 3, id="from what was there before"),
        pytest.param(7, [2, 5], 5, id="through a restart"),
    ],
)
def test_growth(first, values, total):
    growth = Growth(last=first)
    for value in values:
        growth = growth.seen(value)
    assert growth.total == total

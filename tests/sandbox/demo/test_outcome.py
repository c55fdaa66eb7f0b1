"""The demo's last word: everything as promised, or what was not."""

from __future__ import annotations

import pytest

from canary_analyzer.sandbox.demo.outcome import ROLLOUTS, Load, Outcome, last_line

GOOD, ERRORS, SLOW = ROLLOUTS
LOAD = Load(sent=12_345, lost=0)


def ended(rollout, phase=None, **more):
    figures = {"seconds": 61.6, "weight": 50, "canary_requests": 1234, "reason": "not worse"}
    return Outcome(rollout=rollout, phase=rollout.expected if phase is None else phase, **(figures | more))


AS_PROMISED = [ended(one) for one in ROLLOUTS]


@pytest.mark.parametrize(
    ("outcomes", "load", "line", "code"),
    [
        pytest.param(AS_PROMISED, LOAD, "demo: ok, 0 of 12,345 requests lost", 0, id="all as promised"),
        pytest.param(
            AS_PROMISED, Load(sent=12_345, lost=2), "demo: failed, 2 of 12,345 requests lost", 1, id="requests lost"
        ),
        pytest.param(AS_PROMISED, Load(sent=0, lost=0), "demo: failed, the load client sent nothing", 1, id="no load"),
        pytest.param(AS_PROMISED, None, "demo: failed, the load client did not say what it sent", 1, id="load unknown"),
        pytest.param(
            [ended(GOOD), ended(ERRORS, "Succeeded"), ended(SLOW)],
            LOAD,
            "demo: failed, flask-app:v2-errors ended as Succeeded instead of Aborted",
            1,
            id="a bad version promoted",
        ),
        pytest.param(
            [ended(GOOD, "Refused")],
            Load(sent=10, lost=1),
            "demo: failed, flask-app:v2 ended as Refused instead of Succeeded; flask-app:v2-errors was not tried; "
            "flask-app:v2-slow was not tried; 1 of 10 requests lost",
            1,
            id="all that is wrong is said",
        ),
        pytest.param(
            [ended(GOOD), ended(ERRORS), ended(SLOW, "Analysing", seconds=120.4)],
            LOAD,
            "demo: failed, flask-app:v2-slow had not ended after 120 s (phase Analysing)",
            1,
            id="not over in time",
        ),
        pytest.param(
            [ended(GOOD, "", seconds=120)],
            LOAD,
            "demo: failed, flask-app:v2 had not ended after 120 s (phase none); flask-app:v2-errors was not tried; "
            "flask-app:v2-slow was not tried",
            1,
            id="never begun",
        ),
    ],
)
def test_the_last_line_says_whether_all_went_as_promised(outcomes, load, line, code):
    assert last_line(ROLLOUTS, outcomes, load) == (line, code)


def test_what_stopped_the_demo_is_said_first():
    outcomes = [ended(GOOD), ended(ERRORS)]
    assert last_line(ROLLOUTS, outcomes, None, "the sandbox ended with code 1") == (
        "demo: failed, the sandbox ended with code 1; flask-app:v2-slow was not tried",
        1,
    )


def test_an_outcome_is_one_line_with_its_figures():
    assert str(ended(GOOD)) == (
        "flask-app:v2: Succeeded after 62 s, weight reached 50 %, 1,234 canary requests: not worse"
    )

"""Metrics that users add to a policy."""

import pytest
from pydantic import TypeAdapter, ValidationError

from canary_analyzer.analysis import ErrorTolerance, LatencyTolerance
from canary_analyzer.rollout.metrics import MetricQuery, Source

TOTAL, BAD, TIME = (f'{name}{{app="{{{{workload}}}}"}}' for name in ("carts_total", "bad_total", "cart_seconds_bucket"))


@pytest.mark.parametrize(
    ("given", "kind", "tolerance"),
    [
        pytest.param({"total": TOTAL, "bad": BAD}, "ratio", ErrorTolerance(), id="total and bad"),
        pytest.param(
            {"total": TOTAL, "good": BAD, "errors": {"relative": 0.1}},
            "ratio",
            ErrorTolerance(relative=0.1),
            id="total and good",
        ),
        pytest.param(
            {"histogram": TIME, "unit": "milliseconds", "latency": {"relative": 0.3, "quantiles": [0.9]}},
            "histogram",
            LatencyTolerance(relative=0.3, quantiles=(0.9,)),
            id="a histogram",
        ),
    ],
)
def test_a_metric_is_a_rule_for_the_judge(given, kind, tolerance):
    rule = MetricQuery.model_validate({"name": "carts", "advisory": True, "share": 0.5} | given).rule()
    assert (rule.name, rule.kind, rule.tolerance, rule.advisory, rule.share) == ("carts", kind, tolerance, True, 0.5)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        pytest.param({}, "given: nothing", id="nothing to read"),
        pytest.param({"total": TOTAL}, "given: total", id="only a total"),
        pytest.param({"total": TOTAL, "bad": BAD, "good": BAD}, "given: total, bad, good", id="too much"),
        pytest.param({"total": TOTAL, "histogram": TIME}, "given: total, histogram", id="two kinds"),
        pytest.param({"total": TOTAL, "bad": "up"}, "give one selector of series", id="no selector"),
        pytest.param(
            {"histogram": TIME, "errors": {"relative": 1}}, "errors: a histogram does not use it", id="unread tolerance"
        ),
        pytest.param(
            {"total": TOTAL, "bad": BAD, "unit": "milliseconds"}, "unit: a ratio does not use it", id="unread unit"
        ),
        pytest.param({"total": TOTAL, "bad": BAD, "share": 0}, "share", id="what the judge refuses"),
        pytest.param({"total": TOTAL, "bad": BAD, "name": "errors"}, "are taken", id="a name that is taken"),
        pytest.param({"total": TOTAL, "bad": BAD, "weight": 1}, "weight", id="an unknown field"),
    ],
)
def test_what_is_no_metric_is_refused_with_the_reason(given, reason):
    with pytest.raises(ValidationError) as refusal:
        MetricQuery.model_validate({"name": "carts"} | given)
    assert reason in str(refusal.value)


def test_a_metric_survives_being_written_down():
    metric = MetricQuery(name="carts", histogram=TIME)
    assert MetricQuery.model_validate(metric.model_dump(mode="json")) == metric


@pytest.mark.parametrize("source", ["istio-ingressgateway", "istio-system/istio-ingressgateway", "a.b-c"])
def test_a_source_is_a_workload(source):
    assert TypeAdapter(Source).validate_python(source) == source


@pytest.mark.parametrize("source", ["", "a/b/c", "/a", "a|b", 'x"}', ".*", "Web", "a b"])
def test_what_is_no_workload_is_refused(source):
    with pytest.raises(ValidationError, match="give the name of a workload"):
        TypeAdapter(Source).validate_python(source)

"""The ramp gives a canary as much traffic as it has earned, and never guesses."""

import math

import pytest

from canary_analyzer.analysis import (
    Decision,
    ErrorTolerance,
    LatencyTolerance,
    MetricRule,
    MetricState,
    MetricVerdict,
    Policy,
    Verdict,
)
from canary_analyzer.analysis.ramp import AdaptiveRamp, FixedRamp, FixedStep, Standing, first_weight, harm, next_weight

FIXED = FixedRamp(steps=(FixedStep(weight=5), FixedStep(weight=25, seconds=30, requests=100), FixedStep(weight=50)))
ADAPTIVE = AdaptiveRamp()
UNKNOWN = (math.nan, math.nan)


def metric(name, effect, high, requests, state=MetricState.UNDECIDED, against=0.0):
    return MetricVerdict(
        name=name,
        state=state,
        effect=effect,
        low=-1.0,
        high=high,
        evidence_against=against,
        evidence_for=0.0,
        n_canary=requests,
        n_baseline=10 * requests,
        reason="",
    )


def word(errors=(0.0, 0.002), latency=(1.0, 1.1), requests=1000, decision=Decision.CONTINUE, against=0.0):
    names = ("latency_p50", "latency_p90", "latency_p99")
    metrics = (
        metric("errors", *errors, requests),
        *(metric(name, *latency, requests, against=against) for name in names),
    )
    return Verdict(decision=decision, metrics=metrics, reason="", tick=9)


def standing(**fields):
    usual = {"weight": 5, "seconds": 60.0, "requests": 1000, "requests_per_second": 50.0, "verdict": word()}
    return Standing(**usual | fields)


STEPS = {
    "time and requests are there": ({}, 25),
    "too soon": ({"seconds": 50.0}, 5),
    "too little traffic extends the step": ({"requests": 49}, 5),
    "each step has its own demands": ({"weight": 25, "seconds": 30.0, "requests": 99}, 25),
    "the last step is over": ({"weight": 50}, None),
}


@pytest.mark.parametrize(("fields", "weight"), STEPS.values(), ids=STEPS.keys())
def test_fixed_steps_are_left_when_time_and_requests_are_there(fields, weight):
    assert next_weight(FIXED, standing(**fields), Policy()) == weight


CLIMBS = {
    "nothing can be harmed": (word(), 10),
    "an error rate that may be 4 points too high": (word(errors=(0.0, 0.042)), 10),
    "an error rate that may be 14 points too high": (word(errors=(0.0, 0.142)), 8),
    "an error rate that may be 25 points too high": (word(errors=(0.0, 0.252)), 5),
    "errors seen have used the budget up": (word(errors=(0.03, 0.01)), 5),
    "much may be slow": (word(latency=(1.0, 2.1)), 10),
    "much may be slow, and some fail": (word(errors=(0.0, 0.092), latency=(1.0, 2.1)), 7),
    "delays seen have used the budget up": (word(latency=(1.2, 1.3)), 5),
    "nothing is known": (word(errors=UNKNOWN, latency=UNKNOWN, requests=0), 5),
    "no verdict yet": (None, 5),
    "a verdict without metrics": (Verdict(decision=Decision.CONTINUE, metrics=(), reason="", tick=0), 5),
    "under suspicion": (word(against=0.15), 5),
    "hardly under suspicion": (word(against=0.14), 10),
    "shown healthy, whatever the bounds": (word(errors=(0.0, 0.5), decision=Decision.HEALTHY), 10),
}


@pytest.mark.parametrize(("verdict", "weight"), CLIMBS.values(), ids=CLIMBS.keys())
def test_the_next_weight_is_the_largest_whose_possible_harm_fits_the_budget(verdict, weight):
    assert next_weight(ADAPTIVE, standing(verdict=verdict), Policy()) == weight


WAITS = {
    "until the next look": {"seconds": 9.0},
    "for requests": {"requests": 39},
}


@pytest.mark.parametrize("fields", WAITS.values(), ids=WAITS.keys())
def test_the_adaptive_ramp_waits(fields):
    assert next_weight(ADAPTIVE, standing(**fields), Policy()) == 5


def test_the_weight_never_falls_and_ends_at_the_largest():
    assert next_weight(ADAPTIVE, standing(weight=40, verdict=word(errors=(0.2, 0.9))), Policy()) == 40
    assert next_weight(ADAPTIVE, standing(weight=45), Policy()) == 50


def test_more_traffic_means_more_at_risk():
    doubtful = word(errors=(0.0, 0.012))
    weights = [
        next_weight(ADAPTIVE, standing(verdict=doubtful, requests_per_second=rps), Policy()) for rps in (50, 5e3)
    ]
    assert weights == [10, 5]


@pytest.mark.parametrize(
    ("advisory", "weight"), [pytest.param(True, 10, id="advisory"), pytest.param(False, 5, id="deciding")]
)
@pytest.mark.parametrize("kind", ["ratio", "histogram"])
def test_suspicion_of_a_metric_of_the_users_own_holds_the_weight_unless_it_is_advisory(kind, advisory, weight):
    tolerance = ErrorTolerance() if kind == "ratio" else LatencyTolerance()
    policy = Policy(metrics=(MetricRule(name="cart", kind=kind, tolerance=tolerance, advisory=advisory),))
    plain = word()
    own = metric("cart" if kind == "ratio" else "cart_p99", 0.0, 1.0, 1000, against=0.9)
    verdict = Verdict(decision=plain.decision, metrics=(*plain.metrics, own), reason="", tick=9)
    assert next_weight(ADAPTIVE, standing(verdict=verdict), policy) == weight


ENDS = {
    "undecided: after the soak": ({"seconds": 120.0}, None),
    "undecided: not before": ({"seconds": 110.0}, 50),
    "undecided: not on few requests": ({"seconds": 1800.0, "requests": 999}, 50),
    "healthy: sooner": ({"seconds": 60.0, "requests": 10, "verdict": word(decision=Decision.HEALTHY)}, None),
    "healthy: not at once": ({"seconds": 50.0, "verdict": word(decision=Decision.HEALTHY)}, 50),
}


@pytest.mark.parametrize(("fields", "weight"), ENDS.values(), ids=ENDS.keys())
def test_the_ramp_has_passed_when_the_largest_weight_was_borne_long_enough(fields, weight):
    assert next_weight(ADAPTIVE, standing(weight=50, **fields), Policy()) == weight


def test_both_ramps_know_where_to_begin():
    assert (first_weight(FIXED), first_weight(ADAPTIVE)) == (5, 1)


def test_harm_is_counted_in_failed_requests_beyond_tolerance():
    assert harm(word(errors=(0.012, 0.052)), Policy()) == pytest.approx((0.01, 0.05))
    assert harm(word(latency=(2.1, math.inf)), Policy()) == pytest.approx((0.08, 0.08))
    assert harm(word(errors=UNKNOWN, latency=UNKNOWN), Policy()) == (0.0, 1.0)
    assert harm(Verdict(decision=Decision.CONTINUE, metrics=(), reason="", tick=0), Policy()) == (0.0, 1.0)


def test_metrics_of_the_users_own_are_no_requests():
    plain = word()
    extra = Verdict(
        decision=plain.decision, metrics=(*plain.metrics, metric("checkouts", 0.9, 0.9, 5)), reason="", tick=9
    )
    assert harm(extra, Policy()) == harm(plain, Policy())


MISTAKES = {
    "adaptive": (
        lambda: AdaptiveRamp(first=60, bad_requests=0, seconds=math.nan, requests=-1, soak_seconds=30.0),
        ["bad_requests", "seconds", "requests", "first, largest", "healthy_seconds, soak_seconds"],
    ),
    "a step": (lambda: FixedStep(weight=0, seconds=0, requests=-1), ["weight", "seconds", "requests"]),
    "steps that do not ascend": (lambda: FixedRamp(steps=(FixedStep(weight=9), FixedStep(weight=9))), ["ascend"]),
    "no steps": (lambda: FixedRamp(steps=()), ["steps"]),
}


@pytest.mark.parametrize(("build", "fields"), MISTAKES.values(), ids=MISTAKES.keys())
def test_all_mistakes_are_told_at_once(build, fields):
    with pytest.raises(ValueError) as caught:  # noqa: PT011  (what it says is checked below)
        build()
    assert all(field in str(caught.value) for field in fields)

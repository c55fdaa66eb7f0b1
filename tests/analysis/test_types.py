"""Nonsense in: one error that lists every mistake."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary_analyzer.analysis import (
    ArmCounts,
    ErrorTolerance,
    ExtraCounts,
    Guardrails,
    History,
    LatencyTolerance,
    MannWhitneyRule,
    MetricRule,
    Policy,
    ThresholdRule,
    start,
)


def arm(requests=(10, 10), errors=(0, 1), latency=((5, 5), (5, 5))):
    return ArmCounts(requests=requests, errors=errors, latency=latency)


ARMS = {
    "negative": ({"requests": (-1, 10), "errors": (-1, 1)}, ["requests: value -1", "errors: value -1"]),
    "not whole": ({"requests": (10.5, 10)}, ["requests: value 10.5"]),
    "not a number": ({"errors": (math.nan, 1)}, ["errors: value NaN"]),
    "infinite": ({"latency": ((5, math.inf), (5, 5))}, ["latency: value NaN or infinite"]),
    "errors exceed requests": ({"errors": (0, 11)}, ["errors: value 11 in tick 1"]),
    "shapes": (
        {"errors": (0, 1, 2), "latency": ((5, 5),)},
        ["errors: value of shape (3,)", "latency: value of shape (1, 2)"],
    ),
    "flat latency": ({"latency": (5, 5)}, ["latency: value of shape (2,)"]),
    "rows that differ": (
        {"latency": ((1, 2), (1,))},
        ["latency: value of shape (2,)", "latency: value of type object"],
    ),
    "words": ({"requests": ("ten", "ten")}, ["requests: value of type"]),
}


@pytest.mark.parametrize(("fields", "mistakes"), ARMS.values(), ids=ARMS.keys())
def test_counts_that_cannot_be_are_refused_with_all_mistakes(fields, mistakes):
    with pytest.raises(ValueError, match="ArmCounts is not usable") as refused:
        arm(**fields)
    assert all(mistake in str(refused.value) for mistake in mistakes)


def history(edges=(25.0,), tick_seconds=10.0, **arms):
    both = {"canary": arm(), "baseline": arm()} | arms
    return History(tick_seconds=tick_seconds, edges_ms=np.array(edges), **both)


HISTORIES = {
    "edges not sorted": (
        {"edges": (50.0, 25.0), "tick_seconds": -1},
        ["edges_ms: value [50.0, 25.0]", "tick_seconds: value -1"],
    ),
    "edges with +Inf": ({"edges": (25.0, math.inf)}, ["edges_ms: value not finite"]),
    "edges not a number": ({"edges": (math.nan,)}, ["edges_ms: value not finite"]),
    "buckets do not fit": (
        {"edges": (1.0, 2.0)},
        ["canary.latency: 2 buckets: give 3", "baseline.latency: 2 buckets: give 3"],
    ),
    "own metric with other ticks": (
        {
            "extra": {
                "carts": ExtraCounts(edges_ms=None, canary=arm((1,), (0,), ((1,),)), baseline=arm((1,), (0,), ((1,),)))
            }
        },
        ["extra.carts: 1 ticks: give the same ticks as the arms have, 2"],
    ),
    "ticks differ": ({"canary": arm((1,), (0,), ((1, 0),))}, ["canary, baseline: 1 and 2 ticks"]),
}


@pytest.mark.parametrize(("fields", "mistakes"), HISTORIES.values(), ids=HISTORIES.keys())
def test_histories_that_do_not_fit_together_are_refused_with_all_mistakes(fields, mistakes):
    with pytest.raises(ValueError, match="History is not usable") as refused:
        history(**fields)
    assert all(mistake in str(refused.value) for mistake in mistakes)


METRIC = MetricRule(name="carts", kind="ratio", tolerance=ErrorTolerance())
POLICIES = {
    "levels": (lambda: Policy(alpha=1.0, beta=0.0, warmup_seconds=-1, minimum_requests=0), 4),
    "level not a number": (lambda: Policy(alpha=math.nan), 1),
    "errors": (lambda: ErrorTolerance(relative=-0.1, absolute=math.inf), 2),
    "no tolerance at all": (lambda: ErrorTolerance(relative=0, absolute=0), 1),
    "latency": (lambda: LatencyTolerance(relative=0, quantiles=(0.9, 0.5, 1.5)), 3),
    "no quantile": (lambda: LatencyTolerance(quantiles=()), 1),
    "judge": (lambda: Policy(judge="bayes", alpha="often", minimum_requests=0.5), 3),
    "own metrics": (lambda: Policy(metrics=(METRIC, METRIC)), 1),
    "own metric": (lambda: replace(METRIC, name="Errors", kind="gauge", share=0, critical=True, advisory=True), 4),
    "own metric with a reserved name": (lambda: replace(METRIC, name="errors_in_carts"), 1),
    "own metric with the other kind's tolerance": (lambda: replace(METRIC, kind="histogram"), 1),
    "scores": (lambda: MannWhitneyRule(tolerance=-1, confidence=1, points=2, pass_score=50, marginal_score=60), 4),
    "more points needed than kept": (lambda: MannWhitneyRule(points=5, least_points=6), 1),
    "effect size": (lambda: MannWhitneyRule(effect_size="cles", allowed_increase=2, step_seconds=0), 2),
    "thresholds": (lambda: ThresholdRule(success_rate=99, p99_ms=0, interval_seconds=-1, failed_checks=0), 4),
    "no threshold": (lambda: ThresholdRule(success_rate=None, p99_ms=None), 1),
    "guardrails": (lambda: Guardrails(success_rate=99, p99_ms=0, ticks=0, minimum_requests=0), 4),
}


@pytest.mark.parametrize(("make", "mistakes"), POLICIES.values(), ids=POLICIES.keys())
def test_policies_out_of_range_are_refused_with_all_mistakes(make, mistakes):
    with pytest.raises(ValueError, match="is not usable") as refused:
        make()
    assert str(refused.value).count("\n- ") == mistakes


def test_own_metrics_whose_arms_do_not_fit_are_refused_with_all_mistakes():
    with pytest.raises(ValueError, match="ExtraCounts is not usable") as refused:
        ExtraCounts(edges_ms=np.array([2.0, 1.0]), canary=arm((1,), (0,), ((1, 0),)), baseline=arm())
    assert str(refused.value).count("\n- ") == 4


@pytest.mark.parametrize(("edges", "tick_seconds"), [([2.0, 1.0], 10.0), ([1.0], 0.0), ([1.0], math.nan)])
def test_a_judge_does_not_start_on_nonsense(edges, tick_seconds):
    with pytest.raises(ValueError, match="value"):
        start(Policy(), np.array(edges), tick_seconds)


@given(st.lists(st.tuples(st.integers(-3, 20), st.integers(-3, 20)), min_size=1, max_size=6))
def test_counts_are_accepted_exactly_when_they_can_be(rows):
    possible = all(0 <= errors <= requests for requests, errors in rows)
    requests, errors = np.array(rows).T
    try:
        ArmCounts(requests=requests, errors=errors, latency=np.zeros((len(rows), 3), dtype=int))
    except ValueError:
        assert not possible
    else:
        assert possible

"""What the judge decides, in tables, and how it remembers."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from canary_analyzer.analysis import (
    ArmCounts,
    Decision,
    ErrorTolerance,
    Guardrails,
    History,
    MetricState,
    Policy,
    advance,
    judge,
    start,
    verdict,
)

EDGES_MS = np.array([25.0, 50.0, 100.0])
QUICK, SLOW = (0.1, 0.6, 0.2, 0.1), (0.0, 0.0, 0.1, 0.9)


def arm(ticks, requests, errors, shares=QUICK):
    """Return the same tick over and over."""
    return ArmCounts(
        requests=np.full(ticks, requests),
        errors=np.full(ticks, errors),
        latency=np.tile(np.round(np.array(shares) * requests).astype(int), (ticks, 1)),
    )


def history(ticks=30, canary=(100, 0), baseline=(900, 1), shares=QUICK, tick_seconds=10.0):
    return History(
        tick_seconds=tick_seconds,
        edges_ms=EDGES_MS,
        canary=arm(ticks, *canary, shares),
        baseline=arm(ticks, *baseline),
    )


DECISIONS = {
    "no tick at all": (history(ticks=0), Policy(), Decision.INCONCLUSIVE),
    "no traffic": (history(canary=(0, 0), baseline=(0, 0)), Policy(), Decision.INCONCLUSIVE),
    "no traffic on the canary": (history(canary=(0, 0)), Policy(), Decision.INCONCLUSIVE),
    "no traffic on the baseline": (history(baseline=(0, 0)), Policy(), Decision.INCONCLUSIVE),
    "thin": (history(canary=(3, 0), baseline=(3, 0)), Policy(), Decision.INCONCLUSIVE),
    "thin by the policy": (history(ticks=3), Policy(minimum_requests=301), Decision.INCONCLUSIVE),
    "early": (history(ticks=3), Policy(), Decision.CONTINUE),
    "good for long": (history(ticks=400, baseline=(900, 0)), Policy(), Decision.HEALTHY),
    "errors": (history(canary=(100, 5)), Policy(), Decision.ABORT),
    "errors where the baseline has none": (history(canary=(100, 5), baseline=(900, 0)), Policy(), Decision.ABORT),
    "errors on both arms": (history(ticks=5, canary=(100, 30), baseline=(900, 270)), Policy(), Decision.CONTINUE),
    "errors on both arms for long": (history(canary=(100, 30), baseline=(900, 270)), Policy(), Decision.HEALTHY),
    "errors within a wide tolerance": (
        history(canary=(100, 5)),
        Policy(errors=ErrorTolerance(absolute=0.1)),
        Decision.CONTINUE,
    ),
    "slow": (history(shares=SLOW), Policy(), Decision.ABORT),
    "outage of the canary, one tick": (history(ticks=1, canary=(100, 90)), Policy(), Decision.ABORT),
    "outage of both arms": (history(ticks=1, canary=(100, 90), baseline=(900, 810)), Policy(), Decision.CONTINUE),
    "outage, limit off": (
        history(ticks=1, canary=(200, 180)),
        Policy(guardrails=Guardrails(success_rate=None)),
        Decision.CONTINUE,
    ),
    "outage on a handful of requests": (history(ticks=3, canary=(5, 5)), Policy(), Decision.INCONCLUSIVE),
    "p99 beyond its limit on both arms": (
        history(ticks=1, shares=(0.0, 0.0, 0.9, 0.1)),
        Policy(guardrails=Guardrails(p99_ms=100.0)),
        Decision.CONTINUE,
    ),
    "bad only while warming up": (history(ticks=3, canary=(100, 90)), Policy(warmup_seconds=30), Decision.INCONCLUSIVE),
    "bad after warming up": (history(ticks=4, canary=(100, 90)), Policy(warmup_seconds=30), Decision.ABORT),
}


@pytest.mark.parametrize(("given_history", "policy", "decision"), DECISIONS.values(), ids=DECISIONS.keys())
def test_decisions(given_history, policy, decision):
    answer = judge(given_history, policy)
    assert answer.decision is decision, answer.reason
    assert answer.reason


def test_the_p99_limit_aborts_when_the_baseline_keeps_it():
    quick = ArmCounts(requests=np.array([900]), errors=np.array([0]), latency=np.array([[100, 700, 100, 0]]))
    slow = arm(1, 100, 0, SLOW)
    answer = judge(
        History(tick_seconds=10.0, edges_ms=EDGES_MS, canary=slow, baseline=quick),
        Policy(guardrails=Guardrails(p99_ms=100.0)),
    )
    assert answer.decision is Decision.ABORT
    for words in ("above the guardrail of 100 ms", "over 900", "latency p99", "95 % interval", "tolerated 1.1 times"):
        assert words in answer.reason


def test_an_abort_names_the_metric_both_figures_the_interval_and_the_tolerance():
    answer = judge(history(canary=(100, 5)), Policy())
    errors = answer.metrics[0]
    assert errors.state is MetricState.DEGRADED
    assert errors.evidence_against >= 1
    assert 0 < errors.low < errors.effect < errors.high
    for words in (
        "errors worse than tolerated",
        "5 %",
        "0.111 %",
        "95 % interval",
        "tolerated +0.2 points",
        "canary requests",
    ):
        assert words in answer.reason


def test_an_undecided_answer_says_how_bad_it_could_still_be():
    answer = judge(history(ticks=20), Policy())
    assert answer.decision is Decision.CONTINUE
    assert "errors at most +" in answer.reason
    assert "latency p99" in answer.reason
    assert all(metric.low <= metric.effect <= metric.high for metric in answer.metrics)


def test_an_abort_is_final_and_keeps_the_tick_at_which_it_was_reached():
    short, long = judge(history(ticks=10, canary=(100, 90)), Policy()), judge(history(canary=(100, 90)), Policy())
    assert short == long
    assert long.tick == 0


def test_health_once_shown_does_not_hide_a_later_leak():
    good, bad = history(ticks=400, baseline=(900, 0)), history(ticks=60, shares=SLOW)
    state = start(Policy(), EDGES_MS, 10.0)
    for tick in good.ticks():
        state = advance(state, tick)
    healthy = verdict(state)
    assert healthy.decision is Decision.HEALTHY
    assert healthy.tick < 399
    for tick in bad.ticks():
        state = advance(state, tick)
    assert verdict(state).decision is Decision.HEALTHY or verdict(state).tick >= 400


def test_metrics_without_latency_have_no_data_and_are_never_healthy():
    counts = ArmCounts(requests=np.full(300, 1000), errors=np.zeros(300, int), latency=np.zeros((300, 4), int))
    answer = judge(History(tick_seconds=1.0, edges_ms=EDGES_MS, canary=counts, baseline=counts), Policy())
    assert answer.decision is Decision.CONTINUE
    assert [metric.state for metric in answer.metrics] == [MetricState.HEALTHY, *[MetricState.NO_DATA] * 3]
    assert "no data for latency_p50" in answer.reason


EXTREMES = {
    "huge counts": (10**12, EDGES_MS, (0.1, 0.6, 0.2, 0.1)),
    "all in one of the buckets": (1000, EDGES_MS, (0.0, 1.0, 0.0, 0.0)),
    "all below the first edge": (1000, EDGES_MS, (1.0, 0.0, 0.0, 0.0)),
    "all beyond the last edge": (1000, EDGES_MS, (0.0, 0.0, 0.0, 1.0)),
    "a histogram of one bucket": (1000, np.array([]), (1.0,)),
    "a histogram of two buckets": (1000, np.array([100.0]), (0.9, 0.1)),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("requests", "edges", "shares"), EXTREMES.values(), ids=EXTREMES.keys())
def test_extreme_histories_neither_overflow_nor_abort(requests, edges, shares):
    counts = arm(60, requests, requests // 1000, shares)
    answer = judge(History(tick_seconds=1.0, edges_ms=edges, canary=counts, baseline=counts), Policy())
    assert answer.decision is not Decision.ABORT
    assert all(np.isfinite([metric.evidence_against, metric.evidence_for]).all() for metric in answer.metrics)


def test_the_state_does_not_grow_with_the_number_of_ticks():
    state, sizes = start(Policy(), EDGES_MS, 1.0), {}
    for number, tick in enumerate(history(ticks=1000).ticks()):
        state = advance(state, tick)
        sizes[number] = len(pickle.dumps(state))
    assert sizes[999] <= sizes[20] + 64


counts = st.tuples(st.integers(0, 300), st.floats(0, 1), st.floats(0, 1))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(counts, counts), min_size=0, max_size=12))
def test_feeding_ticks_one_by_one_gives_what_the_whole_history_gives(rows):
    def arm_of(side):
        requests = np.array([row[side][0] for row in rows], dtype=int)
        errors = np.array([int(row[side][0] * row[side][1]) for row in rows], dtype=int)
        slow = np.array([int(row[side][0] * row[side][2]) for row in rows], dtype=int)
        zero = np.zeros_like(slow)
        return ArmCounts(
            requests=requests, errors=errors, latency=np.stack((requests - slow, zero, zero, slow), axis=1)
        )

    whole = History(tick_seconds=10.0, edges_ms=EDGES_MS, canary=arm_of(0), baseline=arm_of(1))
    state = start(Policy(), EDGES_MS, 10.0)
    for tick in whole.ticks():
        state = advance(state, tick)
    assert repr(verdict(state)) == repr(judge(whole, Policy()))
    assert -1 <= verdict(state).tick < max(1, len(rows))

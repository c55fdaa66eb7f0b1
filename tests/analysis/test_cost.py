"""What a judge costs: work and memory per tick that do not grow, and numbers that do not overflow."""

import pickle
from collections import Counter
from sys import setprofile

import numpy as np
import pytest

from canary_analyzer.analysis import ArmCounts, Decision, History, Policy, advance, advance_each, judge, start, verdict
from canary_analyzer.analysis.sequential import advance_all

EDGES_MS = np.array([25.0, 50.0, 100.0])


def good(ticks, requests=1000):
    """Return an arm that does the same in every tick."""
    latency = np.array([0.1, 0.6, 0.2, 0.1]) * requests
    return ArmCounts(
        requests=np.full(ticks, requests),
        errors=np.full(ticks, requests // 500),
        latency=np.tile(latency.astype(int), (ticks, 1)),
    )


def history(ticks, requests=1000):
    arm = good(ticks, requests)
    return History(tick_seconds=10.0, edges_ms=EDGES_MS, canary=arm, baseline=arm)


def calls_of(work):
    """Return how many calls, of Python and of C, the work makes: a cost that no busy machine disturbs."""
    calls = Counter()
    setprofile(lambda frame, event, arg: calls.update([event]))
    try:
        work()
    finally:
        setprofile(None)
    return calls["call"] + calls["c_call"]


def test_the_thousandth_tick_costs_what_the_tenth_does():
    state, costs = start(Policy(), EDGES_MS, 10.0), {}
    for number, tick in enumerate(history(1000).ticks()):
        before = state
        state = advance(before, tick)
        if number in (10, 999):
            costs[number] = calls_of(lambda before=before, tick=tick: advance(before, tick))
    assert costs[999] <= costs[10] * 1.1


def test_a_whole_history_costs_much_less_than_its_ticks_one_by_one():
    ticks = tuple(history(60).ticks())
    state = start(Policy(), EDGES_MS, 10.0)
    one = calls_of(lambda: advance(state, ticks[0]))
    assert calls_of(lambda: advance_all(state, ticks)) < 60 * one / 2


def test_many_runs_judged_together_cost_much_less_than_one_by_one():
    tick, state = next(iter(history(1).ticks())), start(Policy(), EDGES_MS, 10.0)
    one = calls_of(lambda: advance(state, tick))
    assert calls_of(lambda: advance_each([state] * 60, [tick] * 60)) < 60 * one / 2


def test_ten_thousand_ticks_take_no_more_memory_and_give_finite_numbers():
    state, ticks = start(Policy(), EDGES_MS, 10.0), tuple(history(10_000).ticks())
    early = advance_all(state, ticks[:20])
    late = advance_all(state, ticks)
    assert len(pickle.dumps(late)) <= len(pickle.dumps(early)) + 64
    answer = verdict(late)
    assert answer.decision is Decision.HEALTHY
    assert all(np.isfinite([m.effect, m.low, m.high, m.evidence_against, m.evidence_for]).all() for m in answer.metrics)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("requests", [10**3, 10**6, 10**9, 10**12])
def test_counts_of_any_size_give_the_same_answer(requests):
    answer = judge(history(300, requests), Policy())
    assert answer.decision is Decision.HEALTHY
    assert all(m.low <= m.effect <= m.high for m in answer.metrics)


@pytest.mark.filterwarnings("error")
def test_a_histogram_of_one_bucket_leaves_latency_without_data():
    arm = ArmCounts(requests=np.full(60, 1000), errors=np.zeros(60, int), latency=np.full((60, 1), 1000))
    answer = judge(History(tick_seconds=10.0, edges_ms=np.array([]), canary=arm, baseline=arm), Policy())
    assert answer.decision is Decision.CONTINUE
    assert {m.state.name for m in answer.metrics[1:]} == {"NO_DATA"}

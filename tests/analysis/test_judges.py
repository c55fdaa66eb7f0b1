"""Every judge behind one interface, and what the foreign ones decide."""

import pickle
from dataclasses import replace

import numpy as np
import pytest

from canary_analyzer.analysis import (
    ArmCounts,
    Decision,
    ErrorTolerance,
    ExtraCounts,
    History,
    LatencyTolerance,
    MannWhitneyRule,
    MetricRule,
    MetricState,
    Policy,
    ThresholdRule,
    advance,
    advance_each,
    extra_edges,
    judge,
    start,
    verdict,
    verdict_each,
)

JUDGES = ("sequential", "mann-whitney", "threshold")
RATIO = MetricRule(name="carts", kind="ratio", tolerance=ErrorTolerance())
SIZES = MetricRule(name="queries", kind="histogram", tolerance=LatencyTolerance(quantiles=(0.9,)))


def arm(requests, errors=0, slow=0):
    """Counts per tick in buckets up to 100 ms, up to 1 s, and above."""
    requests, errors, slow = np.broadcast_arrays(requests, errors, slow)
    latency = np.stack([requests - slow, slow, np.zeros_like(slow)], axis=1)
    return ArmCounts(requests=requests, errors=errors, latency=latency)


def past(canary, baseline, **extra):
    return History(tick_seconds=10, edges_ms=np.array([100.0, 1000.0]), canary=canary, baseline=baseline, extra=extra)


def ticks(*pieces):
    """Return one number per tick: `(value, ticks), ...`."""
    return np.concatenate([np.full(length, value) for value, length in pieces])


@pytest.mark.parametrize("name", JUDGES)
def test_tick_by_tick_a_judge_says_what_it_says_on_the_whole(name, simulate):
    history, policy = simulate(3, more_errors=0.02), Policy(judge=name)
    state = start(policy, history.edges_ms, history.tick_seconds, extra_edges(history))
    for tick in history.ticks():
        state = advance(state, tick)
    assert verdict(state) == judge(history, policy)


@pytest.mark.parametrize("name", JUDGES)
def test_before_any_tick_nothing_is_decided(name):
    found = verdict(start(Policy(judge=name), np.array([100.0]), 10))
    assert (found.decision, found.tick) == (Decision.INCONCLUSIVE, -1)
    assert {metric.state for metric in found.metrics} == {MetricState.NO_DATA}


@pytest.mark.parametrize("name", JUDGES)
def test_memory_does_not_grow_with_the_run(name):
    policy, counts = Policy(judge=name, mann_whitney=MannWhitneyRule(points=5)), arm(np.full(400, 50), 0, 1)
    state, sizes = start(policy, np.array([100.0, 1000.0]), 10), []
    for tick in past(counts, counts).ticks():
        state = advance(state, tick)
        sizes.append(len(pickle.dumps(state)))
    assert sizes[-1] <= 1.1 * max(sizes[:100])


@pytest.mark.parametrize("name", JUDGES)
def test_edges_and_tick_that_cannot_be_are_refused(name):
    with pytest.raises(ValueError, match="value"):
        start(Policy(judge=name), np.array([2.0, 1.0]), 0)


OK = Decision.HEALTHY
THRESHOLD = {
    "all good": (ticks((0, 60)), 10, OK, 5),
    "four failed checks in a row, then good": (ticks((5, 24), (0, 36)), 10, OK, 29),
    "five failed checks, not in a row": (ticks((5, 18), (0, 18), (5, 24)), 10, Decision.ABORT, 47),
    "one bad tick fails a check": (ticks((0, 54), (50, 1), (0, 5)), 10, Decision.CONTINUE, 59),
    "just within the limit": (ticks((1, 60)), 10, OK, 5),
    "bad ticks that no check has seen yet": (ticks((0, 54), (100, 5)), 10, OK, 5),
    "after an abort nothing changes": (ticks((9, 30), (0, 30)), 10, Decision.ABORT, 29),
    "slow": (ticks((0, 60)), 40, Decision.ABORT, 29),
}


@pytest.mark.parametrize(("errors", "slow", "decision", "tick"), THRESHOLD.values(), ids=THRESHOLD.keys())
def test_threshold_counts_failed_checks_as_flagger_does(errors, slow, decision, tick):
    counts = arm(np.full(errors.size, 100), errors, slow)
    limits = ThresholdRule(p99_ms=1000 if slow == 10 else 200)
    found = judge(past(counts, counts), Policy(judge="threshold", threshold=limits))
    assert (found.decision, found.tick) == (decision, tick), found.reason


def test_a_check_without_requests_fails_as_flaggers_does():
    found = judge(past(arm(np.zeros(30, int)), arm(np.full(30, 100))), Policy(judge="threshold"))
    assert found.decision is Decision.ABORT
    assert "the canary had no requests" in found.reason
    assert {metric.state for metric in found.metrics} == {MetricState.NO_DATA}


def test_few_requests_are_never_healthy_to_any_judge():
    few = arm(np.full(30, 1))
    for name in JUDGES:
        assert judge(past(few, few), Policy(judge=name)).decision is Decision.INCONCLUSIVE


def noisy(errors, slow, seed):
    rng = np.random.default_rng(seed)
    return arm(np.full(60, 1000), rng.poisson(errors, 60), rng.poisson(slow, 60))


SCORES = {
    "alike": (noisy(5, 50, 1), noisy(5, 50, 2), {}, Decision.HEALTHY),
    "more errors": (noisy(50, 50, 1), noisy(5, 50, 2), {}, Decision.ABORT),
    "more errors, tolerated by the effect size": (
        noisy(50, 50, 1), noisy(5, 50, 2), {"allowed_increase": 100}, Decision.HEALTHY
    ),
    "fewer errors": (noisy(5, 50, 1), noisy(50, 50, 2), {}, Decision.HEALTHY),
    "slower": (noisy(5, 900, 1), noisy(5, 50, 2), {}, Decision.ABORT),
    "marginal": (noisy(50, 50, 1), noisy(5, 50, 2), {"marginal_score": 50}, Decision.CONTINUE),
    "by cles": (noisy(50, 50, 1), noisy(5, 50, 2), {"effect_size": "cles"}, Decision.ABORT),
}  # fmt: skip


@pytest.mark.parametrize(("canary", "baseline", "rule", "decision"), SCORES.values(), ids=SCORES.keys())
def test_scores_decide_as_kayenta_does(canary, baseline, rule, decision):
    found = judge(past(canary, baseline), Policy(judge="mann-whitney", mann_whitney=MannWhitneyRule(**rule)))
    assert found.decision is decision, found.reason


FOREIGN = {
    "mann-whitney": ("score 50 of 100; high: errors; errors: High", "tolerated within 25% of it", "mean ratio"),
    "threshold": ("5 checks failed, 5 abort; the latest: ", "below 99.00%", "errors: 5 checks failed"),
}


@pytest.mark.parametrize(("name", "words"), FOREIGN.items(), ids=FOREIGN.keys())
def test_an_abort_of_any_judge_names_the_metric_both_figures_the_interval_and_what_is_tolerated(name, words):
    found = judge(past(noisy(50, 50, 1), noisy(5, 50, 2)), Policy(judge=name))
    assert found.decision is Decision.ABORT
    for part in (*words, "canary requests failed", "baseline requests; difference +", "(95 % interval +"):
        assert part in found.reason


def test_nothing_is_scored_before_three_points():
    canary, baseline = noisy(50, 50, 1), noisy(5, 50, 2)
    found = judge(past(canary, baseline), Policy(judge="mann-whitney"))
    assert (found.decision, found.tick) == (Decision.ABORT, 17)


def test_without_latencies_nothing_is_healthy_to_kayentas_judge():
    canary, baseline = noisy(5, 50, 1), noisy(5, 50, 2)
    blind = replace(canary, latency=np.zeros_like(canary.latency))
    found = judge(past(blind, baseline), Policy(judge="mann-whitney"))
    assert found.decision is Decision.CONTINUE
    assert [metric.state.value for metric in found.metrics] == ["healthy", "no_data", "no_data", "no_data"]


OWN = {
    "is one group of four": (RATIO, Decision.CONTINUE),
    "weighs more by its share": (replace(RATIO, share=2.0), Decision.ABORT),
    "decides alone when critical": (replace(RATIO, critical=True, share=0.01), Decision.ABORT),
    "weighs less by its share": (replace(RATIO, share=0.01), Decision.HEALTHY),
    "only tells when advisory": (replace(RATIO, advisory=True), Decision.HEALTHY),
}


@pytest.mark.parametrize(("rule", "decision"), OWN.values(), ids=OWN.keys())
def test_a_metric_of_the_users_own(rule, decision):
    history = past(
        noisy(5, 50, 1),
        noisy(5, 50, 2),
        carts=ExtraCounts(edges_ms=None, canary=noisy(200, 0, 3), baseline=noisy(5, 0, 4)),
        queries=ExtraCounts(edges_ms=np.array([100.0, 1000.0]), canary=noisy(0, 50, 5), baseline=noisy(0, 50, 6)),
    )
    found = judge(history, Policy(judge="mann-whitney", metrics=(rule, SIZES)))
    assert found.decision is decision, found.reason
    states = {metric.name: metric.state for metric in found.metrics}
    assert states["carts"] is MetricState.DEGRADED
    assert states["queries_p90"] is MetricState.HEALTHY


def test_a_critical_metric_without_data_keeps_a_canary_from_being_healthy():
    history = past(noisy(5, 50, 1), noisy(5, 50, 2))
    policy = Policy(judge="mann-whitney", metrics=(replace(RATIO, critical=True),))
    assert judge(history, policy).decision is Decision.CONTINUE
    assert judge(history, replace(policy, metrics=(RATIO,))).decision is Decision.HEALTHY


def test_cold_ticks_are_left_out_by_every_judge():
    cold = arm(np.full(60, 1000), ticks((300, 6), (5, 54)), 50)
    for name in ("mann-whitney", "threshold"):
        found = judge(past(cold, noisy(5, 50, 2)), Policy(judge=name, warmup_seconds=60))
        assert found.decision is Decision.HEALTHY, found.reason
        assert found.metrics[0].n_canary == 54_000


@pytest.mark.parametrize("name", JUDGES)
def test_many_runs_judged_together_get_what_each_gets_alone(name, simulate):
    histories = [simulate(seed, more_errors=0.02 * (seed % 2)) for seed in range(4)]
    own = (replace(RATIO, advisory=True), SIZES)  # of which there is never data
    policies = [Policy(judge=name, warmup_seconds=20.0 * (seed // 2), metrics=own) for seed in range(4)]
    alone = together = [
        start(policy, history.edges_ms, history.tick_seconds, extra_edges(history))
        for policy, history in zip(policies, histories, strict=True)
    ]
    for ticks in zip(*(history.ticks() for history in histories), strict=True):
        together = advance_each(together, ticks)
        alone = [advance(state, tick) for state, tick in zip(alone, ticks, strict=True)]
        assert repr(verdict_each(together)) == repr([verdict(state) for state in alone])

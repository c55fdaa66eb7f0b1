"""Metrics of the user's own, judged by the sequential judge: who decides, who reports, who blocks."""

import numpy as np
import pytest

from canary_analyzer.analysis import (
    ArmCounts,
    Decision,
    ErrorTolerance,
    ExtraCounts,
    History,
    LatencyTolerance,
    MetricRule,
    MetricState,
    Policy,
    judge,
)

EDGES_MS = np.array([25.0, 50.0, 100.0])
TICKS = 300
GOOD = (0.1, 0.6, 0.2, 0.1)


def arm(requests, bad, shares=GOOD):
    """Return the same tick over and over."""
    return ArmCounts(
        requests=np.full(TICKS, requests),
        errors=np.full(TICKS, bad),
        latency=np.tile((np.array(shares) * requests).astype(int), (TICKS, 1)),
    )


def carts(bad, **options):
    """Return a rule on the share of failed carts, and counts of which so many of 100 fail on the canary."""
    rule = MetricRule(name="carts", kind="ratio", tolerance=ErrorTolerance(relative=0.5, absolute=0.01), **options)
    return rule, ExtraCounts(edges_ms=None, canary=arm(100, bad), baseline=arm(900, 9))


def queries(shares, **options):
    """Return a rule on the duration of queries, and counts that fall into buckets like that on the canary."""
    rule = MetricRule(name="queries", kind="histogram", tolerance=LatencyTolerance(quantiles=(0.5, 0.9)), **options)
    return rule, ExtraCounts(edges_ms=EDGES_MS, canary=arm(100, 0, shares), baseline=arm(900, 0))


def past(**extra):
    return History(tick_seconds=10.0, edges_ms=EDGES_MS, canary=arm(100, 0), baseline=arm(900, 1), extra=extra)


SLOW = (0.0, 0.1, 0.3, 0.6)
CASES = {
    "good": (carts(1), Decision.HEALTHY, MetricState.HEALTHY),
    "bad": (carts(10), Decision.ABORT, MetricState.DEGRADED),
    "bad and critical": (carts(10, critical=True), Decision.ABORT, MetricState.DEGRADED),
    "bad but advisory": (carts(10, advisory=True), Decision.HEALTHY, MetricState.DEGRADED),
    "good queries": (queries(GOOD), Decision.HEALTHY, MetricState.HEALTHY),
    "slow queries": (queries(SLOW), Decision.ABORT, MetricState.DEGRADED),
    "slow but advisory": (queries(SLOW, advisory=True), Decision.HEALTHY, MetricState.DEGRADED),
    "little capital still finds what is very bad": (carts(60, share=0.01), Decision.ABORT, MetricState.DEGRADED),
}


@pytest.mark.parametrize(("given", "decision", "condition"), CASES.values(), ids=CASES.keys())
def test_a_metric_decides_unless_it_is_advisory(given, decision, condition):
    rule, counts = given
    answer = judge(past(**{rule.name: counts}), Policy(metrics=(rule,)))
    mine = [metric for metric in answer.metrics if metric.name.startswith(rule.name)]
    assert answer.decision is decision, answer.reason
    assert condition in {metric.state for metric in mine}
    if decision is Decision.ABORT:
        assert rule.name in answer.reason


MISSING = {
    "neither critical nor advisory": ({}, Decision.CONTINUE, "no data for carts"),
    "critical": ({"critical": True}, Decision.INCONCLUSIVE, "no data for carts, without which"),
    "advisory": ({"advisory": True}, Decision.HEALTHY, "advisory"),
}


@pytest.mark.parametrize(("options", "decision", "words"), MISSING.values(), ids=MISSING.keys())
def test_a_metric_without_data_is_never_taken_for_good(options, decision, words):
    rule, _ = carts(1, **options)
    answer = judge(past(), Policy(metrics=(rule,)))
    assert answer.decision is decision
    assert answer.metrics[-1].state is MetricState.NO_DATA
    assert words in answer.reason


def test_metrics_are_reported_in_the_order_of_the_policy():
    (first, one), (second, two) = queries(GOOD), carts(1)
    answer = judge(past(queries=one, carts=two), Policy(metrics=(first, second)))
    names = [metric.name for metric in answer.metrics]
    assert names == ["errors", "latency_p50", "latency_p90", "latency_p99", "queries_p50", "queries_p90", "carts"]


def test_advisory_metrics_cost_the_others_nothing():
    bad = History(tick_seconds=10.0, edges_ms=EDGES_MS, canary=arm(100, 2), baseline=arm(900, 1))
    rule, _ = carts(1, advisory=True)
    alone, beside = judge(bad, Policy()), judge(bad, Policy(metrics=(rule,)))
    assert alone.decision is beside.decision is Decision.ABORT
    assert alone.tick == beside.tick
    assert alone.metrics == beside.metrics[:-1]

"""From samples to counts: histograms that differ, restart, or cannot be read."""

from __future__ import annotations

import pytest

from canary_analyzer.analysis.counters import Series
from canary_analyzer.metrics import Arm
from canary_analyzer.metrics.histograms import UnreadableHistogramError, bucket, common_edges
from canary_analyzer.metrics.promql import Part, Role
from canary_analyzer.metrics.replicas import Copy
from canary_analyzer.metrics.tally import PairState, tally


def buckets(values, arm=Arm.BASELINE, at=105.0, pod="a", unit_ms=1, before=()):
    """One histogram: {edge: cumulative count at `at`}, zero at 100; `before` are such counts at 105."""
    for edge, value in values.items():
        between = [(105.0, before[edge])] if before else []
        series = Series(key=bucket(pod, edge, unit_ms), points=[(100.0, 0.0), *between, (at, value)])
        yield Part(arm=arm, role=Role.BUCKET), Copy(replica="", series=series)


def counted(*histograms, state=None, grid=(100.0, 110.0)):
    state = state or PairState.begin(grid[0], watched=True)
    samples = {}
    for histogram in histograms:
        for part, copy in histogram:
            samples.setdefault(part, []).append(copy)
    return tally((), state, samples, grid, fresh_since=0)


@pytest.mark.parametrize(
    ("histograms", "edges", "baseline"),
    [
        pytest.param([buckets({"10": 1, "50": 4, "+Inf": 9})], [10, 50], [1, 3, 5], id="one histogram"),
        pytest.param([buckets({"+Inf": 9, "50": 4, "10": 1})], [10, 50], [1, 3, 5], id="in any order"),
        pytest.param([buckets({"1e+01": 1, "50.0": 4, "+Inf": 9})], [10, 50], [1, 3, 5], id="in any notation"),
        pytest.param(
            [buckets({"10": 1, "+Inf": 9}, pod="a"), buckets({"10": 2, "+Inf": 2}, pod="b")],
            [10],
            [3, 8],
            id="sources add up",
        ),
        pytest.param(
            [buckets({"10": 1, "50": 4, "+Inf": 9}, pod="a"), buckets({"25": 7, "50": 7, "+Inf": 8}, pod="b")],
            [50],
            [11, 6],
            id="edges that only one has are given up",
        ),
        pytest.param([buckets({"0": 0, "10": 1, "+Inf": 9})], [10], [1, 8], id="no latency is below zero"),
    ],
)
def test_buckets_become_counts_between_edges(histograms, edges, baseline):
    _, counts = counted(*histograms)
    assert (counts.edges_ms.tolist(), counts.baseline.latency.tolist()) == (edges, [baseline])


def test_arms_share_their_edges():
    _, counts = counted(buckets({"10": 1, "50": 4, "+Inf": 9}), buckets({"50": 2, "+Inf": 3}, Arm.CANARY, pod="b"))
    assert (counts.baseline.latency.tolist(), counts.canary.latency.tolist()) == ([[4, 5]], [[2, 1]])


@pytest.mark.parametrize(
    ("later", "reason"),
    [
        pytest.param({"10": 5, "+Inf": 9}, r"lacks the buckets le=\[50.0\]", id="an edge is gone"),
        pytest.param({"10": 5, "50": 9}, r"lacks the buckets le=\[inf\]", id="no +Inf"),
    ],
)
def test_histograms_that_lack_an_edge_seen_before_are_refused(later, reason):
    state, _ = counted(buckets({"10": 1, "50": 4, "+Inf": 9}))
    with pytest.raises(UnreadableHistogramError, match=reason):
        counted(buckets(later, at=115.0, pod="new"), state=state, grid=(110.0, 120.0))


def test_new_edges_fall_into_the_buckets_known_before():
    state, _ = counted(buckets({"50": 4, "+Inf": 9}))
    newcomer = buckets({"10": 1, "50": 2, "+Inf": 3}, at=115.0, pod="new")
    _, counts = counted(newcomer, state=state, grid=(110.0, 120.0))
    assert (counts.edges_ms.tolist(), counts.baseline.latency.tolist()) == ([50], [[2, 1]])


def test_a_restart_that_shows_in_some_buckets_only_gives_no_negative_count():
    before = {"10": 8, "50": 9, "+Inf": 10}
    state, _ = counted(buckets(before))
    restarted = buckets({"10": 3, "50": 10, "+Inf": 12}, at=115.0, before=before)
    _, counts = counted(restarted, state=state, grid=(110.0, 120.0))
    assert counts.baseline.latency.tolist() == [[3, 0, 0]]


def test_without_histograms_there_are_no_edges():
    assert common_edges([]) is None

"""Counts per tick of both arms, in the shape of `canary_analyzer.analysis.History`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from canary_analyzer.analysis import ArmCounts, History

Ints = NDArray[np.int64]

# Envoy's default, and so Istio's, in milliseconds: what is assumed until the first histogram has been seen.
ISTIO_EDGES_MS = (
    *(0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000),
    *(300_000, 600_000, 1_800_000, 3_600_000),
)


@dataclass(frozen=True, kw_only=True)
class Counts:
    """What both arms counted in T intervals.

    Attributes:
        edges_ms: float[B - 1], upper edges of the latency buckets in milliseconds; the last bucket has none.
        canary: Counts per interval of the canary.
        baseline: Counts per interval of the baseline.
    """

    edges_ms: NDArray[np.float64]
    canary: ArmCounts
    baseline: ArmCounts

    def history(self, tick_seconds: float) -> History:
        """Return the counts as what `analysis.judge` takes, each interval being one tick."""
        return History(tick_seconds=tick_seconds, edges_ms=self.edges_ms, canary=self.canary, baseline=self.baseline)

    def since(self, interval: int) -> Counts:
        """Return the counts from the given interval on."""
        return Counts(
            edges_ms=self.edges_ms, canary=_since(self.canary, interval), baseline=_since(self.baseline, interval)
        )


def join(earlier: Counts, later: Counts) -> Counts:
    """Return the counts of both, one after the other, with the latency edges that both have.

    A bucket between two edges can be added to its neighbour without loss of truth, never split. Where one side has seen
    no latency at all, the other's edges hold.
    """
    edges = _common_edges(earlier, later)
    first, second = _coarsened(earlier, edges), _coarsened(later, edges)
    return Counts(
        edges_ms=edges,
        canary=_appended(first.canary, second.canary),
        baseline=_appended(first.baseline, second.baseline),
    )


def _common_edges(earlier: Counts, later: Counts) -> NDArray[np.float64]:
    if not _has_latency(earlier):
        return later.edges_ms
    if not _has_latency(later):
        return earlier.edges_ms
    return np.intersect1d(earlier.edges_ms, later.edges_ms)


def _has_latency(counts: Counts) -> bool:
    return bool(counts.canary.latency.any() or counts.baseline.latency.any())


def _coarsened(counts: Counts, edges: NDArray[np.float64]) -> Counts:
    if np.array_equal(counts.edges_ms, edges):
        return counts
    # Bucket i lies below edge i: it goes to the first bucket whose edge is not lower.
    target = np.searchsorted(edges, np.append(counts.edges_ms, np.inf))
    return Counts(
        edges_ms=edges,
        canary=_regrouped(counts.canary, target, len(edges) + 1),
        baseline=_regrouped(counts.baseline, target, len(edges) + 1),
    )


def _regrouped(arm: ArmCounts, target: NDArray[np.intp], buckets: int) -> ArmCounts:
    latency = np.zeros((len(arm.requests), buckets), dtype=np.int64)
    for old, new in enumerate(target):
        latency[:, new] += arm.latency[:, old]
    return ArmCounts(requests=arm.requests, errors=arm.errors, latency=latency)


def _appended(first: ArmCounts, second: ArmCounts) -> ArmCounts:
    return ArmCounts(
        requests=np.concatenate([first.requests, second.requests]),
        errors=np.concatenate([first.errors, second.errors]),
        latency=np.concatenate([first.latency, second.latency]),
    )


def _since(arm: ArmCounts, interval: int) -> ArmCounts:
    return ArmCounts(requests=arm.requests[interval:], errors=arm.errors[interval:], latency=arm.latency[interval:])

"""Counts per tick of both arms, in the shape of `canary_analyzer.analysis.History`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from canary_analyzer.analysis import ArmCounts, ExtraCounts, History, Tick, ticks_of

Floats = NDArray[np.float64]

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
        extra: Counts of the user's own metrics by name; a histogram of which nothing has been seen yet is not there.
    """

    edges_ms: Floats
    canary: ArmCounts
    baseline: ArmCounts
    extra: Mapping[str, ExtraCounts] = field(default_factory=dict)

    def history(self, tick_seconds: float) -> History:
        """Return the counts as what `analysis.judge` takes, each interval being one tick."""
        return History(
            tick_seconds=tick_seconds,
            edges_ms=self.edges_ms,
            canary=self.canary,
            baseline=self.baseline,
            extra=self.extra,
        )

    def ticks(self) -> Iterator[Tick]:
        """Yield each interval as a tick."""
        return ticks_of(self.canary, self.baseline, self.extra)

    def since(self, interval: int) -> Counts:
        """Return the counts from the given interval on."""
        extra = {
            name: ExtraCounts(
                edges_ms=one.edges_ms, canary=_since(one.canary, interval), baseline=_since(one.baseline, interval)
            )
            for name, one in self.extra.items()
        }
        canary, baseline = _since(self.canary, interval), _since(self.baseline, interval)
        return Counts(edges_ms=self.edges_ms, canary=canary, baseline=baseline, extra=extra)


def join(earlier: Counts, later: Counts) -> Counts:
    """Return the counts of both, one after the other, with the latency edges that both have.

    A bucket between two edges can be added to its neighbour without loss of truth, never split. Where one side has seen
    no latency at all, the other's edges hold.
    """
    mesh = _joined(_mesh(earlier), _mesh(later))
    extra = {
        name: _joined(earlier.extra.get(name) or _nothing(earlier), later.extra.get(name) or _nothing(later))
        for name in earlier.extra.keys() | later.extra.keys()
    }
    edges = np.empty(0) if mesh.edges_ms is None else mesh.edges_ms
    return Counts(edges_ms=edges, canary=mesh.canary, baseline=mesh.baseline, extra=extra)


def _mesh(counts: Counts) -> ExtraCounts:
    return ExtraCounts(edges_ms=counts.edges_ms, canary=counts.canary, baseline=counts.baseline)


def _nothing(counts: Counts) -> ExtraCounts:
    """Return as many intervals in which nothing was seen of a histogram."""
    none = np.zeros(len(counts.canary.requests), dtype=np.int64)
    arm = ArmCounts(requests=none, errors=none, latency=none.reshape(-1, 1))
    return ExtraCounts(edges_ms=np.empty(0), canary=arm, baseline=arm)


def _joined(earlier: ExtraCounts, later: ExtraCounts) -> ExtraCounts:
    edges = _common_edges(earlier, later)
    return ExtraCounts(
        edges_ms=edges,
        canary=_appended(_coarsened(earlier, edges, earlier.canary), _coarsened(later, edges, later.canary)),
        baseline=_appended(_coarsened(earlier, edges, earlier.baseline), _coarsened(later, edges, later.baseline)),
    )


def _common_edges(earlier: ExtraCounts, later: ExtraCounts) -> Floats | None:
    if later.edges_ms is None or earlier.edges_ms is None or not _has_latency(earlier):
        return later.edges_ms
    return np.intersect1d(earlier.edges_ms, later.edges_ms) if _has_latency(later) else earlier.edges_ms


def _has_latency(counts: ExtraCounts) -> bool:
    return bool(counts.canary.latency.any() or counts.baseline.latency.any())


def _coarsened(counts: ExtraCounts, edges: Floats | None, arm: ArmCounts) -> ArmCounts:
    if edges is None or counts.edges_ms is None or np.array_equal(counts.edges_ms, edges):
        return arm
    # Bucket i lies below edge i: it goes to the first bucket whose edge is not lower.
    target = np.searchsorted(edges, np.append(counts.edges_ms, np.inf))
    latency = np.zeros((len(arm.requests), len(edges) + 1), dtype=np.int64)
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

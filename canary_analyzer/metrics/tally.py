"""From the samples that Prometheus holds for a pair to counts per tick of both arms; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from canary_analyzer.analysis import ArmCounts, ExtraCounts
from canary_analyzer.analysis.counters import CounterState, Increment, advance
from canary_analyzer.metrics.counts import ISTIO_EDGES_MS, Counts
from canary_analyzer.metrics.histograms import Bucket, Edges, between_edges, common_edges
from canary_analyzer.metrics.pairs import Arm
from canary_analyzer.metrics.promql import Part, Role
from canary_analyzer.metrics.replicas import Copy, one_replica
from canary_analyzer.rollout.metrics import MetricQuery

Ints = NDArray[np.int64]
Samples = Mapping[Part, Sequence[Copy]]
Increments = Mapping[Part, Sequence[Increment]]

# The mesh's own metrics have no name; their requests are a total with its bad ones, their latency a histogram.
MESH = ""
MESH_TOTALS = tuple(Part(arm=arm, role=Role.TOTAL) for arm in Arm)


@dataclass(frozen=True, kw_only=True)
class PairState:
    """Where counting of one pair stopped.

    Attributes:
        blank: Where it began.
        counters: What was seen of each family of counters.
        boundary: Unix seconds up to which everything has been counted.
        edges_ms: Edges of the buckets of each metric's histogram, once one has been seen.
        replica: Which of several Prometheus replicas is read.
        scrape_seconds: Time between two samples as last seen, 0 until then.
    """

    blank: CounterState
    boundary: float
    counters: Mapping[Part, CounterState] = field(default_factory=dict)
    edges_ms: Mapping[str, Edges] = field(default_factory=dict)
    replica: str | None = None
    scrape_seconds: float = 0

    @classmethod
    def begin(cls, start: float, *, watched: bool) -> Self:
        """Return the state of a pair that is counted from `start` (unix seconds); `watched` as in CounterState."""
        return cls(blank=CounterState.begin(start, watched=watched), boundary=start)

    def counter(self, part: Part) -> CounterState:
        """Return where counting of one family stopped; of one that was never seen nothing has happened yet."""
        return self.counters.get(part) or replace(self.blank, boundary=self.boundary)

    @property
    def fresh(self) -> bool:
        """Whether nothing has been counted yet."""
        return self.boundary == self.blank.start

    @property
    def newest(self) -> float | None:
        """Unix seconds of the newest counter of requests, None before the first."""
        times = [state.newest for part in MESH_TOTALS if (state := self.counters.get(part))]
        return max((time for time in times if time is not None), default=None)


def tally(
    metrics: Sequence[MetricQuery], state: PairState, samples: Samples, boundaries: Sequence[float], fresh_since: float
) -> tuple[PairState, Counts]:
    """Count what both arms did in each interval between `boundaries` (unix seconds).

    `fresh_since` is the time since which a Prometheus replica must have a sample to be trusted to go on.

    Raises:
        UnreadableHistogramError: The buckets of a histogram contradict each other or those seen before.
        ValueError: The boundaries do not go on where `state` stopped.
    """
    totals = [copy for part in MESH_TOTALS for copy in samples.get(part, ())]
    _, replica = one_replica(totals, state.replica, fresh_since)
    counters, increments = {}, {}
    for part in samples.keys() | state.counters.keys():
        series, _ = one_replica(samples.get(part, ()), replica, fresh_since)
        counters[part], increments[part] = advance(state.counter(part), series, boundaries)
    edges = _edges(state, metrics, increments)
    state = replace(
        state,
        boundary=boundaries[-1],
        counters=counters,
        edges_ms=edges,
        replica=replica,
        scrape_seconds=min(_gaps(totals), default=state.scrape_seconds),
    )
    return state, _counts(metrics, edges, increments, len(boundaries) - 1)


def _gaps(copies: Iterable[Copy]) -> list[float]:
    points = [copy.series.points for copy in copies if len(copy.series.points) > 1]
    return [later - earlier for *_, (earlier, _), (later, _) in points]


def _edges(state: PairState, metrics: Sequence[MetricQuery], increments: Increments) -> Mapping[str, Edges]:
    """Return the edges of all histograms that have ever been seen; once seen they stay."""
    found = dict(state.edges_ms)
    for name in (MESH, *(metric.name for metric in metrics)):
        if name not in found:
            keys = [one.key for arm in Arm for one in increments.get(Part(arm=arm, role=Role.BUCKET, metric=name), ())]
            edges = common_edges(key for key in keys if isinstance(key, Bucket))
            found |= {} if edges is None else {name: edges}
    return found


def _counts(metrics: Sequence[MetricQuery], edges: Mapping[str, Edges], increments: Increments, ticks: int) -> Counts:
    mesh = edges.get(MESH, ISTIO_EDGES_MS)
    both = {
        arm: ArmCounts(
            requests=_sum(increments, Part(arm=arm, role=Role.TOTAL), ticks),
            errors=_sum(increments, Part(arm=arm, role=Role.BAD), ticks),
            latency=between_edges(increments.get(Part(arm=arm, role=Role.BUCKET), ()), mesh, ticks),
        )
        for arm in Arm
    }
    extra = {metric.name: _extra(metric, edges.get(metric.name), increments, ticks) for metric in metrics}
    return Counts(
        edges_ms=np.array(mesh, dtype=float),
        canary=both[Arm.CANARY],
        baseline=both[Arm.BASELINE],
        extra={name: counts for name, counts in extra.items() if counts is not None},
    )


def _extra(metric: MetricQuery, edges: Edges | None, increments: Increments, ticks: int) -> ExtraCounts | None:
    """Return the counts of a user's metric, None for a histogram of which no bucket has been seen yet."""
    if metric.histogram is None:
        arms = {arm: _ratio(metric, arm, increments, ticks) for arm in Arm}
        return ExtraCounts(edges_ms=None, canary=arms[Arm.CANARY], baseline=arms[Arm.BASELINE])
    if edges is None:
        return None
    arms = {arm: _histogram(metric, arm, edges, increments, ticks) for arm in Arm}
    return ExtraCounts(edges_ms=np.array(edges, dtype=float), canary=arms[Arm.CANARY], baseline=arms[Arm.BASELINE])


def _histogram(metric: MetricQuery, arm: Arm, edges: Edges, increments: Increments, ticks: int) -> ArmCounts:
    part = Part(arm=arm, role=Role.BUCKET, metric=metric.name)
    latency = between_edges(increments.get(part, ()), edges, ticks)
    requests: Ints = latency.sum(axis=1)
    return ArmCounts(requests=requests, errors=np.zeros_like(requests), latency=latency)


def _ratio(metric: MetricQuery, arm: Arm, increments: Increments, ticks: int) -> ArmCounts:
    """Return all events and the bad ones, which the user's two counters may let exceed each other for a moment."""
    total, bad, good = (
        _sum(increments, Part(arm=arm, role=role, metric=metric.name), ticks)
        for role in (Role.TOTAL, Role.BAD, Role.GOOD)
    )
    errors = np.clip(bad if metric.good is None else total - good, 0, total)
    return ArmCounts(requests=total, errors=errors, latency=np.zeros((ticks, 1), dtype=np.int64))


def _sum(increments: Increments, part: Part, ticks: int) -> Ints:
    total = np.zeros(ticks)
    for one in increments.get(part, ()):
        total += one.counts
    return np.rint(total).astype(np.int64)

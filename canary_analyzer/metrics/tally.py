"""From the samples that Prometheus holds for a pair to counts per tick of both arms; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from canary_analyzer.analysis import ArmCounts
from canary_analyzer.analysis.counters import CounterState, Increment, Series, advance
from canary_analyzer.metrics.counts import ISTIO_EDGES_MS, Counts
from canary_analyzer.metrics.istio import Arm, Pair, addressee, failed
from canary_analyzer.metrics.replicas import one_replica

Ints = NDArray[np.int64]
Edges = tuple[float, ...]


class UnreadableHistogramError(ValueError):
    """Latency buckets from which no histogram can be made; the message says which and why."""


@dataclass(frozen=True, kw_only=True)
class PairSamples:
    """Samples of one pair: request counters and latency bucket counters."""

    requests: Sequence[Series]
    buckets: Sequence[Series]


@dataclass(frozen=True, kw_only=True)
class PairState:
    """Where counting of one pair stopped.

    Attributes:
        requests: Counters of requests.
        buckets: Counters of latency buckets.
        edges_ms: Edges of the latency buckets, None until a histogram has been seen.
        replica: Which of several Prometheus replicas is read.
        scrape_seconds: Time between two samples as last seen, 0 until then.
    """

    requests: CounterState
    buckets: CounterState
    edges_ms: Edges | None = None
    replica: str | None = None
    scrape_seconds: float = 0

    @classmethod
    def begin(cls, start: float, *, watched: bool) -> Self:
        """Return the state of a pair that is counted from `start` (unix seconds); `watched` as in CounterState."""
        counters = CounterState.begin(start, watched=watched)
        return cls(requests=counters, buckets=counters)

    @property
    def boundary(self) -> float:
        """Unix seconds up to which everything has been counted."""
        return self.requests.boundary

    @property
    def fresh(self) -> bool:
        """Whether nothing has been counted yet."""
        return self.requests.boundary == self.requests.start


def tally(
    pair: Pair, state: PairState, samples: PairSamples, boundaries: Sequence[float], fresh_since: float
) -> tuple[PairState, Counts]:
    """Count the requests, errors and latencies of both arms in each interval between `boundaries` (unix seconds).

    `fresh_since` is the time since which a Prometheus replica must have a sample to be trusted to go on.

    Raises:
        UnreadableHistogramError: The latency buckets contradict each other or those seen before.
        ValueError: The boundaries do not go on where `state` stopped.
    """
    series, replica = one_replica(samples.requests, state.replica, fresh_since)
    bucket_series, _ = one_replica(samples.buckets, replica, fresh_since)
    requests, request_increments = advance(state.requests, series, boundaries)
    buckets, bucket_increments = advance(state.buckets, bucket_series, boundaries)
    edges = state.edges_ms or common_edges(bucket_series)
    by_arm = {
        arm: _arm(_of(pair, arm, request_increments), _of(pair, arm, bucket_increments), edges, len(boundaries) - 1)
        for arm in Arm
    }
    scrape = min((_last_gap(one) for one in series if len(one.points) > 1), default=state.scrape_seconds)
    state = PairState(requests=requests, buckets=buckets, edges_ms=edges, replica=replica, scrape_seconds=scrape)
    shown = np.array(ISTIO_EDGES_MS if edges is None else edges, dtype=float)
    return state, Counts(edges_ms=shown, canary=by_arm[Arm.CANARY], baseline=by_arm[Arm.BASELINE])


def common_edges(buckets: Iterable[Series]) -> Edges | None:
    """Return the edges in milliseconds that all histograms have, None where there is no histogram.

    Bucket counters are cumulative, so what lies below a common edge is known for every histogram, whatever other edges
    it has.
    """
    edges: dict[frozenset[tuple[str, str]], set[float]] = {}
    for one in buckets:
        source, edge = _histogram(one.labels)
        edges.setdefault(source, set()).add(edge)
    if not edges:
        return None
    return tuple(sorted(edge for edge in set.intersection(*edges.values()) if 0 < edge < np.inf))


def _last_gap(series: Series) -> float:
    (earlier, _), (later, _) = series.points[-2:]
    return later - earlier


def _of(pair: Pair, arm: Arm, increments: Iterable[Increment]) -> list[Increment]:
    return [one for one in increments if pair.arms.get(addressee(one.labels)) is arm]


def _arm(requests: Sequence[Increment], buckets: Sequence[Increment], edges: Edges | None, ticks: int) -> ArmCounts:
    return ArmCounts(
        requests=_sum(requests, ticks),
        errors=_sum([one for one in requests if failed(one.labels)], ticks),
        latency=_latency(buckets, ISTIO_EDGES_MS if edges is None else edges, ticks),
    )


def _sum(increments: Iterable[Increment], ticks: int) -> Ints:
    total: NDArray[np.float64] = sum((one.counts for one in increments), start=np.zeros(ticks))
    return np.rint(total).astype(np.int64)


def _latency(buckets: Iterable[Increment], edges: Edges, ticks: int) -> Ints:
    """Return int[ticks, buckets]: cumulative counters, summed over their sources, become counts between edges."""
    cumulative = np.zeros((ticks, len(edges) + 1))
    column = {edge: index for index, edge in enumerate((*edges, np.inf))}
    seen: dict[frozenset[tuple[str, str]], set[float]] = {}
    for one in buckets:
        source, edge = _histogram(one.labels)
        if edge in column:
            seen.setdefault(source, set()).add(edge)
            cumulative[:, column[edge]] += one.counts
    _check(seen, set(column))
    # A restart shows only in buckets that are now lower than before it; the others would leave a negative difference.
    ascending = np.maximum.accumulate(np.rint(cumulative), axis=1)
    return np.diff(ascending, axis=1, prepend=0).astype(np.int64)


def _check(seen: Mapping[frozenset[tuple[str, str]], set[float]], wanted: set[float]) -> None:
    for source, edges in seen.items():
        if missing := sorted(wanted - edges):
            labels = ", ".join(f'{name}="{value}"' for name, value in sorted(source))
            raise UnreadableHistogramError(f"the latency histogram {{{labels}}} lacks the buckets le={missing}")


def _histogram(labels: Mapping[str, str]) -> tuple[frozenset[tuple[str, str]], float]:
    source = frozenset((name, value) for name, value in labels.items() if name != "le")
    return source, float(labels["le"])

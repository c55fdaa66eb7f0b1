"""What goes into a judge and what comes out: counts per tick, and a verdict."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from canary_analyzer.analysis.mistakes import not_positive, refuse

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]
Indices = NDArray[np.intp]


@dataclass(frozen=True, kw_only=True, eq=False)
class ArmCounts:
    """What one arm did, tick by tick; not cumulative.

    Args:
        requests: [T] requests answered in each tick.
        errors: [T] how many of them failed.
        latency: [T, B] how many fell in each bucket of the latency histogram; the last bucket is +Inf.

    Raises:
        ValueError: Shapes differ, a count is negative or not whole, errors exceed requests; all mistakes are listed.
    """

    requests: Counts
    errors: Counts
    latency: Counts

    def __post_init__(self) -> None:
        refuse(self)
        for name in ("requests", "errors", "latency"):
            object.__setattr__(self, name, np.asarray(getattr(self, name)).astype(np.int64))

    def mistakes(self) -> Iterator[str]:
        """Yield one sentence per mistake."""
        requests, errors, latency = _array(self.requests), _array(self.errors), _array(self.latency)
        for name, counts, shape in (
            ("requests", requests, "[T]"),
            ("errors", errors, "[T]"),
            ("latency", latency, "[T, B]"),
        ):
            if counts.ndim != shape.count(",") + 1:
                yield f"{name}: value of shape {counts.shape}: give an array of shape {shape}"
            yield from _not_counts(name, counts)
        if requests.shape != errors.shape:
            yield f"errors: value of shape {errors.shape}: give one number per tick, as in requests {requests.shape}"
        elif _numeric(requests) and _numeric(errors) and np.any(errors > requests):
            worst = int(np.argmax(errors > requests))
            yield f"errors: value {errors.flat[worst]} in tick {worst}: cannot exceed requests ({requests.flat[worst]})"
        if latency.ndim == 2 and latency.shape[:1] != requests.shape[:1]:
            yield f"latency: value of shape {latency.shape}: give one row per tick, as in requests {requests.shape}"


def _array(given: object) -> NDArray[Any]:
    """Return an array; of rows that differ in length, one of rows."""
    try:
        return np.asarray(given)
    except ValueError:
        return np.asarray(given, dtype=object)


def _numeric(counts: NDArray[np.generic]) -> bool:
    return counts.dtype.kind in "iuf"


def _not_counts(name: str, counts: NDArray[np.generic]) -> Iterator[str]:
    """Yield a mistake for entries that are not whole numbers of at least 0."""
    if not _numeric(counts):
        if counts.size:
            yield f"{name}: value of type {counts.dtype}: give whole numbers"
        return
    if counts.dtype.kind in "iu" and counts.size and counts.min() >= 0:
        return
    numbers = counts.astype(np.float64)
    if not np.all(np.isfinite(numbers)):
        yield f"{name}: value NaN or infinite: leave the tick out, or give 0 requests, where there is no data"
    elif np.any(numbers < 0):
        yield f"{name}: value {numbers.min():g}: give increments per tick, counter resets handled"
    elif np.any(broken := numbers != np.floor(numbers)):
        yield f"{name}: value {numbers[broken][0]:g}: give whole numbers, not rates or extrapolated increases"


@dataclass(frozen=True, kw_only=True)
class ArmTick:
    """What one arm did in one tick.

    Args:
        requests: Requests answered.
        errors: How many of them failed.
        latency: [B] how many fell in each bucket of the latency histogram.
    """

    requests: int
    errors: int
    latency: Counts


@dataclass(frozen=True, kw_only=True)
class Tick:
    """One row of both arms' counts.

    Args:
        canary: The new version.
        baseline: The version beside it.
        extra: By the name of a metric of the user's own: the canary's counts, then the baseline's.
    """

    canary: ArmTick
    baseline: ArmTick
    extra: Mapping[str, tuple[ArmTick, ArmTick]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, eq=False)
class ExtraCounts:
    """What both arms counted of a metric of the user's own, tick by tick.

    Args:
        edges_ms: [B-1] upper edges of a histogram's buckets, ascending; None for a ratio, whose `requests` are all
            events, whose `errors` are the bad ones, and whose `latency` nobody reads.
        canary: The new version.
        baseline: The version beside it.

    Raises:
        ValueError: The arms' shapes differ, edges are not ascending or do not fit the buckets; all mistakes are listed.
    """

    edges_ms: Floats | None
    canary: ArmCounts
    baseline: ArmCounts

    def __post_init__(self) -> None:
        refuse(self)
        if self.edges_ms is not None:
            object.__setattr__(self, "edges_ms", np.asarray(self.edges_ms, dtype=np.float64))

    def mistakes(self) -> Iterator[str]:
        """Yield one sentence per mistake."""
        if self.edges_ms is not None:
            yield from _bucket_mistakes(self.edges_ms, self.canary, self.baseline)
        yield from _tick_mistakes(self.canary, self.baseline)


@dataclass(frozen=True, kw_only=True, eq=False)
class History:
    """Both arms over the same ticks.

    Args:
        tick_seconds: Length of a tick.
        edges_ms: [B-1] upper edges of the latency buckets, milliseconds, ascending; the last bucket is +Inf.
        canary: The new version.
        baseline: The version beside it.
        extra: Counts of the user's own metrics over the same ticks, by the name of their `MetricRule`.

    Raises:
        ValueError: The arms' shapes differ, edges are not ascending or do not fit the buckets; all mistakes are listed.
    """

    tick_seconds: float
    edges_ms: Floats
    canary: ArmCounts
    baseline: ArmCounts
    extra: Mapping[str, ExtraCounts] = field(default_factory=dict)

    def __post_init__(self) -> None:
        refuse(self)
        object.__setattr__(self, "edges_ms", np.asarray(self.edges_ms, dtype=np.float64))

    def mistakes(self) -> Iterator[str]:
        """Yield one sentence per mistake."""
        yield from not_positive("tick_seconds", self.tick_seconds, "seconds")
        yield from _bucket_mistakes(self.edges_ms, self.canary, self.baseline)
        yield from _tick_mistakes(self.canary, self.baseline)
        for name, counts in self.extra.items():
            if counts.canary.requests.shape != self.canary.requests.shape:
                yield (
                    f"extra.{name}: {counts.canary.requests.size} ticks: "
                    f"give the same ticks as the arms have, {self.canary.requests.size}"
                )

    def picked(self, ticks: Sequence[int]) -> "History":
        """Return the history of some of the ticks, as if there had been no others."""
        extra = {
            name: replace(both, canary=_picked(both.canary, ticks), baseline=_picked(both.baseline, ticks))
            for name, both in self.extra.items()
        }
        return replace(self, canary=_picked(self.canary, ticks), baseline=_picked(self.baseline, ticks), extra=extra)

    def ticks(self) -> Iterator[Tick]:
        """Yield the ticks in order."""
        return ticks_of(self.canary, self.baseline, self.extra)


def ticks_of(canary: ArmCounts, baseline: ArmCounts, extra: Mapping[str, ExtraCounts]) -> Iterator[Tick]:
    """Yield the ticks in order, of counts whose shapes agree as those of a `History` do."""
    for t in range(canary.requests.size):
        yield Tick(
            canary=_row(canary, t),
            baseline=_row(baseline, t),
            extra={name: (_row(both.canary, t), _row(both.baseline, t)) for name, both in extra.items()},
        )


def _bucket_mistakes(edges_ms: Floats, canary: ArmCounts, baseline: ArmCounts) -> Iterator[str]:
    """Yield one sentence per mistake in the edges, and per arm that has another number of buckets."""
    yield from edge_mistakes(edges_ms)
    buckets = np.asarray(edges_ms).size + 1
    for name, arm in (("canary", canary), ("baseline", baseline)):
        if arm.latency.shape[1] != buckets:
            yield f"{name}.latency: {arm.latency.shape[1]} buckets: give {buckets}, one more than edges_ms"


def _tick_mistakes(canary: ArmCounts, baseline: ArmCounts) -> Iterator[str]:
    if canary.requests.shape != baseline.requests.shape:
        ticks = f"{canary.requests.size} and {baseline.requests.size} ticks"
        yield f"canary, baseline: {ticks}: give both arms the same ticks"


def edge_mistakes(edges_ms: Floats) -> Iterator[str]:
    """Yield one sentence per mistake in the upper edges of a latency histogram."""
    edges = np.asarray(edges_ms)
    if edges.ndim != 1 or not (_numeric(edges) or edges.size == 0):
        yield f"edges_ms: value of shape {edges.shape} and type {edges.dtype}: give a flat list of milliseconds"
        return
    if edges.size and not (np.all(np.isfinite(edges)) and edges.min() > 0):
        yield "edges_ms: value not finite or not above 0: list only finite upper edges; the bucket +Inf is implied"
    elif np.any(np.diff(edges) <= 0):
        yield f"edges_ms: value {edges.tolist()!r}: list the edges in ascending order, each once"


def _picked(arm: ArmCounts, ticks: Sequence[int]) -> ArmCounts:
    rows = list(ticks)
    return ArmCounts(requests=arm.requests[rows], errors=arm.errors[rows], latency=arm.latency[rows])


def _row(arm: ArmCounts, t: int) -> ArmTick:
    return ArmTick(requests=int(arm.requests[t]), errors=int(arm.errors[t]), latency=arm.latency[t])


class Decision(Enum):
    """What to do with the canary."""

    CONTINUE = "continue"
    """Not decided yet: go on."""
    ABORT = "abort"
    """Worse than tolerated."""
    HEALTHY = "healthy"
    """Shown to be within tolerance in every metric."""
    INCONCLUSIVE = "inconclusive"
    """Too few requests to say anything."""


class MetricState(Enum):
    """What is known about one metric."""

    DEGRADED = "degraded"
    HEALTHY = "healthy"
    UNDECIDED = "undecided"
    NO_DATA = "no_data"


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A figure with its 95 % interval, valid at all ticks together; `high` may be infinite."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class MetricVerdict:
    """One metric of the canary against the baseline.

    Args:
        name: `errors`, or `latency_p50`, `latency_p90`, ...
        state: What has been shown.
        effect: Errors: difference of the error rates. Latency: ratio of the quantiles. NaN without data.
        low: Lower end of the 95 % interval, valid at all ticks together.
        high: Upper end: how bad it could still be.
        evidence_against: Log wealth of the bet that the canary is beyond tolerance, in units of what aborts: 1 aborts.
        evidence_for: Log wealth of the bet that it is within tolerance, in units of what shows it: 1 shows it.
        n_canary: Requests of the canary that counted.
        n_baseline: Requests of the baseline that counted.
        reason: The same in a sentence.
        ratio: Errors and other shares: canary's over baseline's, beside the difference.
    """

    name: str
    state: MetricState
    effect: float
    low: float
    high: float
    evidence_against: float
    evidence_for: float
    n_canary: int
    n_baseline: int
    reason: str
    ratio: Interval | None = None


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The judge's answer.

    Args:
        decision: What to do.
        metrics: One verdict per metric: errors first, then the latency quantiles in ascending order.
        reason: Why, in plain words.
        tick: The first tick (from 0) at which the decision was reached; -1 before any tick.
    """

    decision: Decision
    metrics: tuple[MetricVerdict, ...]
    reason: str
    tick: int

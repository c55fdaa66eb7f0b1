"""From raw counter samples to what was counted in each tick.

A Prometheus counter only grows, save for resets to zero when its process restarts. What happened in a tick is the
difference between the value at its end and the value at its beginning, where *the value at t* is the last sample at or
before t. Differences taken so telescope: however the boundaries fall, the ticks add up to the whole, and what a gap hid
is counted by the first sample after it.

`increase()` of PromQL is no substitute: it extrapolates, and it misses all that was counted before a series' first
sample, which for a canary (all of whose series are new) is exactly where its errors are.
See https://prometheus.io/docs/concepts/metric_types/#counter
and https://prometheus.io/docs/prometheus/latest/querying/functions/#increase
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf, isnan
from operator import itemgetter
from types import MappingProxyType
from typing import NamedTuple, Self

_BY_TIME = itemgetter(0)
_LARGEST = 2.0**53
"""What counts one by one in a 64-bit float, as all of Prometheus' counters, stops here."""


class ImpossibleCounterError(ValueError):
    """A value that no counter can have; the message says which counter has it."""


class Series(NamedTuple):
    """Raw samples of one counter.

    Attributes:
        key: What tells it from other counters, for instance its labels.
        points: Pairs of unix seconds and value.
    """

    key: Hashable
    points: Sequence[tuple[float, float]]


class Increment(NamedTuple):
    """What the counter `key` counted in each interval: `counts` has one entry per interval."""

    key: Hashable
    counts: Sequence[float]


class Sample(NamedTuple):
    """One reading of a counter: unix seconds and value."""

    time: float
    value: float


@dataclass(frozen=True, kw_only=True)
class CounterState:
    """All that must be remembered between two calls of `advance`.

    Attributes:
        start: Unix seconds from which anything counts.
        boundary: Unix seconds up to which everything has been counted.
        last: For every counter seen so far the last sample that was counted.
        watched: Whether somebody was taking samples at `start`. If so, a series first seen later began at 0; if not,
            its first sample may hold a week of history, so that it is only a point to count from.
    """

    start: float
    boundary: float
    last: Mapping[Hashable, Sample]
    watched: bool

    @classmethod
    def begin(cls, start: float, *, watched: bool = True) -> Self:
        """Return the state of one who begins to count at `start` (unix seconds) and has seen nothing yet."""
        return cls(start=start, boundary=start, last=MappingProxyType({}), watched=watched)

    def counted(self, key: Hashable) -> float:
        """Return unix seconds of the sample that a counter is counted from, where it has one of that time or before."""
        last = self.last.get(key)
        return self.start if last is None else last.time

    @property
    def newest(self) -> float | None:
        """Unix seconds of the newest sample counted, None before the first."""
        return max((sample.time for sample in self.last.values()), default=None)


def advance(
    state: CounterState, series: Iterable[Series], boundaries: Sequence[float]
) -> tuple[CounterState, tuple[Increment, ...]]:
    """Count what happened in each interval (boundaries[i], boundaries[i + 1]].

    Samples that were counted before are passed over, so windows may overlap; samples after the last boundary are left
    for the next call; samples that arrive late (they lie before the first boundary but were not there last time) count
    in the first interval. A series that was away goes on from its last value. A value lower than the one before it is a
    reset: the counter began again at 0.

    Two Prometheus servers that answer in turn are followed as one.

    Args:
        state: Where the last call stopped.
        series: Samples, those of each in ascending order. Series with equal keys are one series.
        boundaries: At least two ascending times in unix seconds, the first of them `state.boundary`.

    Returns:
        The state at the last boundary, and for each series that was given its increments.

    Raises:
        ImpossibleCounterError: A value is negative, or too large to be counted to.
        ValueError: The boundaries do not ascend from `state.boundary`.
    """
    _check(state, boundaries)
    ends = boundaries[1:]
    last = dict(state.last)
    increments = []
    for key, points in _merged(series).items():
        base = last.get(key) or _base(state, points)
        try:
            newest, counts = _counted(base, points, ends)
        except ImpossibleCounterError as error:
            raise ImpossibleCounterError(f"{key} stands at {error}, where no counter can") from error
        increments.append(Increment(key, counts))
        if newest.time > -inf:
            last[key] = newest
    watched = state.watched or bool(last)
    return CounterState(start=state.start, boundary=ends[-1], last=last, watched=watched), tuple(increments)


def _check(state: CounterState, boundaries: Sequence[float]) -> None:
    if len(boundaries) < 2 or any(later <= earlier for earlier, later in pairwise(boundaries)):
        raise ValueError(f"boundaries: must be at least two ascending times, not {list(boundaries)}")
    if boundaries[0] != state.boundary:
        raise ValueError(
            f"boundaries: must go on from {state.boundary}, where counting stopped, not from {boundaries[0]}"
        )


def _merged(series: Iterable[Series]) -> dict[Hashable, Sequence[tuple[float, float]]]:
    """Return the points of each counter, ascending."""
    merged: dict[Hashable, Sequence[tuple[float, float]]] = {}
    for key, points in series:
        before = merged.setdefault(key, points)
        if before is not points:
            merged[key] = sorted([*before, *points], key=_BY_TIME)
    return merged


def _base(state: CounterState, points: Sequence[tuple[float, float]]) -> Sample:
    """Return what a series seen for the first time counts from: its value at the start, and 0 if it began later."""
    numbers = [(time, value) for time, value in points if not isnan(value)]
    before = [point for point in numbers if point[0] <= state.start]
    if before:
        return Sample(time=before[-1][0], value=before[-1][1])
    unknown = not state.watched and numbers
    return Sample(time=-inf, value=numbers[0][1] if unknown else 0.0)


def _counted(
    base: Sample, points: Sequence[tuple[float, float]], ends: Sequence[float]
) -> tuple[Sample, Sequence[float]]:
    """Return the last sample up to the last end and the growth per interval; plain Python, for points are few.

    Where the sample counted last is not among the points, the other Prometheus of a pair behind one address answered.
    What both saw nearly at once can then stand in the wrong order, which is no reset: a real one still shows in the
    next sample.
    """
    counts, end = [0.0] * len(ends), ends[-1]
    seen, reached = base
    if not 0 <= reached <= _LARGEST:
        raise ImpossibleCounterError(f"{reached:g}")
    previous = inf
    for time, value in points:
        before, previous = previous, time
        if time <= seen:
            continue
        if time > end:
            break
        if not 0 <= value <= _LARGEST:
            if isnan(value):  # so Prometheus ends a series
                continue
            raise ImpossibleCounterError(f"{value:g}")
        if value < reached and before < seen:
            continue
        counts[bisect_left(ends, time)] += value if value < reached else value - reached
        seen, reached = time, value
    return Sample(seen, reached), counts

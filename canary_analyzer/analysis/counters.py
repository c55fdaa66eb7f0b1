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

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from types import MappingProxyType
from typing import Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Identity = frozenset[tuple[str, str]]


@dataclass(frozen=True, kw_only=True)
class Series:
    """Raw samples of one counter: its labels, and points of (unix seconds, value)."""

    labels: Mapping[str, str]
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True, kw_only=True)
class Increment:
    """What one counter counted in each interval: `counts` has one entry per interval."""

    labels: Mapping[str, str]
    counts: Floats


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One reading of a counter: unix seconds and value."""

    time: float
    value: float


@dataclass(frozen=True, kw_only=True)
class CounterState:
    """All that must be remembered between two calls of `advance`.

    Attributes:
        start: Unix seconds from which anything counts.
        boundary: Unix seconds up to which everything has been counted.
        last: For every series seen so far the last sample that was counted.
        watched: Whether somebody was taking samples at `start`. If so, a series first seen later began at 0; if not,
            its first sample may hold a week of history, so that it is only a point to count from.
    """

    start: float
    boundary: float
    last: Mapping[Identity, Sample]
    watched: bool

    @classmethod
    def begin(cls, start: float, *, watched: bool = True) -> Self:
        """Return the state of one who begins to count at `start` (unix seconds) and has seen nothing yet."""
        return cls(start=start, boundary=start, last=MappingProxyType({}), watched=watched)

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

    Args:
        state: Where the last call stopped.
        series: Samples, in any order. Series with equal labels are one series.
        boundaries: At least two ascending times in unix seconds, the first of them `state.boundary`.

    Returns:
        The state at the last boundary, and for each series that was given its increments.

    Raises:
        ValueError: The boundaries do not ascend from `state.boundary`.
    """
    _check(state, boundaries)
    last = dict(state.last)
    increments = []
    for labels, points in _merged(series):
        identity = frozenset(labels.items())
        times, values = _until(points, boundaries[-1])
        base = last.get(identity) or _base(state, times, values)
        increments.append(Increment(labels=labels, counts=_counts(base, times, values, boundaries)))
        if times.size:
            last[identity] = _latest(base, times, values)
    watched = state.watched or bool(last)
    return CounterState(start=state.start, boundary=boundaries[-1], last=last, watched=watched), tuple(increments)


def _check(state: CounterState, boundaries: Sequence[float]) -> None:
    if len(boundaries) < 2 or any(later <= earlier for earlier, later in pairwise(boundaries)):
        raise ValueError(f"boundaries: must be at least two ascending times, not {list(boundaries)}")
    if boundaries[0] != state.boundary:
        raise ValueError(
            f"boundaries: must go on from {state.boundary}, where counting stopped, not from {boundaries[0]}"
        )


def _merged(series: Iterable[Series]) -> Iterable[tuple[Mapping[str, str], Sequence[tuple[float, float]]]]:
    groups: dict[Identity, list[Series]] = {}
    for one in series:
        groups.setdefault(frozenset(one.labels.items()), []).append(one)
    for group in groups.values():
        yield group[0].labels, group[0].points if len(group) == 1 else list(chain(*(one.points for one in group)))


def _until(points: Sequence[tuple[float, float]], end: float) -> tuple[Floats, Floats]:
    """Return times and values up to `end`, ascending, each time once, without NaN (how Prometheus ends a series)."""
    table = np.asarray(points, dtype=float).reshape(-1, 2)
    table = table[~np.isnan(table[:, 1]) & (table[:, 0] <= end)]
    times, index = np.unique(table[:, 0], return_index=True)
    return times, table[index, 1]


def _base(state: CounterState, times: Floats, values: Floats) -> Sample:
    """Return what a series seen for the first time counts from."""
    before = int(np.searchsorted(times, state.start, side="right"))
    if before:
        return Sample(time=float(times[before - 1]), value=float(values[before - 1]))
    unknown = not state.watched and times.size
    return Sample(time=-np.inf, value=float(values[0]) if unknown else 0.0)


def _counts(base: Sample, times: Floats, values: Floats, boundaries: Sequence[float]) -> Floats:
    new = times > base.time
    reached = values[new]
    growth = np.diff(reached, prepend=base.value)
    interval = np.searchsorted(np.asarray(boundaries[1:]), times[new], side="left")
    counts = np.zeros(len(boundaries) - 1)
    np.add.at(counts, interval, np.where(growth < 0, reached, growth))
    return counts


def _latest(base: Sample, times: Floats, values: Floats) -> Sample:
    return Sample(time=float(times[-1]), value=float(values[-1])) if times[-1] > base.time else base

"""Classic histograms: cumulative bucket counters of many sources become counts between edges; pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence, Set
from operator import add
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from canary_analyzer.analysis.counters import Increment

Edges = tuple[float, ...]


class UnreadableHistogramError(ValueError):
    """Buckets from which no histogram can be made; the message says which and why."""


class Bucket(NamedTuple):
    """Which bucket counter: of what source (all labels but `le`, in words), up to which edge."""

    source: str
    edge: float

    def __str__(self) -> str:
        return f"the bucket up to {self.edge:g} ms of {self.source}"


def in_words(labels: Mapping[str, str]) -> str:
    """Return a text that the same labels, and no others, have: what is looked up often is one string with one hash."""
    return json.dumps(labels, sort_keys=True, ensure_ascii=False)


def bucket(source: str, le: str | None, unit_ms: float) -> Bucket:
    """Return the bucket whose upper edge is `le`, in a unit of so many milliseconds.

    Raises:
        UnreadableHistogramError: It has no edge, or none that is a number.
    """
    try:
        # 0.005 s are 5 ms, not 5.000000000000001.
        return Bucket(source=source, edge=float(f"{float(le or '') * unit_ms:.9g}"))
    except ValueError as error:
        raise UnreadableHistogramError(f"the histogram {source} has a bucket with le={le!r}") from error


def common_edges(buckets: Iterable[Bucket]) -> Edges | None:
    """Return the edges that all histograms have, in the order of size, None where there is no histogram.

    Bucket counters are cumulative, so what lies below a common edge is known for every histogram, whatever other edges
    it has.
    """
    edges: dict[str, set[float]] = {}
    for one in buckets:
        edges.setdefault(one.source, set()).add(one.edge)
    if not edges:
        return None
    return tuple(sorted(edge for edge in set.intersection(*edges.values()) if 0 < edge < np.inf))


def between_edges(increments: Iterable[Increment], edges: Edges, ticks: int) -> NDArray[np.int64]:
    """Return int[ticks, buckets]: the increments of `Bucket` counters, summed over their sources, not cumulative.

    Raises:
        UnreadableHistogramError: A histogram lacks one of the edges, or the bucket +Inf.
    """
    rows = {edge: [0.0] * ticks for edge in (*edges, np.inf)}
    seen: dict[str, list[float]] = {}
    for one in increments:
        key = one.key
        if isinstance(key, Bucket) and (row := rows.get(key.edge)) is not None:
            seen.setdefault(key.source, []).append(key.edge)
            row[:] = map(add, row, one.counts)
    _check(seen, rows.keys())
    # A restart shows only in buckets that are now lower than before it; the others would leave a negative difference.
    ascending = np.maximum.accumulate(np.rint(list(rows.values())), axis=0)
    ascending[1:] -= ascending[:-1].copy()
    return ascending.astype(np.int64).T


def _check(seen: Mapping[str, Sequence[float]], wanted: Set[float]) -> None:
    for source, edges in seen.items():
        if len(edges) < len(wanted):
            missing = sorted(wanted - set(edges))
            raise UnreadableHistogramError(f"the histogram {source} lacks the buckets le={missing}")

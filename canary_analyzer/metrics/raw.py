"""A range answer of Prometheus, taken apart without decoding it.

Labels are most of an answer, and they are the same at every tick; so they stay bytes until somebody wants them, and so
do the points that were counted before. Only the layout that all known servers write is understood here (no white space,
`values` after `metric`). No text inside a string can look like it, since quotes in strings are escaped. Whatever looks
different is decoded as JSON.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from math import inf
from typing import Any, NamedTuple, Self

_SUCCESS, _RESULT = b'"status":"success"', b'"resultType":"matrix","result":['
_METRIC, _VALUES, _END = b'{"metric":', b',"values":[[', b"]]"


class NotPrometheusError(ValueError):
    """An answer of somebody else."""


class RefusedError(ValueError):
    """An answer that says why there is none, in Prometheus' own words."""


class UnreadableSeriesError(ValueError):
    """A series that is not as Prometheus writes it; the message says which."""


class RawSeries(NamedTuple):
    """A series as Prometheus gives it: a JSON object of labels, and points, each `seconds,"value"`, between `],[`."""

    metric: bytes
    values: bytes

    @classmethod
    def of(cls, series: Any) -> Self:
        """Take it from an answer that was decoded.

        Raises:
            NotPrometheusError: It has no labels, or what should be its points is no list.
        """
        match series:
            case {"metric": dict(metric)} if isinstance(points := series.get("values", []), list):
                values = json.dumps(points, separators=(",", ":"))
            case _:
                raise NotPrometheusError
        return cls(json.dumps(metric).encode(), values[2:-2].encode())

    @property
    def labels(self) -> dict[str, str]:
        """The labels by name.

        Raises:
            UnreadableSeriesError: They are no texts.
        """
        try:
            labels = json.loads(self.metric)
            if isinstance(labels, dict) and all(isinstance(value, str) for value in labels.values()):
                return labels
        except (ValueError, RecursionError):
            pass
        raise UnreadableSeriesError(f"Prometheus has a series whose labels cannot be read: {_shown(self.metric)}")

    @property
    def digest(self) -> int:
        """What stands for the labels where many are remembered.

        64 bits by a key of this process: of a million series two have the same with a chance of 3 in 100 million.
        """
        return hash(self.metric)

    def since(self, time: float) -> Sequence[tuple[float, float]]:
        """Return the points (unix seconds, value; ascending) after a time, and the last one before them.

        That one shows how fresh the series is, and how far apart its samples are.

        Raises:
            UnreadableSeriesError: A point is none.
        """
        found = []
        rest, at = self.values, inf
        try:
            while rest and at > time:
                rest, _, point = rest.rpartition(b"],[")
                when, _, value = point.partition(b',"')
                at = float(when)
                found.append((at, float(value[:-1])))
        except ValueError as error:
            raise UnreadableSeriesError(
                f"Prometheus has the sample [{_shown(point)}], which is none, of {_shown(self.metric)}"
            ) from error
        found.reverse()
        return found


class Answer(NamedTuple):
    """What kind of result a query has ("matrix" with points, "vector" without), and its series."""

    kind: str
    series: list[RawSeries]


def answered(body: bytes) -> Answer:
    """Return what Prometheus answered to a query.

    Raises:
        NotPrometheusError: This is no answer of Prometheus.
        RefusedError: It is one, without a result.
    """
    series = taken_apart(body)
    return _decoded(body) if series is None else Answer("matrix", series)


def _decoded(body: bytes) -> Answer:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise NotPrometheusError from error
    match answer:
        case {"status": "success", "data": {"resultType": "matrix" | "vector" as kind, "result": list(series)}}:
            return Answer(kind, [RawSeries.of(one) for one in series])
        case {"status": "error", "error": str(reason)}:
            raise RefusedError(reason)
        case _:
            raise NotPrometheusError


def _shown(text: bytes) -> str:
    """Return the beginning of what may be anything."""
    return text[:200].decode(errors="replace")


def taken_apart(body: bytes) -> list[RawSeries] | None:
    """Return the series of an answer, or None where it is laid out in a way that is not known here."""
    head, *parts = body.split(_METRIC)
    before, found, first = head.partition(_RESULT)
    if not found or _SUCCESS not in before or first != (b"" if parts else b"]}}"):
        return None
    series = []
    for number, part in enumerate(parts, start=1):
        metric, _, rest = part.partition(_VALUES)
        values, _, after = rest.partition(_END)
        if after != b"}," and not (number == len(parts) and after.startswith(b"}]}")):
            return None
        series.append(RawSeries(metric, values))
    return series

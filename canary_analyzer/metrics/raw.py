"""A range answer of Prometheus, taken apart without decoding it.

Labels are most of an answer, and they are the same at every tick; so they stay bytes until somebody wants them, and so
do the points that were counted before. Only the layout that all known servers write is understood here (no white space,
`values` after `metric`). No text inside a string can look like it, since quotes in strings are escaped. Whatever looks
different is decoded as JSON.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from math import inf
from typing import Any, NamedTuple, Self

_RESULT, _METRIC, _VALUES, _END = b'"resultType":"matrix","result":[', b'{"metric":', b',"values":[[', b"]]"


class RawSeries(NamedTuple):
    """A series as Prometheus gives it: a JSON object of labels, and points, each `seconds,"value"`, between `],[`."""

    metric: bytes
    values: bytes

    @classmethod
    def of(cls, series: Mapping[str, Any]) -> Self:
        """Take it from an answer that was decoded."""
        values = json.dumps(series.get("values", []), separators=(",", ":"))
        return cls(json.dumps(series["metric"]).encode(), values[2:-2].encode())

    @property
    def labels(self) -> dict[str, str]:
        """The labels by name."""
        labels: dict[str, str] = json.loads(self.metric)
        return labels

    @property
    def digest(self) -> int:
        """What stands for the labels where many are remembered.

        64 bits by a key of this process: of a million series two have the same with a chance of 3 in 100 million.
        """
        return hash(self.metric)

    def since(self, time: float) -> Sequence[tuple[float, float]]:
        """Return the points (unix seconds, value; ascending) after a time, and the last one before them.

        That one shows how fresh the series is, and how far apart its samples are.
        """
        found = []
        rest, at = self.values, inf
        while rest and at > time:
            rest, _, point = rest.rpartition(b"],[")
            when, _, value = point.partition(b",")
            at = float(when)
            found.append((at, float(value[1:-1])))
        found.reverse()
        return found


def taken_apart(body: bytes) -> list[RawSeries] | None:
    """Return the series of an answer, or None where it is laid out in a way that is not known here."""
    head, *parts = body.split(_METRIC)
    _, found, first = head.partition(_RESULT)
    if not found or first not in (b"", b"]}}"):
        return None
    series = []
    for number, part in enumerate(parts, start=1):
        metric, _, rest = part.partition(_VALUES)
        values, _, after = rest.partition(_END)
        if after != b"}," and not (number == len(parts) and after.startswith(b"}]}")):
            return None
        series.append(RawSeries(metric, values))
    return series

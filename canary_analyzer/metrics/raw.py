"""A range answer of Prometheus, taken apart without decoding it.

Labels are most of an answer, and they are the same at every tick; so they stay text until somebody wants them. Only
the layout that all known servers write is understood here (no white space, `values` after `metric`). No text inside a
string can look like it, since quotes in strings are escaped. Whatever looks different is decoded as JSON.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

_RESULT, _METRIC, _VALUES, _END = '"resultType":"matrix","result":[', '{"metric":', ',"values":[[', "]]"


@dataclass(frozen=True, slots=True)
class RawSeries:
    """A series as Prometheus gives it, as JSON: an object of labels, and an array of points."""

    metric: str
    values: str

    @classmethod
    def of(cls, series: Mapping[str, Any]) -> Self:
        """Take it from an answer that was decoded."""
        return cls(json.dumps(series["metric"]), json.dumps(series.get("values", [])))

    @property
    def labels(self) -> dict[str, str]:
        """The labels by name."""
        labels: dict[str, str] = json.loads(self.metric)
        return labels

    @property
    def points(self) -> Sequence[tuple[float, str]]:
        """Unix seconds, ascending, and the value in words."""
        points: Sequence[tuple[float, str]] = json.loads(self.values)
        return points

    @property
    def digest(self) -> bytes:
        """What stands for the labels where many are remembered."""
        return hashlib.blake2b(self.metric.encode(), digest_size=16).digest()


def taken_apart(body: bytes) -> list[RawSeries] | None:
    """Return the series of an answer, or None where it is laid out in a way that is not known here."""
    _, found, result = body.decode().partition(_RESULT)
    first, *parts = result.split(_METRIC)
    if not found or first not in ("", "]}}"):
        return None
    series = []
    for number, part in enumerate(parts, start=1):
        metric, _, rest = part.partition(_VALUES)
        values, _, after = rest.partition(_END)
        if after != "}," and not (number == len(parts) and after.startswith("}]}")):
            return None
        series.append(RawSeries(metric, f"[[{values}{_END}"))
    return series

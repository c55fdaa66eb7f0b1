"""The queries: plain selectors, so that nothing between Prometheus and us extrapolates or aggregates."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from canary_analyzer.metrics.pairs import Arm, Pair
from canary_analyzer.metrics.replicas import REPLICA_LABELS

# VictoriaMetrics takes queries of at most 16 kB. So many pairs keep an answer at some ten megabytes.
QUERY_CHARACTERS = 15_000
QUERY_PAIRS = 200
_META = re.compile(r"[\\.+*?()|\[\]{}^$]")


class Role(StrEnum):
    """What a counter counts."""

    TOTAL = "total"
    BAD = "bad"
    GOOD = "good"
    BUCKET = "histogram"


class Part(NamedTuple):
    """One family of counters of an arm: of a user's metric, or, without a name, of the mesh itself."""

    arm: Arm
    role: Role
    metric: str = ""


@dataclass(frozen=True, kw_only=True)
class Query:
    """One question to Prometheus, for any number of pairs.

    Attributes:
        selector: Which series.
        owners: For whom, and as what, a series with the given labels counts.
        unit_ms: Milliseconds in one unit of the label `le`.
        lasting: Whether a series goes on to count for whom it counts now, as long as no two pairs have an addressee in
            common.
        replica_labels: Labels that tell the replicas of Prometheus apart, and nothing else.
        pairs: Whom alone it concerns when it fails; nobody in particular: all.
    """

    selector: str
    owners: Callable[[Mapping[str, str]], Iterable[tuple[Pair, Part]]]
    unit_ms: float = 1.0
    lasting: bool = False
    replica_labels: Collection[str] = REPLICA_LABELS
    pairs: tuple[Pair, ...] = ()


def matcher(label: str, values: Collection[str]) -> str:
    """Return a PromQL matcher for a label that has one of `values`, whatever characters they contain.

    Strings are quoted as in Go (of which JSON's quoting is a part), regular expressions are RE2 and always anchored:
    https://prometheus.io/docs/prometheus/latest/querying/basics/#string-literals.
    """
    if len(values) == 1:
        return f"{label}={quoted(*values)}"
    return f"{label}=~{quoted('|'.join(escaped(value) for value in sorted(values)))}"


def quoted(text: str) -> str:
    """Return the text as a string literal of PromQL."""
    return json.dumps(text, ensure_ascii=False)


def escaped(text: str) -> str:
    """Return a regular expression that the text, and nothing else, matches."""
    return _META.sub(lambda found: f"\\{found.group()}", text)


def chunked(pairs: Iterable[Pair], query: Callable[[Sequence[Pair]], Query]) -> Iterator[Query]:
    """Return as few queries as together cover the pairs, none of them too long; `query` makes one for some pairs."""
    ordered = sorted(pairs, key=lambda pair: (pair.baseline.namespace, pair.baseline.name))
    for at in range(0, len(ordered), QUERY_PAIRS):
        yield from _halved(ordered[at : at + QUERY_PAIRS], query)


def _halved(pairs: Sequence[Pair], query: Callable[[Sequence[Pair]], Query]) -> Iterator[Query]:
    whole = query(pairs)
    if len(pairs) == 1 or len(whole.selector) <= QUERY_CHARACTERS:
        yield whole
        return
    middle = len(pairs) // 2
    yield from _halved(pairs[:middle], query)
    yield from _halved(pairs[middle:], query)

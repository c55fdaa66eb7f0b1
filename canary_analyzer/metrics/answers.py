"""What Prometheus answered for many pairs, told apart and cut down to what has not been counted yet."""

from __future__ import annotations

import sys
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain

from canary_analyzer.analysis.counters import Series, unseen
from canary_analyzer.metrics.client import PrometheusReader, RawSeries
from canary_analyzer.metrics.histograms import bucket
from canary_analyzer.metrics.pairs import Pair
from canary_analyzer.metrics.promql import Part, Query, Role
from canary_analyzer.metrics.replicas import REPLICA_LABELS, Copy, replica_of
from canary_analyzer.metrics.tally import PairState

_NOT_OF_THE_KEY = frozenset({"le", *REPLICA_LABELS})


@dataclass(frozen=True, kw_only=True, slots=True)
class PairAnswer:
    """What is new of one pair since `state`."""

    state: PairState
    samples: dict[Part, list[Copy]] = field(default_factory=dict)


def ask(
    prometheus: PrometheusReader,
    queries: Iterable[Query],
    states: Mapping[Pair, PairState],
    *,
    since: float,
    at: float,
) -> dict[Pair, PairAnswer]:
    """Return for each pair what Prometheus has of it from `since` to `at` (unix seconds) and its state has not counted.

    An answer is large (labels alone take a kilobyte a series), what is kept of it small; so they are taken one by one.

    Raises:
        MetricsUnavailable: A query was not answered in full.
        UnreadableHistogramError: A bucket without an edge.
    """
    answers = {pair: PairAnswer(state=state) for pair, state in states.items()}
    for query in queries:
        for raw in prometheus.points(query.selector, at=at, window_seconds=at - since):
            _sort_in(answers, query, raw)
    return answers


def _sort_in(answers: Mapping[Pair, PairAnswer], query: Query, raw: RawSeries) -> None:
    owners = list(query.owners(raw.labels))
    if not owners:
        return
    key = _key(raw.labels, owners[0][1].role, query.unit_ms)
    series, replica = Series(key=key, points=raw.points), sys.intern(replica_of(raw.labels))
    for pair, part in owners:
        answer = answers[pair]
        copy = Copy(replica=replica, series=unseen(answer.state.counter(part), series))
        answer.samples.setdefault(part, []).append(copy)


def _key(labels: Mapping[str, str], role: Role, unit_ms: float) -> Hashable:
    source = _identity(labels)
    return bucket(source, labels.get("le"), unit_ms) if role is Role.BUCKET else source


def _identity(labels: Mapping[str, str]) -> tuple[str, ...]:
    """Return the labels as one flat tuple of few bytes: the same few strings make up all series of a mesh."""
    pairs = sorted(pair for pair in labels.items() if pair[0] not in _NOT_OF_THE_KEY)
    return tuple(map(sys.intern, chain.from_iterable(pairs)))

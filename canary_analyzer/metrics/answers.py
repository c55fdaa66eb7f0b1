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
from canary_analyzer.metrics.replicas import Copy, take_replica
from canary_analyzer.metrics.tally import PairState


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
    owners = tuple(query.owners(raw.labels))
    if not owners:
        return
    replica, key = _take_apart(raw.labels, owners[0][1].role, query.unit_ms)
    for pair, part in owners:
        answer = answers[pair]
        fresh = unseen(answer.state.counter(part), key, raw.points)
        series = Series(key=key, points=[(time, float(value)) for time, value in fresh])
        answer.samples.setdefault(part, []).append(Copy(replica=replica, series=series))


def _take_apart(labels: dict[str, str], role: Role, unit_ms: float) -> tuple[str, Hashable]:
    """Return which replica of Prometheus a series is from, and what it counts; what is only of the one is taken out.

    The key is one flat tuple, of few bytes, since the same few strings make up the labels of all series of a mesh.
    """
    replica, le = take_replica(labels), labels.pop("le", None)
    source = tuple(map(sys.intern, chain.from_iterable(sorted(labels.items()))))
    return replica, bucket(source, le, unit_ms) if role is Role.BUCKET else source

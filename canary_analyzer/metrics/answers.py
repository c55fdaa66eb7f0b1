"""What Prometheus answered for many pairs, told apart and cut down to what has not been counted yet."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from canary_analyzer.analysis.counters import Series
from canary_analyzer.metrics.client import MetricsUnavailable, PrometheusReader, Unanswered
from canary_analyzer.metrics.histograms import Bucket, UnreadableHistogramError, bucket, in_words
from canary_analyzer.metrics.pairs import Pair
from canary_analyzer.metrics.promql import Part, Query, Role
from canary_analyzer.metrics.raw import RawSeries, UnreadableSeriesError
from canary_analyzer.metrics.replicas import Copy, take_replica
from canary_analyzer.metrics.tally import MESH_TOTALS, PairState


@dataclass(frozen=True, kw_only=True, slots=True)
class PairAnswer:
    """What is new of one pair since `state`; `trouble` says why it is not all, where something concerns it alone."""

    state: PairState
    samples: dict[Part, list[Copy]] = field(default_factory=dict)
    trouble: str = ""

    @property
    def newest(self) -> float | None:
        """Unix seconds of the newest counter of requests, counted or not, None where there is none."""
        copies = (copy for part in MESH_TOTALS for copy in self.samples.get(part, ()))
        times = [self.state.newest, *(copy.series.points[-1][0] for copy in copies if copy.series.points)]
        return max((time for time in times if time is not None), default=None)


Answers = dict[Pair, PairAnswer]

Owned = tuple[Pair, tuple[Part, ...], str, Hashable]
"""The pair that a series counts for, and as what; the replica of Prometheus that it is from, and what it counts."""


class Known:
    """Whose the series of earlier answers were, so that their labels need not be read again; kept by digests.

    It holds as long as no two pairs have an addressee in common, for then no series counts for two of them.
    """

    def __init__(self) -> None:
        self._owned: dict[int, Owned] = {}
        self._sources: dict[str, str] = {}

    def holds(self, pairs: Collection[Pair]) -> bool:
        """Return whether it may be relied on for these pairs; where not, all is forgotten."""
        addressees = [each for pair in pairs for each in pair.addressees]
        if len(set(addressees)) == len(addressees):
            return True
        self._owned, self._sources = {}, {}
        return False

    def forget(self, pair: Pair) -> None:
        """Forget the series of a pair that is not followed any more."""
        self._owned = {digest: owned for digest, owned in self._owned.items() if owned[0] != pair}
        keys = (owned[3] for owned in self._owned.values())
        self._sources = {key.source: key.source for key in keys if isinstance(key, Bucket)}

    def owned(self, query: Query, raw: RawSeries) -> Sequence[Owned]:
        """Return for whom a series counts."""
        if not query.lasting:
            return _owned(query, raw)
        digest = raw.digest
        if (known := self._owned.get(digest)) is not None:
            return (known,)
        found = [(*owned[:3], self._shared(owned[3])) for owned in _owned(query, raw)]
        if found:
            self._owned[digest] = found[0]
        return found

    def _shared(self, key: Hashable) -> Hashable:
        """Let the buckets of a histogram have one source in common, where each came with its own."""
        if not isinstance(key, Bucket):
            return key
        return key._replace(source=self._sources.setdefault(key.source, key.source))


def ask(
    prometheus: PrometheusReader,
    queries: Sequence[Query],
    answers: Answers,
    *,
    window: tuple[float, float],
    known: Known | None,
) -> None:
    """Put into the answers what Prometheus has of each pair in the window (unix seconds) and its state has not counted.

    An answer is large (labels alone take a kilobyte a series), what is kept of it small; so they are taken one by one.

    Raises:
        MetricsUnavailable: A query that concerns all was not answered in full.
    """
    since, at = window
    for number, query in enumerate(queries):
        try:
            for raw in prometheus.points(query.selector, at=at, window_seconds=at - since):
                _sort_in(answers, query, raw, known)
        except Unanswered as error:  # whoever is asked for after it would wait as long, and all the others with him
            _fail(answers, queries[number:], error)
            return
        except MetricsUnavailable as error:
            _fail(answers, [query], error)


def _fail(answers: Answers, queries: Sequence[Query], error: MetricsUnavailable) -> None:
    """Tell it to those whom the queries concern alone; where they concern all, raise it."""
    if not all(query.pairs for query in queries):
        raise error
    _trouble(answers, [pair for query in queries for pair in query.pairs], error.reason)


def _trouble(answers: Answers, pairs: Iterable[Pair], reason: str) -> None:
    answers |= {pair: replace(answers[pair], trouble=reason) for pair in pairs if pair in answers}


def _sort_in(answers: Answers, query: Query, raw: RawSeries, known: Known | None) -> None:
    """Put a series into the answers of those whom it counts for; one that cannot be read is their trouble only."""
    try:
        for pair, parts, replica, key in known.owned(query, raw) if known is not None else _owned(query, raw):
            if (answer := answers.get(pair)) is None:
                continue  # a query may catch what is another's
            copy = Copy(replica, Series(key, raw.since(answer.state.counter(parts[0]).counted(key))))
            for part in parts:
                answer.samples.setdefault(part, []).append(copy)
    except (UnreadableHistogramError, UnreadableSeriesError) as error:
        _trouble(answers, _whose(query, raw), str(error))


def _whose(query: Query, raw: RawSeries) -> Collection[Pair]:
    try:
        return {pair for pair, _ in query.owners(raw.labels)}
    except UnreadableSeriesError as error:
        raise MetricsUnavailable(str(error)) from error


def _owned(query: Query, raw: RawSeries) -> Sequence[Owned]:
    labels = raw.labels
    parts: dict[Pair, tuple[Part, ...]] = {}
    for pair, part in query.owners(labels):
        parts[pair] = (*parts.get(pair, ()), part)
    if not parts:
        return ()
    role = next(iter(parts.values()))[0].role
    replica, key = _take_apart(labels, role, query)
    return [(pair, each, replica, key) for pair, each in parts.items()]


def _take_apart(labels: dict[str, str], role: Role, query: Query) -> tuple[str, Hashable]:
    """Return which replica of Prometheus a series is from, and what it counts; what is only of the one is taken out."""
    replica, le = take_replica(labels, query.replica_labels), labels.pop("le", None)
    source = in_words(labels)
    return replica, bucket(source, le, query.unit_ms) if role is Role.BUCKET else source

"""What Prometheus answered for many pairs, told apart and cut down to what has not been counted yet."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from canary_analyzer.analysis.counters import Series
from canary_analyzer.metrics.client import PrometheusReader
from canary_analyzer.metrics.histograms import Bucket, bucket, in_words
from canary_analyzer.metrics.pairs import Pair
from canary_analyzer.metrics.promql import Part, Query, Role
from canary_analyzer.metrics.raw import RawSeries
from canary_analyzer.metrics.replicas import Copy, take_replica
from canary_analyzer.metrics.tally import PairState


@dataclass(frozen=True, kw_only=True, slots=True)
class PairAnswer:
    """What is new of one pair since `state`."""

    state: PairState
    samples: dict[Part, list[Copy]] = field(default_factory=dict)


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
    queries: Iterable[Query],
    answers: Mapping[Pair, PairAnswer],
    *,
    window: tuple[float, float],
    known: Known | None,
) -> None:
    """Put into the answers what Prometheus has of each pair in the window (unix seconds) and its state has not counted.

    An answer is large (labels alone take a kilobyte a series), what is kept of it small; so they are taken one by one.

    Raises:
        MetricsUnavailable: A query was not answered in full.
        UnreadableHistogramError: A bucket without an edge.
    """
    since, at = window
    for query in queries:
        for raw in prometheus.points(query.selector, at=at, window_seconds=at - since):
            for owned in known.owned(query, raw) if known is not None else _owned(query, raw):
                if (answer := answers.get(owned[0])) is not None:  # a query may catch what is another's
                    _sort_in(answer, owned, raw)


def _sort_in(answer: PairAnswer, owned: Owned, raw: RawSeries) -> None:
    _, parts, replica, key = owned
    copy = Copy(replica, Series(key, raw.since(answer.state.counter(parts[0]).counted(key))))
    for part in parts:
        answer.samples.setdefault(part, []).append(copy)


def _owned(query: Query, raw: RawSeries) -> Sequence[Owned]:
    labels = raw.labels
    parts: dict[Pair, tuple[Part, ...]] = {}
    for pair, part in query.owners(labels):
        parts[pair] = (*parts.get(pair, ()), part)
    if not parts:
        return ()
    role = next(iter(parts.values()))[0].role
    replica, key = _take_apart(labels, role, query.unit_ms)
    return [(pair, each, replica, key) for pair, each in parts.items()]


def _take_apart(labels: dict[str, str], role: Role, unit_ms: float) -> tuple[str, Hashable]:
    """Return which replica of Prometheus a series is from, and what it counts; what is only of the one is taken out."""
    replica, le = take_replica(labels), labels.pop("le", None)
    source = in_words(labels)
    return replica, bucket(source, le, unit_ms) if role is Role.BUCKET else source

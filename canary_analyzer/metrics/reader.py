"""Samples for many rollouts, at a number of queries that does not grow with them.

Whoever first asks for a timestamp fetches for all pairs that are followed; the others find the answer there. This works
because all rollouts share one grid of ticks: whole multiples of the tick length in unix time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import reduce
from itertools import pairwise
from threading import Lock

from canary_analyzer.analysis.counters import Series
from canary_analyzer.metrics.client import MetricsUnavailable, PrometheusReader
from canary_analyzer.metrics.counts import Counts, join
from canary_analyzer.metrics.istio import Addressee, Pair, addressee
from canary_analyzer.metrics.promql import selectors
from canary_analyzer.metrics.tally import PairSamples, PairState, UnreadableHistogramError, tally

KEPT_ANSWERS = 4


@dataclass(frozen=True, kw_only=True)
class ReaderSettings:
    """How samples are read; all times in seconds.

    Attributes:
        reporter: Whose telemetry: `source` (sidecars and gateways of the callers) sees every request, also those that
            reach nobody; ambient mode has only `waypoint`.
        staleness: A newest sample older than this, than three ticks and than two and a half scrape intervals (as seen
            in the samples) means that Prometheus no longer scrapes.
        lookback: How long before the start a series' last sample may lie; Prometheus' own lookback is 5 minutes.
        lateness: How late a sample may become visible after its time; remote storage takes seconds.
        longest_window: A longer time is read piece by piece, so that no single answer is huge.
    """

    reporter: str = "source"
    staleness: float = 15
    lookback: float = 300
    lateness: float = 60
    longest_window: float = 600


@dataclass(frozen=True, kw_only=True)
class _Answer:
    """What Prometheus said about some pairs over some time, sorted by addressee."""

    pairs: frozenset[Pair]
    since: float
    requests: dict[Addressee, list[Series]]
    buckets: dict[Addressee, list[Series]]

    def covers(self, pair: Pair, since: float) -> bool:
        return pair in self.pairs and self.since <= since

    def of(self, pair: Pair) -> PairSamples:
        return PairSamples(
            requests=[one for addressee in pair.arms for one in self.requests.get(addressee, ())],
            buckets=[one for addressee in pair.arms for one in self.buckets.get(addressee, ())],
        )


class SampleReader:
    """Counts per tick for any number of pairs; safe to use from many threads, one at a time for each pair."""

    def __init__(self, prometheus: PrometheusReader, settings: ReaderSettings | None = None):
        self._prometheus = prometheus
        self._settings = settings or ReaderSettings()
        self._lock = Lock()
        self._states: dict[Pair, PairState] = {}
        self._answers: dict[float, _Answer | MetricsUnavailable] = {}

    def collect(self, pair: Pair, boundaries: Sequence[float]) -> Counts:
        """Return what both arms counted in each interval between `boundaries`.

        What was counted is remembered, so that the next call can go on at the last boundary. A call that begins
        earlier, or for a pair not seen before, reads again from its first boundary. A call that fails changes nothing.

        Args:
            pair: Whose samples.
            boundaries: At least two ascending times in unix seconds, none in the future.

        Raises:
            MetricsUnavailable: Prometheus does not answer, or has no fresh samples of a pair that it had samples of.
        """
        state, skipped = self._resume(pair, boundaries[0])
        grid = [state.boundary, *boundaries] if skipped else list(boundaries)
        state, counts = self._read(pair, state, grid)
        self._refuse_stale(state, grid)
        with self._lock:
            self._states[pair] = state
        return counts.since(1) if skipped else counts

    def forget(self, pair: Pair) -> None:
        """Stop reading for a pair; its rollout is over."""
        with self._lock:
            self._states.pop(pair, None)

    def _resume(self, pair: Pair, start: float) -> tuple[PairState, bool]:
        """Return where to go on counting, and whether that is before `start`."""
        with self._lock:
            state = self._states.get(pair)
        if state and 0 <= start - state.boundary <= self._settings.lookback:
            return state, state.boundary < start
        return PairState.begin(start, watched=self._watched(pair, start)), False

    def _read(self, pair: Pair, state: PairState, grid: Sequence[float]) -> tuple[PairState, Counts]:
        back = self._settings.lookback if state.fresh else self._settings.lateness
        parts = list(_parts(grid, self._settings.longest_window))
        shared = len(parts) == 1 and not state.fresh
        read = []
        for part in parts:
            since, at = part[0] - back, part[-1]
            samples = self._shared(pair, since, at) if shared else self._ask({pair}, since, at).of(pair)
            state, counts = self._tally(pair, state, samples, part)
            read.append(counts)
        return state, reduce(join, read)

    def _tally(
        self, pair: Pair, state: PairState, samples: PairSamples, grid: Sequence[float]
    ) -> tuple[PairState, Counts]:
        try:
            return tally(pair, state, samples, grid, grid[-1] - self._patience(state))
        except UnreadableHistogramError as error:
            raise MetricsUnavailable(str(error)) from error

    def _watched(self, pair: Pair, start: float) -> bool:
        """Return whether Prometheus was taking samples at the start, so that series which came later began at 0."""
        (group,) = selectors([pair], self._settings.reporter)
        return self._prometheus.knew(f"up or {group.requests}", start)

    def _shared(self, pair: Pair, since: float, at: float) -> PairSamples:
        with self._lock:
            answer = self._answers.get(at) or self._fetch_all(at)
        if isinstance(answer, MetricsUnavailable):
            raise MetricsUnavailable(answer.reason) from answer
        if not answer.covers(pair, since):
            answer = self._ask({pair}, since, at)
        return answer.of(pair)

    def _fetch_all(self, at: float) -> _Answer | MetricsUnavailable:
        """Fetch for all pairs that are being followed and remember the answer, be it a failure; needs the lock."""
        followed = {
            pair: state.boundary
            for pair, state in self._states.items()
            if 0 < at - state.boundary <= self._settings.lookback
        }
        answer: _Answer | MetricsUnavailable
        try:
            since = min(followed.values(), default=at) - self._settings.lateness
            answer = self._ask(followed.keys(), since, at)
        except MetricsUnavailable as error:
            answer = error
        kept = sorted(self._answers)[-KEPT_ANSWERS + 1 :]
        self._answers = {time: self._answers[time] for time in kept} | {at: answer}
        return answer

    def _ask(self, pairs: Set[Pair], since: float, at: float) -> _Answer:
        requests: list[Series] = []
        buckets: list[Series] = []
        for group in selectors(pairs, self._settings.reporter):
            for selector, into in ((group.requests, requests), (group.unreached, requests), (group.buckets, buckets)):
                into.extend(self._prometheus.points(selector, at=at, window_seconds=at - since))
        return _Answer(pairs=frozenset(pairs), since=since, requests=_sorted(requests), buckets=_sorted(buckets))

    def _refuse_stale(self, state: PairState, grid: Sequence[float]) -> None:
        newest, now = state.requests.newest, grid[-1]
        tick = min(later - earlier for earlier, later in pairwise(grid))
        if newest is None or now - newest <= max(self._patience(state), 3 * tick):
            return
        since = datetime.fromtimestamp(newest, UTC).strftime("%H:%M:%S UTC")
        raise MetricsUnavailable(f"Prometheus has no sample of either arm since {since}, {now - newest:.0f} s ago")

    def _patience(self, state: PairState) -> float:
        """Return how many seconds old the newest sample may be: one scrape may be missed, two not."""
        return max(self._settings.staleness, 2.5 * state.scrape_seconds)


def _parts(boundaries: Sequence[float], longest: float) -> Iterator[list[float]]:
    """Cut the grid into pieces of at most `longest` seconds (or one interval); each begins where the former ended."""
    part = [boundaries[0]]
    for boundary in boundaries[1:]:
        if len(part) > 1 and boundary - part[0] > longest:
            yield part
            part = part[-1:]
        part.append(boundary)
    yield part


def _sorted(series: Iterable[Series]) -> dict[Addressee, list[Series]]:
    """Return the series by addressee; one that two selectors caught is there once."""
    unique = {frozenset(one.labels.items()): one for one in series}
    result: dict[Addressee, list[Series]] = {}
    for one in unique.values():
        result.setdefault(addressee(one.labels), []).append(one)
    return result

"""Samples for many rollouts, at a number of queries that does not grow with them.

Whoever first asks for a timestamp fetches for all pairs that are followed; the others find the answer there. This works
because all rollouts share one grid of ticks: whole multiples of the tick length in unix time.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import reduce
from itertools import pairwise
from threading import Lock
from traceback import clear_frames

from canary_analyzer.analysis.counters import ImpossibleCounterError
from canary_analyzer.metrics import custom
from canary_analyzer.metrics.answers import Answers, Known, PairAnswer, ask
from canary_analyzer.metrics.client import MetricsUnavailable, PrometheusReader
from canary_analyzer.metrics.counts import Counts, join
from canary_analyzer.metrics.dialects import CannotTellApartError, Dialect
from canary_analyzer.metrics.histograms import UnreadableHistogramError
from canary_analyzer.metrics.istio import Istio
from canary_analyzer.metrics.pairs import Pair, Workload
from canary_analyzer.metrics.promql import Query
from canary_analyzer.metrics.replicas import REPLICA_LABELS
from canary_analyzer.metrics.tally import PairState, tally

KEPT_ANSWERS = 4


@dataclass(frozen=True, kw_only=True)
class ReaderSettings:
    """How samples are read; all times in seconds.

    Attributes:
        dialect: What the mesh calls things, and whose telemetry is believed.
        staleness: A newest sample older than this, than three ticks and than two and a half scrape intervals (as seen
            in the samples) means that Prometheus no longer scrapes.
        lookback: How long before the start a series' last sample may lie; Prometheus' own lookback is 5 minutes.
        lateness: How late a sample may become visible after its time; remote storage takes seconds.
        longest_window: A longer time is read piece by piece, so that no single answer is huge.
        replica_labels: Labels that tell the replicas of Prometheus apart, where a store has the samples of several.
    """

    dialect: Dialect = field(default_factory=Istio)
    staleness: float = 15
    lookback: float = 300
    lateness: float = 60
    longest_window: float = 600
    replica_labels: Collection[str] = REPLICA_LABELS


class SampleReader:
    """Counts per tick for any number of pairs; safe to use from many threads, one at a time for each pair."""

    def __init__(self, prometheus: PrometheusReader, settings: ReaderSettings | None = None):
        self._prometheus = prometheus
        self._settings = settings or ReaderSettings()
        self._lock = Lock()
        # Large answers are taken by one thread: the C library keeps the memory that each thread once needed.
        self._fetcher = ThreadPoolExecutor(1, thread_name_prefix="samples")
        self._states: dict[Pair, PairState] = {}
        self._answers: dict[float, Answers | MetricsUnavailable] = {}
        self._known = Known()
        self._watched: dict[float, bool] = {}

    def follow(self, pair: Pair, start: float) -> None:
        """Begin to read for a pair from `start` (unix seconds), together with the others; `collect` tells the counts.

        Raises:
            MetricsUnavailable: Prometheus does not answer, or could not tell the arms of this pair apart.
        """
        if pair in self._states:
            return
        state = self._begin(pair, start)
        with self._lock:
            self._states[pair] = state

    def collect(self, pair: Pair, boundaries: Sequence[float]) -> Counts:
        """Return what both arms counted in each interval between `boundaries`.

        What was counted is remembered, so that the next call can go on at the last boundary. A call that begins
        earlier, or for a pair not seen before, reads again from its first boundary. A call that fails changes nothing.

        Args:
            pair: Whose samples.
            boundaries: At least two ascending times in unix seconds, none in the future.

        Raises:
            MetricsUnavailable: Prometheus does not answer, has no fresh samples of a pair that it had samples of, or
                has samples that cannot be what they should be.
        """
        shared = self._shared(pair, boundaries)
        state = self._resume(pair, boundaries[0])
        skipped = state.boundary < boundaries[0]
        state, counts = self._read(pair, state, [state.boundary, *boundaries] if skipped else boundaries, shared)
        with self._lock:
            self._states[pair] = state
            self._let_go(pair, boundaries[-1])
        return counts.since(1) if skipped else counts

    def forget(self, pair: Pair) -> None:
        """Stop reading for a pair; its rollout is over."""
        with self._lock:
            self._states.pop(pair, None)
            self._known.forget(pair)

    def pods(self, workload: Workload, since: float, until: float) -> frozenset[str]:
        """Return the names of the pods of a workload that were scraped between two times in unix seconds.

        Raises:
            MetricsUnavailable: Prometheus does not answer, or the mesh's telemetry does not know pods.
        """
        try:
            label, selector = self._settings.dialect.pods(workload)
        except CannotTellApartError as error:
            raise MetricsUnavailable(str(error)) from error
        return self._prometheus.values(label, selector, at=until, window_seconds=until - since)

    def _resume(self, pair: Pair, start: float) -> PairState:
        """Return where to go on counting, which may be before `start`."""
        with self._lock:
            state = self._states.get(pair)
        if state and 0 <= start - state.boundary <= self._settings.lookback:
            return state
        return self._begin(pair, start)

    def _begin(self, pair: Pair, start: float) -> PairState:
        """Return the state of a pair of which nothing has been counted.

        Series that come later began at 0 if Prometheus was taking samples at the start. Most have an `up` that says so
        for all pairs; a store that was given only the mesh's metrics does not.
        """
        queries = self._queries([pair])
        with self._lock:
            known = self._watched.get(start)
        if known is None:
            known = self._prometheus.knew("up", start)
            with self._lock:
                self._watched = {**dict(list(self._watched.items())[-KEPT_ANSWERS:]), start: known}
        return PairState.begin(start, watched=known or self._prometheus.knew(queries[0].selector, start))

    def _queries(self, pairs: Sequence[Pair]) -> list[Query]:
        try:
            queries = [*self._settings.dialect.queries(pairs), *custom.queries(pairs)]
        except CannotTellApartError as error:
            raise MetricsUnavailable(str(error)) from error
        return [replace(query, replica_labels=self._settings.replica_labels) for query in queries]

    def _read(
        self, pair: Pair, state: PairState, grid: Sequence[float], shared: PairAnswer | None
    ) -> tuple[PairState, Counts]:
        """Count by what was answered to all, which is no use to one who is not where all thought him to be."""
        parts = list(_parts(grid, self._settings.longest_window))
        if len(parts) > 1 or shared is None or shared.state is not state or self._lags(state, grid[-1]):
            shared = None
        read = []
        for part in parts:
            answer = shared or self._own(pair, state, part[-1])
            state, counts = self._tally(pair, answer, part)
            read.append(counts)
        self._refuse_stale(state, state.newest, grid)
        return state, reduce(join, read)

    def _tally(self, pair: Pair, answer: PairAnswer, grid: Sequence[float]) -> tuple[PairState, Counts]:
        if answer.trouble:
            raise MetricsUnavailable(answer.trouble)
        fresh_since = grid[-1] - self._patience(answer.state)
        try:
            return tally(pair.metrics, answer.state, answer.samples, grid, fresh_since)
        except UnreadableHistogramError as error:
            raise MetricsUnavailable(str(error)) from error
        except ImpossibleCounterError as error:
            raise MetricsUnavailable(f"Prometheus has a counter that is none: {error}") from error

    def _own(self, pair: Pair, state: PairState, at: float) -> PairAnswer:
        """Ask for one pair alone."""
        return self._ask({pair: state}, (state.boundary - self._back(state), at))[pair]

    def _shared(self, pair: Pair, grid: Sequence[float]) -> PairAnswer | None:
        """Return what was answered to all.

        Nobody asks alone where all were not answered, or where that showed that there is nothing new to be counted: in
        a long outage, which is when everybody would, Prometheus and the other runs are spared.
        """
        at = grid[-1]
        with self._lock:
            answers = self._answers.get(at)
            if answers is None:
                answers = self._fetcher.submit(self._fetch_all, at).result()
            if isinstance(answers, MetricsUnavailable):
                raise MetricsUnavailable(answers.reason) from answers
            answer = answers.get(pair)
        if answer is not None and self._lags(answer.state, at):
            self._refuse_stale(answer.state, answer.newest, grid)
        return answer

    def _lags(self, state: PairState, at: float) -> bool:
        """Whether a pair is so far behind that it cannot be read together with the others."""
        return at - state.boundary > self._settings.lookback

    def _let_go(self, pair: Pair, at: float) -> None:
        """Drop an answer that was counted; one that was of no use stays, so that trying again costs nothing."""
        answers = self._answers.get(at)
        if isinstance(answers, dict):
            answers.pop(pair, None)

    def _fetch_all(self, at: float) -> Answers | MetricsUnavailable:
        """Fetch for all pairs that are being followed and remember the answer, be it a failure; the lock is held."""
        followed = {pair: state for pair, state in self._states.items() if at > state.boundary}
        known = self._known if self._known.holds(followed) else None
        answers: Answers | MetricsUnavailable
        try:
            if not followed:
                self._prometheus.knew("up", at)  # whether it answers at all, before everybody asks alone
            # Those who begin must look further back than those who go on: it is not for all of these to do the same.
            answers = {}
            for fresh in (False, True):
                states = {pair: state for pair, state in followed.items() if state.fresh is fresh}
                since = min((self._since(state, at) for state in states.values()), default=at)
                answers |= self._ask(states, (since, at), known)
        except MetricsUnavailable as error:
            # urllib3's errors hold themselves, and through their frames what had been answered until then.
            clear_frames(error.__traceback__)
            answers = MetricsUnavailable(error.reason)
        kept = sorted(self._answers)[-KEPT_ANSWERS + 1 :]
        self._answers = {time: self._answers[time] for time in kept} | {at: answers}
        return answers

    def _ask(
        self, states: Mapping[Pair, PairState], window: tuple[float, float], known: Known | None = None
    ) -> Answers:
        answers = {pair: PairAnswer(state=state) for pair, state in states.items()}
        ask(self._prometheus, self._queries(list(states)), answers, window=window, known=known)
        return answers

    def _since(self, state: PairState, at: float) -> float:
        """Return since when samples matter in an answer to all; of a pair that lags, only if there are new ones."""
        if self._lags(state, at):
            return at - max(self._settings.lateness, self._patience(state))
        return state.boundary - self._back(state)

    def _back(self, state: PairState) -> float:
        """Return how many seconds before the boundary samples may lie that matter."""
        return self._settings.lookback if state.fresh else self._settings.lateness

    def _refuse_stale(self, state: PairState, newest: float | None, grid: Sequence[float]) -> None:
        now = grid[-1]
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

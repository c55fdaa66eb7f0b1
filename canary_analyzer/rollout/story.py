"""What a run was seen to do, tick by tick: kept in its record, so that its page can be drawn again at any time.

A record has to stay small however long a run takes. So a story that has grown full halves its resolution: neighbours
are merged, counts added, figures taken from the later one. What there is many of is kept as lines of JSON, without
names: as objects it would take five times the memory, and there are thousands of runs.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import NamedTuple, Self

import numpy as np
from pydantic import TypeAdapter, field_validator

from canary_analyzer.analysis import MetricVerdict, Tick, Verdict
from canary_analyzer.rollout.evidence import Progress, counts
from canary_analyzer.rollout.run import Run, Value

MOST = 120
"""Samples kept: as many as a plot can show."""
MOST_FIGURES = 1200
"""Figures of metrics kept, about 40 kB of JSON: with more than ten metrics, fewer samples."""
REASON_LENGTH = 500
"""Characters kept of the sentence about a metric."""


class Arms(NamedTuple):
    """A count of each arm."""

    canary: int = 0
    baseline: int = 0

    def plus(self, other: Self) -> Self:
        """Return the sums."""
        return type(self)(self.canary + other.canary, self.baseline + other.baseline)


class Figures(NamedTuple):
    """One metric at one time; None where it is not known, or not bounded."""

    against: float | None
    """Evidence that the canary is worse than tolerated; 1 aborts."""
    favour: float | None
    """Evidence that it is within tolerance; 1 shows it."""
    effect: float | None
    low: float | None
    high: float | None

    @classmethod
    def of(cls, metric: MetricVerdict) -> Self:
        """Take them from the judge's word."""
        taken = (metric.evidence_against, metric.evidence_for, metric.effect, metric.low, metric.high)
        return cls(*map(_known, taken))


class Sample(NamedTuple):
    """What was seen up to one time."""

    at: float
    """Seconds since the epoch, the end of the tick."""
    weight: int
    """Wanted, in percent."""
    requests: Arms = Arms()
    errors: Arms = Arms()
    metrics: tuple[Figures, ...] = ()
    """In the order of `Story.metrics`; empty where the judge was not asked."""

    def then(self, later: Self) -> Self:
        """Return both as one sample."""
        return later._replace(
            requests=self.requests.plus(later.requests),
            errors=self.errors.plus(later.errors),
            metrics=later.metrics or self.metrics,
        )


_SAMPLE = TypeAdapter(Sample)


class Latency(Value):
    """Latency of all requests that counted, by bucket."""

    edges_ms: tuple[float, ...] = ()
    """[B-1] upper edges; the last bucket is +Inf."""
    canary: tuple[int, ...] = ()
    baseline: tuple[int, ...] = ()

    def after(self, tick: Tick, edges_ms: Sequence[float]) -> Self:
        """Return it with one more tick; other buckets than before start anew."""
        known = tuple(edges_ms) == self.edges_ms
        canary, baseline = (self.canary, self.baseline) if known else ((), ())
        sums = {"canary": _sums(canary, tick.canary.latency), "baseline": _sums(baseline, tick.baseline.latency)}
        return self.model_copy(update={"edges_ms": tuple(edges_ms), **sums})


class Finding(Value):
    """What an engineer would look up next: a container's state, a warning Event, the last lines of a log."""

    at: float
    about: str
    """The pod, and the container where it is one's."""
    text: str


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One tick as it was read."""

    until: float
    weight: int
    tick: Tick
    counts: bool
    """Whether it counts for the verdict."""
    edges_ms: tuple[float, ...]


class Story(Value):
    """Everything that a run's page draws, beside the run itself."""

    metrics: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    """The newest sentence about each metric."""
    requests: tuple[Arms, ...] = ()
    """How many requests, or values, have counted for each metric."""
    lines: tuple[str, ...] = ()
    """The samples, each as JSON."""
    until: float = 0.0
    """Seconds since the epoch, the end of the last tick that was told."""
    every: int = 1
    """Ticks that one sample stands for."""
    pending: Sample | None = None
    """What has been gathered of the sample that is not complete."""
    gathered: int = 0
    ticks: int = 0
    """How many have been told."""
    latency: Latency = Latency()
    findings: tuple[Finding, ...] = ()
    inspected: str = ""
    """The last phase of those that end a run in which the canary's pods were looked at; it is done once in each."""

    def after(self, seen: Seen, verdict: Verdict | None) -> Self:
        """Return the story with one more tick, and what the judge said after it, where he was asked."""
        if seen.until <= self.until:
            return self  # read again after a restart
        named = _names(verdict) if verdict is not None else {}
        latency = self.latency.after(seen.tick, seen.edges_ms) if seen.counts else self.latency
        told = {"latency": latency, "until": seen.until, "ticks": self.ticks + 1}
        return self.model_copy(update=named | told)._with(_sample(seen, verdict))

    def with_samples(self, samples: Sequence[Sample]) -> Self:
        """Return the story with these samples instead of its own."""
        until = samples[-1].at if samples else 0.0
        return self.model_copy(update={"lines": tuple(map(_line, samples)), "pending": None, "until": until})

    @field_validator("lines")
    @classmethod
    def _are_samples(cls, lines: tuple[str, ...]) -> tuple[str, ...]:
        for line in lines:
            _SAMPLE.validate_json(line)
        return lines

    @property
    def samples(self) -> tuple[Sample, ...]:
        """The samples that are complete."""
        return tuple(map(_SAMPLE.validate_json, self.lines))

    @property
    def all_samples(self) -> tuple[Sample, ...]:
        """The samples, the incomplete one included."""
        return self.samples if self.pending is None else (*self.samples, self.pending)

    @property
    def newest(self) -> tuple[Figures, ...]:
        """The newest figures, in the order of `metrics`; none before the first tick that counts."""
        return next((sample.metrics for sample in reversed(self.all_samples) if sample.metrics), ())

    def _with(self, sample: Sample) -> Self:
        pending = sample if self.pending is None else self.pending.then(sample)
        if self.gathered + 1 < self.every:
            return self.model_copy(update={"pending": pending, "gathered": self.gathered + 1})
        whole = self.model_copy(update={"lines": (*self.lines, _line(pending)), "pending": None, "gathered": 0})
        return whole._halved() if whole._is_full else whole

    @property
    def _is_full(self) -> bool:
        return len(self.lines) >= MOST or len(self.lines) * len(self.metrics) >= MOST_FIGURES

    def _halved(self) -> Self:
        samples = self.samples
        pairs = zip_longest(samples[::2], samples[1::2])
        merged = (first if second is None else first.then(second) for first, second in pairs)
        return self.model_copy(update={"lines": tuple(map(_line, merged)), "every": self.every * 2})


def continued(story: Story, run: Run, progress: Progress, verdict: Verdict | None) -> Story:
    """Return the story with the ticks that were read last; what the judge says, he says after the newest of them."""
    for seen in _seen(run, progress):
        story = story.after(seen, verdict if seen.until == progress.until else None)
    return story


def _seen(run: Run, progress: Progress) -> Iterator[Seen]:
    for interval in progress.latest:
        yield Seen(
            until=interval.until,
            weight=_weight_at(run, interval.until),
            tick=interval.tick,
            counts=counts(run, interval),
            edges_ms=progress.edges.latency,
        )


def _weight_at(run: Run, at: float) -> int:
    """Return the weight that was wanted then; ticks can be read late, or again."""
    return next((moment.weight for moment in reversed(run.timeline) if moment.at <= at), run.weight)


def _names(verdict: Verdict) -> dict[str, object]:
    return {
        "requests": tuple(Arms(metric.n_canary, metric.n_baseline) for metric in verdict.metrics),
        "metrics": tuple(metric.name for metric in verdict.metrics),
        "reasons": tuple(metric.reason[:REASON_LENGTH] for metric in verdict.metrics),
    }


def _sample(seen: Seen, verdict: Verdict | None) -> Sample:
    canary, baseline = seen.tick.canary, seen.tick.baseline
    return Sample(
        at=seen.until,
        weight=seen.weight,
        requests=Arms(canary.requests, baseline.requests),
        errors=Arms(canary.errors, baseline.errors),
        metrics=tuple(map(Figures.of, verdict.metrics)) if verdict is not None else (),
    )


def _line(sample: Sample) -> str:
    return _SAMPLE.dump_json(sample).decode()


def _sums(before: Sequence[int], more: np.ndarray[tuple[int], np.dtype[np.int64]]) -> tuple[int, ...]:
    return tuple((more + np.asarray(before, dtype=np.int64) if before else more).tolist())


def _known(value: float) -> float | None:
    return float(f"{value:.4g}") if math.isfinite(value) else None

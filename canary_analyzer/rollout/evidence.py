"""From counts per interval to what a decision needs: the verdict, the observed share, the requests of this step.

`Progress` is a cache, not the truth: after a restart it is made again from the run's record and Prometheus.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import ceil, floor

import numpy as np

from canary_analyzer import analysis
from canary_analyzer.analysis import JudgeState, Tick, Verdict
from canary_analyzer.rollout.policy import RolloutPolicy
from canary_analyzer.rollout.run import Run, Window
from canary_analyzer.rollout.view import Evidence, Share

MOST_INTERVALS = 10_000
"""So far back a run is read that nobody has looked at for long (a day of ticks of 10 s): beyond that lies no release
that is still in doubt, and memory is finite."""


@dataclass(frozen=True, kw_only=True)
class Counted:
    """The requests of one interval of the tick grid, in seconds since the epoch."""

    since: float
    until: float
    tick: Tick


@dataclass(frozen=True, kw_only=True)
class Edges:
    """Upper edges of the buckets that are counted in, in milliseconds: of latency, and of users' histograms by name."""

    latency: tuple[float, ...] = ()
    extra: Mapping[str, tuple[float, ...]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What was read of a run: intervals that follow on its progress, counted in buckets with these edges."""

    progress: "Progress"
    run: Run
    counted: Sequence[Counted]
    edges: Edges


@dataclass(frozen=True, kw_only=True)
class Totals:
    """Requests and errors of both arms that have counted so far."""

    canary_requests: int = 0
    canary_errors: int = 0
    baseline_requests: int = 0
    baseline_errors: int = 0

    def plus(self, tick: Tick) -> "Totals":
        """Return the totals with one tick added."""
        return Totals(
            canary_requests=self.canary_requests + tick.canary.requests,
            canary_errors=self.canary_errors + tick.canary.errors,
            baseline_requests=self.baseline_requests + tick.baseline.requests,
            baseline_errors=self.baseline_errors + tick.baseline.errors,
        )


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far the samples of a run have been read, and what came of them."""

    until: float
    """The last boundary of the tick grid that was read."""
    judge: JudgeState | None = None
    verdict: Verdict | None = None
    """The judge's word; None before the first tick that counts."""
    edges: Edges = field(default_factory=Edges)
    """What the judge counts in."""
    unavailable: str = ""
    """Why the last attempt to read failed; empty where it did not."""
    newest: Counted | None = None
    """The newest interval in which there was a request."""
    step_since: float = 0.0
    step_requests: int = 0
    totals: Totals = Totals()
    latest: tuple[Counted, ...] = ()
    """What was read last."""

    def without_metrics(self, reason: str) -> "Progress":
        """Return the progress, stuck for that reason."""
        return replace(self, unavailable=reason)


def fresh(run: Run) -> Progress:
    """Return the progress of a run of which nothing has been read yet."""
    return Progress(until=_grid(run.started, run.policy.tick_seconds))


def boundaries(progress: Progress, run: Run, now: float) -> tuple[float, ...]:
    """Return the boundaries of the tick grid from the last one read up to now, both ends included, in seconds.

    What is older than `MOST_INTERVALS` is left out: it counts neither for nor against the canary.
    The grid is the same for all runs of one tick length, so that one query can serve them all.
    """
    tick = run.policy.tick_seconds
    last = floor(now / tick)
    first = max(round(progress.until / tick), last - MOST_INTERVALS)
    return tuple(index * tick for index in range(first, last + 1))


def _grid(at: float, tick: float) -> float:
    return floor(at / tick) * tick


def absorb(reading: Reading) -> Progress:
    """Return the progress after what was read; only intervals inside the run's windows are judged."""
    return absorb_each([reading])[0]


def absorb_each(readings: Sequence[Reading]) -> list[Progress]:
    """Return the progress of each run, as `absorb`: many that have an interval to judge are judged together."""
    before = [one.progress for one in readings]
    after = before
    for number in range(max((len(one.counted) for one in readings), default=0)):
        after = _further(after, readings, number)
    said = _said(before, after)
    return [
        replace(progress, latest=tuple(one.counted), verdict=said.get(index, progress.verdict))
        for index, (progress, one) in enumerate(zip(after, readings, strict=True))
    ]


def _further(progress: Sequence[Progress], readings: Sequence[Reading], number: int) -> list[Progress]:
    """Return the progress of each run after its interval of that number, where it has one."""
    after = list(progress)
    judging: dict[int, tuple[JudgeState, Tick]] = {}
    for index, one in enumerate(readings):
        if number >= len(one.counted):
            continue
        interval = one.counted[number]
        after[index] = _moved(after[index], interval)
        if (window := _window(one.run, interval)) is not None:
            judging[index] = (after[index].judge or _start(one.run.policy, one.edges), interval.tick)
            after[index] = _counting(after[index], interval.tick, window.since)
    judges = analysis.advance_each([judge for judge, _ in judging.values()], [tick for _, tick in judging.values()])
    for index, judge in zip(judging, judges, strict=True):
        after[index] = replace(after[index], judge=judge, edges=readings[index].edges)
    return after


def _said(before: Sequence[Progress], after: Sequence[Progress]) -> dict[int, Verdict]:
    """Return what the judges that have seen something say now, by index; they are asked together."""
    asked = {
        index: new.judge
        for index, (old, new) in enumerate(zip(before, after, strict=True))
        if new.judge is not None and new.judge is not old.judge
    }
    return dict(zip(asked, analysis.verdict_each(list(asked.values())), strict=True))


def _moved(progress: Progress, interval: Counted) -> Progress:
    had_traffic = interval.tick.canary.requests + interval.tick.baseline.requests > 0
    newest = interval if had_traffic else progress.newest
    return replace(progress, until=interval.until, unavailable="", newest=newest)


def _counting(progress: Progress, tick: Tick, step_since: float) -> Progress:
    carried = progress.step_requests if progress.step_since == step_since else 0
    return replace(
        progress,
        step_since=step_since,
        step_requests=carried + tick.canary.requests,
        totals=progress.totals.plus(tick),
    )


def _start(policy: RolloutPolicy, edges: Edges) -> JudgeState:
    extra = {name: np.array(each) for name, each in edges.extra.items()}
    return analysis.start(policy.judgement, np.array(edges.latency), policy.tick_seconds, extra)


def counts(run: Run, interval: Counted) -> bool:
    """Whether an interval counts for the verdict: all of it lies inside one of the run's windows."""
    return _window(run, interval) is not None


def _window(run: Run, interval: Counted) -> Window | None:
    return next((w for w in run.windows if _inside(interval, w.since, w.until)), None)


def _inside(interval: Counted, since: float, until: float | None) -> bool:
    return since <= interval.since and (until is None or interval.until <= until)


def evidence(progress: Progress, run: Run) -> Evidence:
    """Return what the decision may know: nothing of the data plane while there are no metrics."""
    current = bool(run.windows) and run.windows[-1].until is None and progress.step_since == run.windows[-1].since
    return Evidence(
        verdict=progress.verdict,
        share=None if progress.unavailable else _share(progress, run),
        requests_per_second=_rate(progress.newest),
        step_requests=progress.step_requests if current else 0,
        unavailable=progress.unavailable,
    )


def _rate(newest: Counted | None) -> float:
    if newest is None:
        return 0.0
    return (newest.tick.canary.requests + newest.tick.baseline.requests) / (newest.until - newest.since)


def _share(progress: Progress, run: Run) -> Share | None:
    """Return the share in the newest interval that began after the run's stage did; None until one is complete."""
    tick = run.policy.tick_seconds
    if progress.until < ceil(run.stage_since / tick) * tick + tick:
        return None
    newest = progress.newest
    if newest is None or newest.since < run.stage_since:
        return Share(canary=0, total=0)
    canary = newest.tick.canary.requests
    return Share(canary=canary, total=canary + newest.tick.baseline.requests)

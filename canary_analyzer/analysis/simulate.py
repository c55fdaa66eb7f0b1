"""A whole run, simulated as the service would do it: ramp, settling, verdict after every tick, end."""

import math
from dataclasses import dataclass, field, replace
from enum import Enum

from numpy.random import Generator

from canary_analyzer.analysis.judges import advance, start, verdict
from canary_analyzer.analysis.policy import Policy
from canary_analyzer.analysis.ramp import Ramp, Standing, first_weight, next_weight
from canary_analyzer.analysis.scenarios import QUIET, Nuisance, Regression, Service, World, world
from canary_analyzer.analysis.types import Decision, MetricState, Tick, Verdict


@dataclass(frozen=True, kw_only=True)
class Rehearsal:
    """What is simulated.

    Args:
        policy: What the judge is told.
        ramp: How the canary's weight grows.
        service: What is released, and to whom.
        nuisance: What happens that is nobody's fault.
        settle_seconds: After each change of the weight, time that does not count.
        deadline_seconds: Without a verdict by then, traffic goes back.
        promote_undecided: Whether a canary that is undecided, with enough data, at the end of the ramp is promoted.
    """

    policy: Policy
    ramp: Ramp
    service: Service = field(default_factory=Service)
    nuisance: Nuisance = QUIET
    settle_seconds: float = 0.0
    deadline_seconds: float = 3600.0
    promote_undecided: bool = True


class Ending(Enum):
    """How a run ends."""

    ABORTED = "aborted"
    """The judge called the canary worse."""
    PROMOTED = "promoted"
    UNDECIDED = "undecided"
    """Neither: too little data until the deadline, or the policy does not promote what is undecided."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of one run.

    Args:
        ending: How it ended.
        healthy: Whether the canary was shown healthy.
        seconds: From the first weight to the end.
        requests: What the canary was asked.
        bad_requests: How many of these failed, or took longer than tolerated, because of the canary; expected number.
    """

    ending: Ending
    healthy: bool
    seconds: float
    requests: int
    bad_requests: float


@dataclass(frozen=True, kw_only=True)
class _Step:
    """The present weight, the ticks to settle, and what was analysed at it."""

    weight: int
    settling: int
    ticks: int = 0
    canary: int = 0
    both: int = 0

    def after(self, tick: Tick) -> "_Step":
        requests = tick.canary.requests
        return replace(
            self,
            ticks=self.ticks + 1,
            canary=self.canary + requests,
            both=self.both + requests + tick.baseline.requests,
        )

    def standing(self, tick_seconds: float, word: Verdict) -> Standing:
        seconds = self.ticks * tick_seconds
        return Standing(
            weight=self.weight,
            seconds=seconds,
            requests=self.canary,
            requests_per_second=self.both / seconds,
            verdict=word,
        )


def run(rehearsal: Rehearsal, regression: Regression, rng: Generator) -> Outcome:
    """Simulate one run of a canary with this regression."""
    service, policy, ramp = rehearsal.service, rehearsal.policy, rehearsal.ramp
    ticks = max(1, math.floor(rehearsal.deadline_seconds / service.tick_seconds))
    settling = math.ceil(rehearsal.settle_seconds / service.tick_seconds)
    drawn = world(service, rehearsal.nuisance, regression, ticks, rng)
    state = start(policy, service.edges_ms, service.tick_seconds)
    step, served, word = _Step(weight=first_weight(ramp), settling=settling), _Served(), verdict(state)
    for index in range(ticks):
        tick = drawn.tick(index, step.weight, rng)
        served = served.plus(index, tick, drawn, 1 + policy.latency.relative)
        if step.settling:
            step = replace(step, settling=step.settling - 1)
            continue
        state, step = advance(state, tick), step.after(tick)
        word = verdict(state)
        if word.decision is Decision.ABORT:
            return served.outcome(Ending.ABORTED, word)
        weight = next_weight(ramp, step.standing(service.tick_seconds, word), policy)
        if weight is None and _has_answer(word):
            promoted = rehearsal.promote_undecided or word.decision is Decision.HEALTHY
            return served.outcome(Ending.PROMOTED if promoted else Ending.UNDECIDED, word)
        if weight is not None and weight != step.weight:
            step = _Step(weight=weight, settling=settling)
    return served.outcome(Ending.UNDECIDED, word)


def _has_answer(word: Verdict) -> bool:
    """Whether there was data enough: what nobody has looked at is not promoted, the run waits."""
    return word.decision is not Decision.INCONCLUSIVE and all(
        metric.state is not MetricState.NO_DATA for metric in word.metrics
    )


@dataclass(frozen=True, kw_only=True)
class _Served:
    """What the canary has served so far."""

    seconds: float = 0.0
    requests: int = 0
    bad: float = 0.0

    def plus(self, index: int, tick: Tick, drawn: World, tolerated: float) -> "_Served":
        requests, service = tick.canary.requests, drawn.service
        harmed = drawn.regression.harmed(index, service.canary_pods, tolerated)
        return _Served(
            seconds=(index + 1) * service.tick_seconds,
            requests=self.requests + requests,
            bad=self.bad + requests * harmed,
        )

    def outcome(self, ending: Ending, word: Verdict) -> Outcome:
        return Outcome(
            ending=ending,
            healthy=word.decision is Decision.HEALTHY,
            seconds=self.seconds,
            requests=self.requests,
            bad_requests=self.bad,
        )

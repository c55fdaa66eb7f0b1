"""When the canary gets more traffic, and how much: fixed steps, or as much as the risk budget allows.

The adaptive ramp takes the largest next weight for which the harm that is still possible fits the budget: the requests
that the canary would get until the next look, times the most that each of them could be worse than tolerated (the upper
ends of the verdict's anytime-valid intervals), plus what has most likely been harmed already, must not exceed
`bad_requests`. Little is known of a new version, so it begins with a trickle; a good one climbs as the intervals
shrink, a bad one uses up the budget at a low weight and waits there for the judge to be sure. While the evidence
against a canary is more than a fraction of what aborts, nothing is added to its weight. The ramp decides exposure only:
the judge's guarantees hold whatever the weights are, since every tick is compared at its own weight.

Harm is counted in failed requests. A slow one counts for less, in proportion to its delay; a metric that has been shown
within tolerance harms nobody, one of which nothing is known harms everybody.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

from canary_analyzer.analysis.mistakes import not_positive, not_whole, refuse
from canary_analyzer.analysis.observed import measures
from canary_analyzer.analysis.policy import Policy
from canary_analyzer.analysis.types import Decision, MetricState, MetricVerdict, Verdict

_SLOW = 0.08
"""What a request that takes twice the tolerated time counts for, a failed one being 1: clients wait, few give up."""
_MOST_GROWTH = 2
"""A weight grows at most so many times from look to look: what fails under load must have a chance to show."""
_SUSPECT = 0.15
"""Part of the evidence that aborts, from which on the weight stays: a failure or two among the first requests."""
_WORTH_A_CHANGE = 1.25
"""Below this growth a change of the route is not worth the samples that are lost while it settles."""


@dataclass(frozen=True, kw_only=True)
class FixedStep:
    """One step of a fixed ramp, left when its time and its requests are there: low traffic extends it.

    Args:
        weight: Per cent of the traffic that the canary gets.
        seconds: Shortest time of analysis at this weight.
        requests: Fewest requests that the canary must have answered at this weight.

    Raises:
        ValueError: A value is out of range; all mistakes are listed.
    """

    weight: int
    seconds: float = 60.0
    requests: int = 50

    def __post_init__(self) -> None:
        refuse(self)

    def mistakes(self) -> Iterator[str]:
        """Yield one sentence per mistake."""
        yield from not_whole("weight", self.weight, 1, 100)
        yield from not_positive("seconds", self.seconds, "seconds")
        yield from not_whole("requests", self.requests, 0)


@dataclass(frozen=True, kw_only=True)
class FixedRamp:
    """Steps one after the other.

    Raises:
        ValueError: There is no step, or weights do not ascend.
    """

    steps: tuple[FixedStep, ...]

    def __post_init__(self) -> None:
        refuse(self)

    def mistakes(self) -> Iterator[str]:
        """Yield one sentence per mistake."""
        weights = [step.weight for step in self.steps]
        if not weights:
            yield "steps: value (): give at least one step, such as {weight: 50}"
        if weights != sorted(set(weights)):
            yield f"steps: weights {weights} do not ascend: put each weight once, smallest first"


@dataclass(frozen=True, kw_only=True)
class AdaptiveRamp:
    """As much traffic as the risk budget allows, from `first` to `largest`.

    Args:
        first: Per cent that the canary begins with.
        largest: Per cent that it must have served before it is promoted.
        bad_requests: The budget: extra bad requests of the whole run that the weight may put at risk.
        seconds: Shortest time at a weight, over which the harm ahead is reckoned.
        requests: Fewest requests that the canary must have answered at a weight before it grows; low traffic, and the
            smallest weights, take longer.
        healthy_seconds: Time at the largest weight after which a canary shown healthy in every metric is promoted. Not
            sooner: what fails only under load has not been seen at smaller weights.
        soak_seconds: Time at the largest weight after which an undecided canary has passed the ramp.
        soak_requests: Fewest requests that such a canary must have answered at the largest weight.

    Raises:
        ValueError: A value is out of range; all mistakes are listed.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    first: int = 1
    largest: int = 50
    bad_requests: float = 6.0
    seconds: float = 10.0
    requests: int = 40
    healthy_seconds: float = 60.0
    soak_seconds: float = 120.0
    soak_requests: int = 1000

    def __post_init__(self) -> None:
        refuse(self)

    def mistakes(self) -> Iterator[str]:
        """Yield one sentence per mistake."""
        yield from not_whole("first", self.first, 1, 100)
        yield from not_whole("largest", self.largest, 1, 100)
        yield from not_positive("bad_requests", self.bad_requests, "requests")
        for name in ("seconds", "healthy_seconds", "soak_seconds"):
            yield from not_positive(name, getattr(self, name), "seconds")
        for name in ("requests", "soak_requests"):
            yield from not_whole(name, getattr(self, name), 0)
        if self.first > self.largest:
            yield f"first, largest: values {self.first!r} and {self.largest!r}: begin with the smaller"
        if self.healthy_seconds > self.soak_seconds:
            yield (
                f"healthy_seconds, soak_seconds: values {self.healthy_seconds!r} and {self.soak_seconds!r}: "
                "a canary shown healthy need not wait longer than one that was not"
            )


Ramp = FixedRamp | AdaptiveRamp


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Where a run stands on its ramp.

    Args:
        weight: Per cent that the canary gets now.
        seconds: Time analysed at this weight; settling does not count.
        requests: The canary's requests in that time.
        requests_per_second: Of both arms together, of late.
        verdict: The judge's word so far; None before the first tick.
    """

    weight: int
    seconds: float
    requests: int
    requests_per_second: float
    verdict: Verdict | None


def first_weight(ramp: Ramp) -> int:
    """Return the weight, per cent, that a ramp begins with."""
    return ramp.steps[0].weight if isinstance(ramp, FixedRamp) else ramp.first


def next_weight(ramp: Ramp, standing: Standing, policy: Policy) -> int | None:
    """Return the weight for the time until the next look, per cent; never less than now. None: the ramp has passed.

    A verdict of ABORT is the caller's to see; here it keeps the weight.

    Raises:
        ValueError: A fixed ramp has no step of the present weight.
    """
    if isinstance(ramp, FixedRamp):
        return _after_step(ramp, standing)
    if standing.weight >= ramp.largest:
        return None if _soaked(ramp, standing) else standing.weight
    if standing.seconds < ramp.seconds or standing.requests < ramp.requests:
        return standing.weight
    if standing.verdict is None or not standing.verdict.metrics or _is_suspect(standing.verdict, policy):
        return standing.weight
    affordable = _affordable(ramp, standing, standing.verdict, policy)
    if affordable >= min(ramp.largest, standing.weight * _WORTH_A_CHANGE):
        return affordable
    return standing.weight


def _after_step(ramp: FixedRamp, standing: Standing) -> int | None:
    weights = [step.weight for step in ramp.steps]
    index = weights.index(standing.weight)
    step = ramp.steps[index]
    if standing.seconds < step.seconds or standing.requests < step.requests:
        return standing.weight
    return weights[index + 1] if index + 1 < len(weights) else None


def _soaked(ramp: AdaptiveRamp, standing: Standing) -> bool:
    healthy = standing.verdict is not None and standing.verdict.decision is Decision.HEALTHY
    if healthy:
        return standing.seconds >= ramp.healthy_seconds
    return standing.seconds >= ramp.soak_seconds and standing.requests >= ramp.soak_requests


def _is_suspect(verdict: Verdict, policy: Policy) -> bool:
    """Return whether some metric that decides has come part of the way to an abort."""
    advisory = {measure.name for measure in measures(policy) if measure.advisory}
    return any(each.evidence_against >= _SUSPECT for each in verdict.metrics if each.name not in advisory)


def _affordable(ramp: AdaptiveRamp, standing: Standing, verdict: Verdict, policy: Policy) -> int:
    """Return the largest weight whose possible harm until the next look fits what is left of the budget."""
    most = min(ramp.largest, math.ceil(standing.weight * _MOST_GROWTH))
    expected, possible = harm(verdict, policy)
    left = ramp.bad_requests - expected * verdict.metrics[0].n_canary
    arriving = standing.requests_per_second * ramp.seconds
    if possible * arriving * most <= 100 * left:
        return most
    return max(standing.weight, math.floor(100 * left / (possible * arriving)))


def harm(verdict: Verdict, policy: Policy) -> tuple[float, float]:
    """Return the harm beyond tolerance that a request of the canary suffers: expected, and at most.

    1 is a failed request. Errors count by how far their rate exceeds the tolerated, latency by the delay beyond the
    tolerated time, at most twofold, of the requests for which each quantile stands. Metrics of the user's own are no
    requests and do not count.
    """
    if verdict.decision is Decision.HEALTHY:
        return 0.0, 0.0
    if not verdict.metrics:
        return 0.0, 1.0
    errors, *others = verdict.metrics
    worst = [_beyond(errors, policy.errors.absolute)]
    latency = (metric for metric in others if metric.name.startswith("latency_p"))
    for metric, band in zip(latency, _bands(policy.latency.quantiles), strict=False):
        worst.append(tuple(_SLOW * band * each for each in _beyond(metric, 1 + policy.latency.relative)))
    expected, possible = (sum(each) for each in zip(*worst, strict=True))
    return min(1.0, expected), min(1.0, possible)


def _beyond(metric: MetricVerdict, tolerated: float) -> tuple[float, ...]:
    """Return how far the effect, and the upper end of its interval, lie beyond what is tolerated; 1 if unknown."""
    if metric.state is MetricState.HEALTHY:
        return 0.0, 0.0
    if math.isnan(metric.high):
        return 0.0, 1.0
    return tuple(min(1.0, max(0.0, each - tolerated)) for each in (metric.effect, metric.high))


def _bands(quantiles: tuple[float, ...]) -> tuple[float, ...]:
    """Return the share of requests for which each quantile stands: those nearer to it than to another."""
    middles = [(low + high) / 2 for low, high in pairwise(quantiles)]
    return tuple(high - low for low, high in zip([0.0, *middles], [*middles, 1.0], strict=True))

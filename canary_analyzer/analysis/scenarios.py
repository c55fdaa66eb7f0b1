"""Services under a canary, simulated: what is released to whom, what happens that is nobody's fault, what is wrong.

Requests are never drawn one by one. Each pod's failed requests are binomial and its latencies multinomial, with the
chance of each bucket from the latency's distribution function, which is the same in law and a thousand times quicker.
Chance comes from the caller's generator, so that a seed is a scenario.

The defaults are the setting in which the judges are compared: 10 s ticks, weights 5, 10, ..., 50 % for 6 ticks each,
10 baseline and 2 canary pods, 0.2 % errors, lognormal latency with a median of 40 ms and a slow hundredth.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.special import ndtr

from canary_analyzer.analysis.histogram import share_above, slowed
from canary_analyzer.analysis.types import ArmCounts, ArmTick, Floats, History, Tick

ISTIO_EDGES_MS = np.array([0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000])
"""Upper edges of the buckets of `istio_request_duration_milliseconds` where ticks have few requests beyond 30 s."""
WEIGHTS = np.repeat(np.arange(5, 55, 5), 6)
"""Per cent of the traffic that the canary gets in each tick of the ramp that judges are compared on."""
TAIL_FACTOR = 6.0
"""How much slower a request of the tail is than one of the body."""
_LONGEST_BURST = 3
"""Ticks; a burst lasts 1, 2 or 3."""
_DRIFT_MEMORY = 0.9
"""What is kept per tick of the drift's deviation: it wanders within some ten ticks."""

Flags = NDArray[np.bool_]


class Latency(Protocol):
    """How long requests take."""

    def below(self, edges_ms: Floats, factor: Floats, more_tail: float) -> Floats:
        """Return the chance [..., B-1] of a latency below each edge.

        Args:
            edges_ms: [B-1] milliseconds.
            factor: [...] every request takes so many times as long.
            more_tail: share of the requests that become `TAIL_FACTOR` times slower still.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Lognormal:
    """A lognormal body, of which the share `tail` is `TAIL_FACTOR` times slower.

    Args:
        median_ms: Median of the body, milliseconds.
        sigma: Standard deviation of the body's log latency.
        tail: Share of slow requests.
    """

    median_ms: float = 40.0
    sigma: float = 0.6
    tail: float = 0.01

    def below(self, edges_ms: Floats, factor: Floats, more_tail: float) -> Floats:
        """See `Latency.below`."""
        tail = self.tail + more_tail
        logs = np.log(edges_ms / (self.median_ms * np.asarray(factor)[..., None]))
        body, slow = ndtr(logs / self.sigma), ndtr((logs - np.log(TAIL_FACTOR)) / self.sigma)
        return np.asarray((1 - tail) * body + tail * slow)


@dataclass(frozen=True, kw_only=True, eq=False)
class Measured:
    """A latency known by its histogram only: `counts` [B] requests in the buckets below `edges_ms` [B-1] and +Inf."""

    counts: Floats
    edges_ms: Floats

    def below(self, edges_ms: Floats, factor: Floats, more_tail: float) -> Floats:
        """See `Latency.below`; `edges_ms` must be the histogram's own."""
        above, times = share_above(self.counts), np.asarray(factor)[..., None]
        body, slow = (1 - slowed(above, edges_ms, times * each) for each in (1.0, TAIL_FACTOR))
        return np.asarray((1 - more_tail) * body + more_tail * slow)


@dataclass(frozen=True, kw_only=True, eq=False)
class Service:
    """What is released, and to whom.

    Args:
        requests_per_second: Of both arms together, on average.
        error_rate: Share of failed requests of the version beside the canary.
        latency: How long that version's requests take.
        canary_pods: Pods of the canary; each gets the same share of its arm's requests.
        baseline_pods: Pods beside it.
        tick_seconds: Length of a tick.
        edges_ms: [B-1] upper edges of the latency buckets.
    """

    requests_per_second: float = 50.0
    error_rate: float = 0.002
    latency: Latency = field(default_factory=Lognormal)
    canary_pods: int = 2
    baseline_pods: int = 10
    tick_seconds: float = 10.0
    edges_ms: Floats = field(default_factory=lambda: ISTIO_EDGES_MS)


@dataclass(frozen=True, kw_only=True)
class Nuisance:
    """What happens and is nobody's fault; by default nothing does.

    Args:
        traffic_swing: Traffic goes up and down by this share, in a wave of random phase and a length of 10-60 ticks.
        drift: Standard deviation of the log latency of both arms, wandering as AR(1).
        shared_bursts: Chance per tick that 1-3 ticks begin in which both arms fail 10 % and take twice as long.
        pod_bursts: Chance per pod and tick that 1-3 ticks begin in which it fails 30 % and takes 3 times as long.
        pod_speed: Standard deviation of the log latency between pods, for the whole run.
        missing: Chance per tick that it is lost: half the time for both arms, else for the canary.
        cold_ticks: First ticks in which the canary takes 3 times as long and fails 5 % more.
    """

    traffic_swing: float = 0.0
    drift: float = 0.0
    shared_bursts: float = 0.0
    pod_bursts: float = 0.0
    pod_speed: float = 0.0
    missing: float = 0.0
    cold_ticks: int = 0


@dataclass(frozen=True, kw_only=True)
class Regression:
    """What is wrong with the canary; by default nothing is.

    Args:
        errors: Added to its error rate.
        failing_pods: How many of its pods have these errors; None: all.
        slower: Every request takes so many times as long.
        more_tail: Share of its requests that are `TAIL_FACTOR` times slower.
        leak: Latency grows in equal steps to so many times as long in the tick `leak_ticks`, and on.
        leak_ticks: How long that takes.
    """

    errors: float = 0.0
    failing_pods: int | None = None
    slower: float = 1.0
    more_tail: float = 0.0
    leak: float = 1.0
    leak_ticks: int = 60

    def times(self, ticks: Floats) -> Floats:
        """Return the factor [...] on latency in the ticks [...] from 0."""
        return np.asarray(self.slower * (1 + (self.leak - 1) * ticks / max(self.leak_ticks - 1, 1)))

    def harmed(self, tick: int, pods: int, tolerated: float) -> float:
        """Return the chance that a request fails, or takes more than `tolerated` times as long, because of this."""
        failing = self.errors * (pods if self.failing_pods is None else self.failing_pods) / pods
        slow = 1.0 if self.times(np.array(float(tick))) > tolerated else self.more_tail
        return 1 - (1 - failing) * (1 - slow)


NOTHING_WRONG = Regression()
QUIET = Nuisance()
NULLS: Mapping[str, Nuisance] = MappingProxyType(
    {
        "independent requests": QUIET,
        "traffic varying by 50 %": Nuisance(traffic_swing=0.5),
        "latency drifting": Nuisance(drift=0.2),
        "bursts shared by both arms": Nuisance(shared_bursts=0.03),
        "bursts on single pods": Nuisance(pod_bursts=0.004),
        "pods differing by 5 %": Nuisance(pod_speed=0.05),
        "all of these together": Nuisance(
            traffic_swing=0.5, drift=0.2, shared_bursts=0.03, pod_bursts=0.004, pod_speed=0.05
        ),
        "ticks missing": Nuisance(missing=0.2),
        "canary cold for 6 ticks": Nuisance(cold_ticks=6),
    }
)
"""What an identical canary must survive; the last one with a warm-up of 60 s in the policy."""
REGRESSIONS: Mapping[str, Regression] = MappingProxyType(
    {
        "errors +1 pp": Regression(errors=0.01),
        "errors +5 pp": Regression(errors=0.05),
        "one of two pods fails 20 %": Regression(errors=0.20, failing_pods=1),
        "latency x1.25": Regression(slower=1.25),
        "latency x1.5": Regression(slower=1.5),
        "latency x2": Regression(slower=2.0),
        "3 % more tail": Regression(more_tail=0.03),
        "leak growing to x2": Regression(leak=2.0),
        "outage": Regression(errors=0.90),
    }
)
"""What a judge must find."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ArmConditions:
    """How an arm's P pods fare in T ticks: chance of failure and factor on latency [T, P], and whether data is lost."""

    failing: Floats
    slow: Floats
    more_tail: float
    lost: Flags

    def counts(self, ticks: slice, requests: NDArray[np.int64], service: Service, rng: Generator) -> ArmCounts:
        """Draw what becomes of so many requests in each of these ticks."""
        failing, slow = self.failing[ticks], self.slow[ticks]
        answered = np.where(self.lost[ticks], 0, requests)
        per_pod = rng.multinomial(answered, np.full(slow.shape[1], 1 / slow.shape[1]))
        below = service.latency.below(service.edges_ms, slow, self.more_tail)
        shares = np.maximum(np.diff(below, prepend=0.0, append=1.0, axis=-1), 0.0)
        return ArmCounts(
            requests=answered,
            errors=rng.binomial(per_pod, failing).sum(axis=1),
            latency=rng.multinomial(per_pod, shares / shares.sum(axis=-1, keepdims=True)).sum(axis=1),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class World:
    """What T ticks will bring whatever weight the canary gets: traffic, drift, bursts.

    Args:
        service: What is released.
        regression: What is wrong with it.
        traffic: [T] requests expected in each tick, both arms together.
        canary: How its pods fare.
        baseline: How the pods beside it fare.
    """

    service: Service
    regression: Regression
    traffic: Floats
    canary: ArmConditions
    baseline: ArmConditions

    def history(self, weights: Floats, rng: Generator) -> History:
        """Draw all ticks; `weights` [T] in per cent."""
        canary, baseline = self._arms(slice(None), weights, rng)
        service = self.service
        return History(tick_seconds=service.tick_seconds, edges_ms=service.edges_ms, canary=canary, baseline=baseline)

    def tick(self, index: int, weight: float, rng: Generator) -> Tick:
        """Draw one tick, at a weight in per cent that may depend on the ticks before it."""
        canary, baseline = self._arms(slice(index, index + 1), np.array([weight]), rng)
        return Tick(canary=_only(canary), baseline=_only(baseline))

    def _arms(self, ticks: slice, weights: Floats, rng: Generator) -> tuple[ArmCounts, ArmCounts]:
        total = rng.poisson(self.traffic[ticks])
        to_canary = rng.binomial(total, weights / 100)
        return (
            self.canary.counts(ticks, to_canary, self.service, rng),
            self.baseline.counts(ticks, total - to_canary, self.service, rng),
        )


def world(service: Service, nuisance: Nuisance, regression: Regression, ticks: int, rng: Generator) -> World:
    """Draw what so many ticks will bring."""
    errors, slow = _shared(nuisance, ticks, rng)
    lost = _lost(nuisance, ticks, rng)
    baseline = _arm(service, nuisance, service.baseline_pods, (errors, slow), rng)
    canary = _worse(_arm(service, nuisance, service.canary_pods, (errors, slow), rng), nuisance, regression)
    wave = np.sin(2 * np.pi * (np.arange(ticks) / rng.uniform(10, 60) + rng.random()))
    return World(
        service=service,
        regression=regression,
        traffic=service.requests_per_second * service.tick_seconds * (1 + nuisance.traffic_swing * wave),
        canary=ArmConditions(failing=canary[0], slow=canary[1], more_tail=regression.more_tail, lost=lost[0]),
        baseline=ArmConditions(failing=baseline[0], slow=baseline[1], more_tail=0.0, lost=lost[1]),
    )


def history(
    rng: Generator,
    service: Service | None = None,
    nuisance: Nuisance = QUIET,
    regression: Regression = NOTHING_WRONG,
    weights: Floats | NDArray[np.int64] = WEIGHTS,
) -> History:
    """Draw one canary's whole history, at weights [T] in per cent; by default an identical canary in the setting."""
    drawn = world(service or Service(), nuisance, regression, weights.size, rng)
    return drawn.history(np.asarray(weights, dtype=np.float64), rng)


def _shared(nuisance: Nuisance, ticks: int, rng: Generator) -> tuple[Floats, Floats]:
    """Return [T] errors and factor on latency that both arms suffer."""
    wander = np.zeros(ticks)
    shocks = rng.normal(0, nuisance.drift, ticks)
    wander[0] = shocks[0]
    for t in range(1, ticks):
        wander[t] = _DRIFT_MEMORY * wander[t - 1] + np.sqrt(1 - _DRIFT_MEMORY**2) * shocks[t]
    burst = _bursts(nuisance.shared_bursts, (ticks, 1), rng)[:, 0]
    return np.where(burst, 0.1, 0.0), np.asarray(np.exp(wander) * np.where(burst, 2.0, 1.0), dtype=np.float64)


def _bursts(chance: float, shape: tuple[int, int], rng: Generator) -> Flags:
    """Return [T, P] whether a burst is on."""
    begins, length = rng.random(shape) < chance, rng.integers(1, _LONGEST_BURST + 1, shape)
    on = np.zeros(shape, dtype=np.bool_)
    for since in range(_LONGEST_BURST):
        on[since:] |= (begins & (length > since))[: shape[0] - since]
    return on


def _lost(nuisance: Nuisance, ticks: int, rng: Generator) -> Flags:
    """Return [2, T] whether the canary's and the baseline's data is lost."""
    draw = rng.random(ticks)
    return np.stack((draw < nuisance.missing, draw < nuisance.missing / 2))


def _arm(
    service: Service, nuisance: Nuisance, pods: int, shared: tuple[Floats, Floats], rng: Generator
) -> tuple[Floats, Floats]:
    """Return chance of failure and factor on latency [T, P] of pods with which nothing is wrong."""
    errors, slow = shared
    burst = _bursts(nuisance.pod_bursts, (errors.size, pods), rng)
    speed: Floats = np.exp(rng.normal(0, nuisance.pod_speed, pods))
    failing: Floats = np.where(burst, 0.3, np.minimum(service.error_rate + errors, 1.0)[:, None])
    return failing, np.asarray(slow[:, None] * speed * np.where(burst, 3.0, 1.0), dtype=np.float64)


def _worse(arm: tuple[Floats, Floats], nuisance: Nuisance, regression: Regression) -> tuple[Floats, Floats]:
    """Return the canary's chance of failure and factor on latency [T, P], cold at first and as bad as it is."""
    failing, slow = arm
    ticks, pods = failing.shape
    cold = (np.arange(ticks) < nuisance.cold_ticks)[:, None]
    added = np.where(np.arange(pods) < (pods if regression.failing_pods is None else regression.failing_pods), 1, 0)
    times = regression.times(np.arange(float(ticks)))[:, None]
    worse = failing + 0.05 * cold + regression.errors * added
    return np.minimum(worse, 1.0), slow * np.where(cold, 3.0, 1.0) * times


def _only(arm: ArmCounts) -> ArmTick:
    """Return the single tick of an arm."""
    return ArmTick(requests=int(arm.requests[0]), errors=int(arm.errors[0]), latency=arm.latency[0])

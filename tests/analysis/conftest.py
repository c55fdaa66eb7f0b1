"""A service under a canary, simulated: pods, bursts, drift, weights."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest
from scipy.special import ndtr

from canary_analyzer.analysis import ArmCounts, History

EDGES_MS = np.array([0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000])
"""Istio's buckets."""
RAMP = np.repeat(np.arange(0.05, 0.55, 0.05), 6)


@dataclass(frozen=True, kw_only=True)
class Service:
    """What is released, to whom, and what is wrong with the canary; by default nothing is."""

    weights: np.ndarray = field(default_factory=lambda: RAMP)
    requests_per_tick: float = 500.0
    tick_seconds: float = 10.0
    pods: tuple[int, int] = (2, 10)
    error_rate: float = 0.002
    median_ms: float = 40.0
    sigma: float = 0.6
    tail: float = 0.01
    traffic_swing: float = 0.0
    drift: float = 0.0
    shared_bursts: float = 0.0
    pod_bursts: float = 0.0
    more_errors: float = 0.0
    failing_pods: int | None = None
    slower: float = 1.0
    more_tail: float = 0.0
    leak: float = 1.0


@pytest.fixture
def simulate() -> Callable[..., History]:
    """Return a function of a seed and of the fields of `Service`."""

    def run(seed: int, **fields: object) -> History:
        service, rng = Service(**fields), np.random.default_rng(seed)
        ticks = service.weights.size
        level = 1 + service.traffic_swing * np.sin(np.arange(ticks) / 5)
        total = rng.poisson(service.requests_per_tick * level)
        to_canary = rng.binomial(total, service.weights)
        common = _common(service, rng)
        arms = [
            _arm(service, rng, requests, common, is_canary=is_canary)
            for requests, is_canary in ((to_canary, True), (total - to_canary, False))
        ]
        return History(tick_seconds=service.tick_seconds, edges_ms=EDGES_MS, canary=arms[0], baseline=arms[1])

    return run


def _common(service: Service, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return what happens to both arms in each tick: more errors, and a factor on latency."""
    ticks = service.weights.size
    wander = np.zeros(ticks)
    for t in range(1, ticks):
        wander[t] = 0.9 * wander[t - 1] + rng.normal(0, service.drift)
    burst = _bursts(rng, service.shared_bursts, (ticks, 1))[:, 0]
    return 0.1 * burst, np.exp(wander) * (1 + burst)


def _bursts(rng: np.random.Generator, chance: float, shape: tuple[int, int]) -> np.ndarray:
    """Return [T, pods] whether a burst of one to three ticks is on."""
    begins, length = rng.random(shape) < chance, rng.integers(1, 4, shape)
    on = np.zeros(shape, dtype=bool)
    for back in range(3):
        on[back:] |= (begins & (length > back))[: shape[0] - back]
    return on


def _arm(
    service: Service, rng: np.random.Generator, requests: np.ndarray, common: tuple, *, is_canary: bool
) -> ArmCounts:
    pods = service.pods[0] if is_canary else service.pods[1]
    burst = _bursts(rng, service.pod_bursts, (requests.size, pods))
    per_pod = rng.multinomial(requests, np.full(pods, 1 / pods))
    bad = np.full((requests.size, pods), service.error_rate) + common[0][:, None]
    bad[burst] = 0.3
    slow = np.where(burst, 3.0, 1.0) * common[1][:, None]
    if is_canary:
        bad[:, : service.failing_pods] += service.more_errors
        slow = slow * service.slower * np.linspace(1, service.leak, requests.size)[:, None]
    tail = service.tail + (service.more_tail if is_canary else 0.0)
    below = np.log(EDGES_MS / (service.median_ms * slow[..., None]))
    below = (1 - tail) * ndtr(below / service.sigma) + tail * ndtr((below - np.log(6)) / service.sigma)
    shares = np.diff(below, prepend=0.0, append=1.0, axis=-1)
    return ArmCounts(
        requests=requests,
        errors=rng.binomial(per_pod, np.minimum(bad, 1)).sum(axis=1),
        latency=rng.multinomial(per_pod, shares).sum(axis=1),
    )

"""The limit: a sequential test that knows how the canary would be good, and how it is bad, and that nothing else is.

Likelihood ratio of the canary's errors and latency buckets under the regression against those of an identical canary,
multiplied over the ticks; an e-process, so that it may be looked at after every tick at the same alpha (Wald,
"Sequential tests of statistical hypotheses" (1945)). A judge that must learn the baseline as it goes will be slower.
"""

import numpy as np
from scipy.special import xlog1py, xlogy

from canary_analyzer.analysis import History
from canary_analyzer.analysis.scenarios import NOTHING_WRONG, Regression, Service


def abort_tick(history: History, service: Service, regression: Regression, alpha: float) -> int | None:
    """Return the first tick, from 0, at which the likelihood ratio reaches 1 / alpha; None if it never does."""
    canary, ticks = history.canary, np.arange(history.canary.requests.size)
    good, bad = (error_rates(service, each, ticks.size) for each in (NOTHING_WRONG, regression))
    errors = xlogy(canary.errors, bad / good) + xlog1py(canary.requests - canary.errors, -bad)
    errors -= xlog1py(canary.requests - canary.errors, -good)
    fast, slow = (bucket_shares(service, each, ticks.size) for each in (NOTHING_WRONG, regression))
    latency = np.sum(xlogy(canary.latency, slow / fast), axis=1)
    crossed = np.flatnonzero(np.cumsum(errors + latency) >= -np.log(alpha))
    return int(crossed[0]) if crossed.size else None


def error_rates(service: Service, regression: Regression, ticks: int) -> np.ndarray:
    """Return [T] the chance that a request of the canary fails."""
    pods = service.canary_pods
    share = 1.0 if regression.failing_pods is None else regression.failing_pods / pods
    return np.full(ticks, min(1.0, service.error_rate + share * regression.errors))


def bucket_shares(service: Service, regression: Regression, ticks: int) -> np.ndarray:
    """Return [T, B] the chance that a request of the canary falls in each bucket."""
    times = regression.times(np.arange(float(ticks)))
    below = service.latency.below(service.edges_ms, times, regression.more_tail)
    return np.maximum(np.diff(below, prepend=0.0, append=1.0, axis=-1), 1e-300)

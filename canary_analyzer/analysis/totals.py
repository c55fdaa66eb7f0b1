"""Sums over the ticks that counted, from which effects and their intervals are read."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from canary_analyzer.analysis.histogram import quantiles
from canary_analyzer.analysis.intervals import CONFIDENCE, share_bounds
from canary_analyzer.analysis.types import Floats


@dataclass(frozen=True, kw_only=True)
class Effect:
    """A figure of both arms, their comparison, and its 95 % interval; NaN without data."""

    canary: float
    baseline: float
    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Matched:
    """Counts of both arms, the baseline's ticks weighted like the canary's.

    When the weight moves while the common rate drifts, sums over ticks compare the canary's evening with the baseline's
    morning. So each tick of the baseline counts as often as the canary's (direct standardisation), and
    `variance_weight` keeps what that costs: the weighted baseline is worth canary^2 / variance_weight requests.

    Args:
        canary: [B] requests of the canary by bucket.
        baseline: [B] baseline's requests by bucket, scaled in each tick to the canary's number.
        variance_weight: Sum of n_c^2 / n_b.
        requests: The baseline's requests, unweighted.
    """

    canary: Floats
    baseline: Floats
    variance_weight: float
    requests: float

    @classmethod
    def none(cls, buckets: int) -> Self:
        """Return the sums before any tick."""
        return cls(canary=np.zeros(buckets), baseline=np.zeros(buckets), variance_weight=0.0, requests=0.0)

    def after(self, canary: Floats, baseline: Floats) -> "Matched":
        """Return the sums after one more tick; a tick that one arm did not see has nothing to compare."""
        n_canary, n_baseline = float(canary.sum()), float(baseline.sum())
        if not n_canary or not n_baseline:
            return self
        return Matched(
            canary=self.canary + canary,
            baseline=self.baseline + baseline * (n_canary / n_baseline),
            variance_weight=self.variance_weight + n_canary * (n_canary / n_baseline),
            requests=self.requests + n_baseline,
        )

    @property
    def n_canary(self) -> int:
        """Requests of the canary."""
        return int(self.canary.sum())

    @property
    def n_baseline(self) -> int:
        """Requests of the baseline."""
        return int(self.requests)

    def worth(self) -> tuple[Floats, Floats]:
        """Return [2, B] counts of canary and weighted baseline as if from independent requests, and their sums [2]."""
        scale = float(self.canary.sum()) / self.variance_weight if self.variance_weight else 0.0
        counts = np.stack((self.canary, self.baseline * scale))
        return counts, counts.sum(axis=1)


def error_effect(matched: Matched) -> Effect:
    """Return both error rates, their difference and its interval."""
    counts, trials = matched.worth()
    if not trials.all():
        return _unknown()
    rates = counts[:, 1] / trials
    low, high = share_bounds(counts[:, 1], trials, (1 - CONFIDENCE) / 2)
    return Effect(
        canary=float(rates[0]),
        baseline=float(rates[1]),
        value=float(rates[0] - rates[1]),
        low=float(low[0] - high[1]),
        high=float(high[0] - low[1]),
    )


def quantile_effects(matched: Matched, edges_ms: Floats, ranks: tuple[float, ...]) -> tuple[Effect, ...]:
    """Return for each rank both arms' latency in milliseconds, their ratio and its interval.

    A quantile lies between the sample quantiles at the bounds of its rank (Howard & Ramdas, "Sequential estimation of
    quantiles" (2022), section 3).
    """
    counts, trials = matched.worth()
    if not trials.all() or not edges_ms.size:
        return tuple(_unknown() for _ in ranks)
    rank = np.asarray(ranks)
    low, high = share_bounds(
        rank * trials[:, None], np.broadcast_to(trials[:, None], (2, rank.size)), (1 - CONFIDENCE) / 2
    )
    bounds = [quantiles(counts[arm], edges_ms, np.array((low[arm], high[arm]))) for arm in (0, 1)]
    (low_c, high_c), (low_b, high_b) = bounds
    value_c, value_b = (quantiles(counts[arm], edges_ms, np.minimum(rank, 1 - 0.5 / trials[arm])) for arm in (0, 1))
    return tuple(
        Effect(
            canary=float(value_c[i]),
            baseline=float(value_b[i]),
            value=float(value_c[i] / value_b[i]),
            low=float(low_c[i] / high_b[i]),
            high=float(high_c[i] / low_b[i]) if low_b[i] else float("inf"),
        )
        for i in range(rank.size)
    )


def _unknown() -> Effect:
    nan = float("nan")
    return Effect(canary=nan, baseline=nan, value=nan, low=nan, high=nan)

"""Sums over the ticks that counted, from which effects and their intervals are read."""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np

from canary_analyzer.analysis.histogram import nearest_edges, quantile_curves, share_above
from canary_analyzer.analysis.intervals import CONFIDENCE, share_bounds
from canary_analyzer.analysis.types import Floats, Interval

_NO_MORE_THAN_CHANCE = 3.0
"""Ticks that the prior is worth that requests are independent."""
_MAY_BE_A_BURST = 5.0
"""How much more the first tick may differ; the doubt fades with the square of the ticks, since bursts are short."""


@dataclass(frozen=True, kw_only=True)
class Effect:
    """A figure of both arms, their comparison, and its 95 % interval; NaN without data.

    Args:
        canary: The canary's figure.
        baseline: The baseline's.
        value: Their difference (shares) or ratio (quantiles).
        low: Lower end of its interval.
        high: Upper end.
        ratio: Of shares, their ratio beside the difference, with its interval.
    """

    canary: float
    baseline: float
    value: float
    low: float
    high: float
    ratio: Interval | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Matched:
    """Counts of both arms, the baseline's ticks weighted like the canary's.

    When the weight moves while the common rate drifts, sums over ticks compare the canary's evening with the baseline's
    morning. So each tick of the baseline counts as often as the canary's (direct standardisation), and
    `variance_weight` keeps what that costs: the weighted baseline is worth canary^2 / variance_weight requests.

    When requests come in clusters, because a pod has a bad minute, the difference between the arms varies more from
    tick to tick than independent requests would, and counts are worth less by that factor (Pearson's dispersion). What
    neither arm has shown yet, such as the first bad minute of a canary that is going to have some, no factor knows of.

    Args:
        canary: [B] requests of the canary by bucket.
        baseline: [B] baseline's requests by bucket, scaled in each tick to the canary's number.
        variance_weight: Sum of n_c^2 / n_b.
        counted: The canary's requests.
        requests: The baseline's requests, unweighted.
        compared: Ticks whose difference was compared with that of the ticks before.
        wander: [B-1] per edge, sum of squares of what it then differed by, in sigmas of independent requests.
    """

    canary: Floats
    baseline: Floats
    variance_weight: float
    counted: float
    requests: float
    compared: int
    wander: Floats

    @classmethod
    def none(cls, buckets: int) -> Self:
        """Return the sums before any tick."""
        nothing = np.zeros(buckets)
        return cls(
            canary=nothing,
            baseline=nothing,
            variance_weight=0.0,
            counted=0.0,
            requests=0.0,
            compared=0,
            wander=np.zeros(max(buckets - 1, 0)),
        )

    def after(self, canary: Floats, baseline: Floats) -> "Matched":
        """Return the sums after one more tick; a tick that one arm did not see has nothing to compare."""
        n_canary, n_baseline = float(canary.sum()), float(baseline.sum())
        if not n_canary or not n_baseline:
            return self
        matched = baseline * (n_canary / n_baseline)
        cost = n_canary * (n_canary / n_baseline)
        return Matched(
            canary=self.canary + canary,
            baseline=self.baseline + matched,
            variance_weight=self.variance_weight + cost,
            counted=self.counted + n_canary,
            requests=self.requests + n_baseline,
            compared=self.compared + (self.counted > 0),
            wander=self.wander + self._surprise(canary, matched, n_canary, cost) if self.counted else self.wander,
        )

    def _surprise(self, canary: Floats, matched: Floats, now: float, cost: float) -> Floats:
        """Return per edge [B-1] the square of what a tick's difference differs by from that of the ticks before."""
        before = self.counted
        below = np.array((canary, matched, self.canary, self.baseline)).cumsum(axis=1)[:, :-1]
        share = (below[:2] + below[2:] + 0.5) / (now + before + 1)
        difference = (below[0] - below[1]) / now - (below[2] - below[3]) / before
        of_canary, of_baseline = 1 / now + 1 / before, cost / now**2 + self.variance_weight / before**2
        variance = share * (1 - share)
        return np.asarray(difference**2 / (variance[0] * of_canary + variance[1] * of_baseline))

    @property
    def n_canary(self) -> int:
        """Requests of the canary."""
        return int(self.counted)

    @property
    def n_baseline(self) -> int:
        """Requests of the baseline."""
        return int(self.requests)

    def dispersion(self) -> Floats:
        """Return per edge [B-1] how much more than independent requests the ticks differ, at least 1.

        What exceeds chance by a standard deviation counts twice: it comes from a few bursts, and of so few there might
        as well have been twice as many. The first ticks may all be one burst, which nothing contradicts yet.
        """
        ticks = _NO_MORE_THAN_CHANCE + self.compared
        beyond = (_NO_MORE_THAN_CHANCE + self.wander) / ticks - 1 - math.sqrt(2 / ticks)
        return np.asarray((1 + 2 * np.maximum(beyond, 0.0)) * (1 + _MAY_BE_A_BURST / (1 + self.compared) ** 2))

    def worth(self) -> tuple[Floats, Floats]:
        """Return [2, B] counts of canary and weighted baseline as if from independent requests, and their sums [2]."""
        scale = self.counted / self.variance_weight if self.variance_weight else 0.0
        counts = np.array((self.canary, self.baseline * scale))
        return counts, counts.sum(axis=1)


def error_effect(matched: Matched) -> Effect:
    """Return both rates of bad requests, their difference and their ratio, each with its interval."""
    counts, trials = matched.worth()
    if not trials.all():
        return _unknown()
    rates, dispersion = counts[:, 1] / trials, matched.dispersion()
    low, high = share_bounds(counts[:, 1] / dispersion, trials / dispersion, (1 - CONFIDENCE) / 2)
    return Effect(
        canary=float(rates[0]),
        baseline=float(rates[1]),
        value=float(rates[0] - rates[1]),
        low=float(low[0] - high[1]),
        high=float(high[0] - low[1]),
        ratio=Interval(value=_over(rates[0], rates[1]), low=_over(low[0], high[1]), high=_over(high[0], low[1])),
    )


def quantile_effects(matched: Matched, edges_ms: Floats, ranks: tuple[float, ...]) -> tuple[Effect, ...]:
    """Return for each rank both arms' latency in milliseconds, their ratio and its interval.

    A quantile lies between the sample quantiles at the bounds of its rank (Howard & Ramdas, "Sequential estimation of
    quantiles" (2022), section 3). Where between two edges a latency lies nobody knows: the interval holds the ratio by
    every curve of `quantile_curves`, the same for both arms, since what one shape bends in one arm it bends in both.
    """
    counts, trials = matched.worth()
    if not trials.all() or not edges_ms.size:
        return tuple(_unknown() for _ in ranks)
    rank = np.asarray(ranks)
    worth = _worth_at(matched, rank, trials)
    low, high = share_bounds(rank * worth, worth, (1 - CONFIDENCE) / 2)
    shown = np.minimum(rank, 1 - 0.5 / trials[:, None])
    curves = quantile_curves(counts, edges_ms, np.concatenate((low, shown, high), axis=1))
    (low_c, value_c, high_c), (low_b, value_b, high_b) = curves.reshape(2, 3, rank.size, 3)
    lowest, highest = _ratios(np.array((low_c, high_c)), np.array((high_b, low_b)))
    value = value_c[:, 0] / value_b[:, 0]
    rows = np.array((value_c[:, 0], value_b[:, 0], value, lowest.min(axis=1), highest.max(axis=1))).T.tolist()
    return tuple(Effect(canary=c, baseline=b, value=v, low=low, high=high) for c, b, v, low, high in rows)


def _worth_at(matched: Matched, ranks: Floats, trials: Floats) -> Floats:
    """Return what each arm's requests [2] are worth as independent ones at each rank [2, Q]."""
    edges = nearest_edges(share_above(matched.canary + matched.baseline), ranks)
    return np.asarray(trials[:, None] / matched.dispersion()[edges])


def _ratios(values: Floats, others: Floats) -> Floats:
    """Return the ratios; infinity where nothing bounds them above."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(others > 0, values / others, np.inf))


def _over(value: float, other: float) -> float:
    """Return the ratio; infinity where nothing bounds it above."""
    return float(value) / float(other) if other else float("inf")  # numpy warns where this overflows to infinity


def _unknown() -> Effect:
    nan = float("nan")
    return Effect(canary=nan, baseline=nan, value=nan, low=nan, high=nan)

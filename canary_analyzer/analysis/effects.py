"""How large the effects are, with their intervals: read from the sums of a run, or of many runs at once.

Many at once cost little more than one: what is paid for is numpy's calls, not its numbers.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self, TypeVar

import numpy as np

from canary_analyzer.analysis.histogram import nearest_edges, quantile_curves, share_above
from canary_analyzer.analysis.intervals import CONFIDENCE, share_bounds
from canary_analyzer.analysis.totals import Matched
from canary_analyzer.analysis.types import Floats, Interval

Found = TypeVar("Found")

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


_NAN = float("nan")
_UNKNOWN = Effect(canary=_NAN, baseline=_NAN, value=_NAN, low=_NAN, high=_NAN)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Worth:
    """What the sums of N runs are worth.

    Args:
        counts: [N, 2, B] of canary and weighted baseline as if from independent requests.
        trials: [N, 2] their sums.
        both: [N, B] requests of both arms, the baseline's scaled to the canary's number.
        dispersion: [N, B-1] per edge, how much more than independent requests the ticks differ, at least 1.
    """

    counts: Floats
    trials: Floats
    both: Floats
    dispersion: Floats

    @classmethod
    def of(cls, many: Sequence[Matched]) -> Self:
        """Take it from sums that have requests."""
        sums = np.array([(one.canary, one.baseline) for one in many])
        scales = np.array([[[1.0], [one.counted / one.variance_weight]] for one in many])
        counts = sums * scales
        return cls(counts=counts, trials=counts.sum(axis=-1), both=sums.sum(axis=1), dispersion=_dispersion(many))


def _dispersion(many: Sequence[Matched]) -> Floats:
    """Return the dispersion [N, B-1].

    What exceeds chance by a standard deviation counts twice: it comes from a few bursts, and of so few there might
    as well have been twice as many. The first ticks may all be one burst, which nothing contradicts yet.
    """
    compared, wander = np.array([[one.compared] for one in many]), np.array([one.wander for one in many])
    ticks = _NO_MORE_THAN_CHANCE + compared
    beyond = (_NO_MORE_THAN_CHANCE + wander) / ticks - 1 - np.sqrt(2 / ticks)
    return np.asarray((1 + 2 * np.maximum(beyond, 0.0)) * (1 + _MAY_BE_A_BURST / (1 + compared) ** 2))


def error_effects(many: Sequence[Matched]) -> list[Effect]:
    """Return of each run both rates of bad requests, their difference and their ratio, each with its interval."""
    return _where_known(many, _error_effects, _UNKNOWN)


def quantile_effects(many: Sequence[Matched], edges_ms: Floats, ranks: tuple[float, ...]) -> list[tuple[Effect, ...]]:
    """Return of each run, for each rank, both arms' latency in milliseconds, their ratio and its interval.

    A quantile lies between the sample quantiles at the bounds of its rank (Howard & Ramdas, "Sequential estimation of
    quantiles" (2022), section 3). Where between two edges a latency lies nobody knows: the interval holds the ratio by
    every curve of `quantile_curves`, the same for both arms, since what one shape bends in one arm it bends in both.
    """
    unknown = tuple(_UNKNOWN for _ in ranks)
    if not edges_ms.size:
        return [unknown for _ in many]
    return _where_known(many, lambda worth: _quantile_effects(worth, edges_ms, np.asarray(ranks)), unknown)


def _where_known(many: Sequence[Matched], effects_of: Callable[[_Worth], list[Found]], unknown: Found) -> list[Found]:
    known = [one for one in many if one.requests]
    found = iter(effects_of(_Worth.of(known)) if known else ())
    return [next(found) if one.requests else unknown for one in many]


def _error_effects(worth: _Worth) -> list[Effect]:
    bad, trials, dispersion = worth.counts[..., 1], worth.trials, worth.dispersion
    low, high = share_bounds(bad / dispersion, trials / dispersion, (1 - CONFIDENCE) / 2)
    return [_difference(*each) for each in zip((bad / trials).tolist(), low.tolist(), high.tolist(), strict=True)]


def _difference(rates: Sequence[float], low: Sequence[float], high: Sequence[float]) -> Effect:
    """Return the effect of the rates of canary and baseline [2], given their bounds."""
    return Effect(
        canary=rates[0],
        baseline=rates[1],
        value=rates[0] - rates[1],
        low=low[0] - high[1],
        high=high[0] - low[1],
        ratio=Interval(value=_over(rates[0], rates[1]), low=_over(low[0], high[1]), high=_over(high[0], low[1])),
    )


def _quantile_effects(worth: _Worth, edges_ms: Floats, ranks: Floats) -> list[tuple[Effect, ...]]:
    independent = _worth_at(worth, ranks)
    low, high = share_bounds(ranks * independent, independent, (1 - CONFIDENCE) / 2)
    shown = np.minimum(ranks, 1 - 0.5 / worth.trials[..., None])
    curves = quantile_curves(worth.counts, edges_ms, np.concatenate((low, shown, high), axis=-1))
    (low_c, value_c, high_c), (low_b, value_b, high_b) = curves.reshape(-1, 2, 3, ranks.size, 3).transpose(
        1, 2, 0, 3, 4
    )
    lowest, highest = _ratios(np.array((low_c, high_c)), np.array((high_b, low_b)))
    canary, baseline = value_c[..., 0], value_b[..., 0]
    rows = np.array((canary, baseline, canary / baseline, lowest.min(axis=-1), highest.max(axis=-1)))
    return [
        tuple(Effect(canary=c, baseline=b, value=v, low=low, high=high) for c, b, v, low, high in of_one)
        for of_one in rows.transpose(1, 2, 0).tolist()
    ]


def _worth_at(worth: _Worth, ranks: Floats) -> Floats:
    """Return what each arm's requests are worth as independent ones at each rank [N, 2, Q]."""
    edges, runs = nearest_edges(share_above(worth.both), ranks), np.arange(len(worth.both))
    return np.asarray(worth.trials[..., None] / worth.dispersion[runs[:, None], edges][:, None])


def _ratios(values: Floats, others: Floats) -> Floats:
    """Return the ratios; infinity where nothing bounds them above."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(others > 0, values / others, np.inf))


def _over(value: float, other: float) -> float:
    """Return the ratio; infinity where nothing bounds it above."""
    return value / other if other else float("inf")

"""One tick as numbers to bet on: a stream per kind of bad request, errors first, then latency.

Latency streams score every request between 0 and 1 by its bucket. One stream per quantile asks "slower than the edge
nearest to that quantile?". Two stand beside: how slow on the whole, by rank among the baseline's requests (its ridit),
and "slower than the edge beyond the highest quantile's?", where a new tail shows first when edges are coarse. What is
usual, and what a canary within tolerance may reach, comes from the baseline's ticks before this one, so that every bet
is fixed before its outcome is seen.
"""

from dataclasses import dataclass, fields

import numpy as np

from canary_analyzer.analysis import betting
from canary_analyzer.analysis.histogram import nearest_edges, share_above, slowed
from canary_analyzer.analysis.policy import ErrorTolerance, LatencyTolerance, Policy
from canary_analyzer.analysis.types import ArmTick, Floats, Tick
from canary_analyzer.analysis.usual import Usual

_ENOUGH = 0.4
"""Variance of the canary's bad requests in a tick from which on its excess counts; below, one is an outlier."""
_CORRECTION = 0.375
"""Anscombe's: without it the mean of the root of a count falls short of the root of its mean, with it it exceeds it."""
BESIDES = 2
"""Latency streams beside those of the quantiles: the whole histogram, and beyond the tail."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Bets:
    """What one tick offers, per stream [S]; every number but the outcomes is known before the tick.

    Args:
        payoff: [2, S] outcome of betting that the canary is beyond tolerance, and that it is within: mean at most 0
            while it is not.
        limit: [2, S] the share of bad requests that is fair: the canary's, and in the reverse bet the baseline's.
        expected: Bad requests expected in the tick.
        excess: [2, S] what the canary exceeds the tolerated by, and what it stays below it by, in standard errors of
            independent requests; rather too small than too large.
        steady: Whether that excess counts: enough bad requests were expected.
    """

    payoff: Floats
    limit: Floats
    expected: Floats
    excess: Floats
    steady: np.ndarray[tuple[int], np.dtype[np.bool_]]


def tick_bets(tick: Tick, usual: Usual, edges_ms: Floats, policy: Policy) -> Bets:
    """Return all streams of a tick with traffic on both arms; `usual` is the baseline before it."""
    errors = _error_bets(tick, usual.error_rate(), policy.errors)
    if _has_latency(tick.canary) and _has_latency(tick.baseline):
        latency = _latency_bets(tick, _reference(tick, usual), edges_ms, policy.latency)
    else:
        latency = _nothing_to_bet_on(len(policy.latency.quantiles) + BESIDES)
    names = (field.name for field in fields(Bets))
    return Bets(**{name: np.concatenate((getattr(errors, name), getattr(latency, name)), axis=-1) for name in names})


def _reference(tick: Tick, usual: Usual) -> Floats:
    """Return the latencies that bets are sized by: the baseline's of late; in the very first tick, both arms' together.

    Which arm a request of the first tick belongs to is not looked at, so that bets on that stay fair.
    """
    return usual.latency if usual.latency.any() else (tick.canary.latency + tick.baseline.latency).astype(np.float64)


def _error_bets(tick: Tick, usual_rate: float, tolerance: ErrorTolerance) -> Bets:
    """Return the one stream of failed requests.

    Tolerated is the larger of two allowances. Where the relative one is larger, the bet against the canary pays the
    lesser of two outcomes, so it is fair whichever allowance holds. Where errors are rare the absolute allowance alone
    decides, and the relative one only in a tick in which the baseline itself surges. A canary beyond tolerance is
    beyond both, so the reverse bet may pick either.
    """
    canary, baseline = tick.canary, tick.baseline
    bad, n = np.array([canary.errors]), float(canary.requests)
    limits = _limit(n, baseline.requests, np.array([1 + tolerance.relative, 1.0]))
    allowance = baseline.requests * tolerance.absolute
    relative = betting.share_payoff(bad, np.array([baseline.errors]), limits[:1])
    absolute = np.array([betting.excess_payoff(canary.errors, baseline.errors, allowance, limits[1])])
    rare = tolerance.absolute >= tolerance.relative * usual_rate
    limit = limits[1:] if rare else limits[:1]
    calm = rare and not _surges(baseline, tolerance)
    beyond = absolute if calm else np.maximum(np.minimum(relative, absolute), -limit)
    tolerated = _tolerated_rate(usual_rate, tolerance)
    seen = [_tolerated_rate((baseline.errors + c) / baseline.requests, tolerance) for c in (_CORRECTION, 0.0)]
    return Bets(
        payoff=np.array((beyond, -absolute if rare else -relative)),
        limit=np.array((limit, 1 - limit)),
        expected=np.array([usual_rate * (n + baseline.requests) + allowance * rare]),
        excess=_excess(bad, n, np.array(seen)[:, None], np.array([1 / n + tolerated / usual_rate / baseline.requests])),
        steady=np.array([n * tolerated * (1 - tolerated) >= _ENOUGH]),
    )


def _surges(baseline: ArmTick, tolerance: ErrorTolerance) -> bool:
    """Return whether the baseline clearly fails so often in this tick that the relative allowance is the larger."""
    allowance = baseline.requests * tolerance.absolute
    return bool(tolerance.relative * (baseline.errors - 3 * np.sqrt(baseline.errors)) > allowance)


def _tolerated_rate(rate: float, tolerance: ErrorTolerance) -> float:
    return min(1.0, max(rate * (1 + tolerance.relative), rate + tolerance.absolute))


def _latency_bets(tick: Tick, reference: Floats, edges_ms: Floats, tolerance: LatencyTolerance) -> Bets:
    """Return a stream per quantile and those beside; `reference` [B] are earlier requests of the baseline."""
    above = share_above(reference)
    weights = _weights(above, np.asarray(tolerance.quantiles))
    shares = np.array((_shares(above), _shares(slowed(above, edges_ms, 1 + tolerance.relative))))
    usual, tolerated = means = shares @ weights.T
    variances = shares @ (weights**2).T - means**2
    spread = variances / (means * (1 - means))
    ratio = tolerated / usual
    n_canary, n_baseline = float(tick.canary.latency.sum()), float(tick.baseline.latency.sum())
    slow_canary, slow_baseline = weights @ tick.canary.latency, weights @ tick.baseline.latency
    seen = ratio * (slow_baseline + spread[0] * np.array([[_CORRECTION], [0.0]])) / n_baseline
    limit = _limit(n_canary, n_baseline, ratio)
    payoff = betting.share_payoff(slow_canary, slow_baseline, limit)
    variance = spread[1] / n_canary + spread[0] * ratio * (1 - usual) / (1 - tolerated) / n_baseline
    return Bets(
        payoff=np.array((payoff, -payoff)),
        limit=np.array((limit, 1 - limit)),
        expected=usual * (n_canary + n_baseline),
        excess=_excess(
            slow_canary / spread[1],
            n_canary / spread[1],
            np.minimum(seen, 1.0),
            variance,
        ),
        steady=n_canary * variances[1] >= _ENOUGH,
    )


def _excess(bad: Floats, n: Floats | float, tolerated: Floats, variance: Floats) -> Floats:
    """Return [2, S] the canary's excess over the tolerated share, and its reverse, on a scale of constant variance.

    2 arcsin sqrt(share) has variance 1/n whatever the share (Anscombe, "The transformation of Poisson, binomial and
    negative-binomial data" (1948)): a canary far beyond tolerance spreads no more than one within it. Scores that
    spread less than yes and no do count as more requests. Of the two arms the one that a bet has winning
    goes uncorrected, so that by Jensen's inequality neither bet gains from few requests.
    """
    low, high = np.arcsin(np.sqrt(bad / n)), np.arcsin(np.sqrt((bad + _CORRECTION) / (n + 2 * _CORRECTION)))
    limit = np.arcsin(np.sqrt(tolerated))
    return np.asarray(2 * np.array((low - limit[0], limit[1] - high)) / np.sqrt(variance))


def _nothing_to_bet_on(streams: int) -> Bets:
    """Return bets that leave every wealth as it is."""
    zero = np.zeros(streams)
    return Bets(
        payoff=np.zeros((2, streams)),
        limit=np.full((2, streams), 0.5),
        expected=zero,
        excess=np.zeros((2, streams)),
        steady=np.zeros(streams, dtype=np.bool_),
    )


def _has_latency(arm: ArmTick) -> bool:
    """Return whether the arm's histogram has an edge and counted anything."""
    return arm.latency.size > 1 and bool(arm.latency.any())


def _weights(above: Floats, ranks: Floats) -> Floats:
    """Return the score of each bucket [S, B]: 1 above the quantile's edge; the ridit; 1 beyond the tail."""
    edges = nearest_edges(above, ranks)
    beyond = min(edges[-1] + 1, above.size - 1)
    steps = np.arange(above.size + 1)[None, :] > np.append(edges, beyond)[:, None]
    ridits = np.concatenate(([0.0], 1 - above)) + _shares(above) / 2
    return np.vstack((steps[:-1], ridits, steps[-1:]))


def _shares(above: Floats) -> Floats:
    """Return the share of requests in each bucket [B] from the share above each edge [B-1]."""
    padded = np.concatenate(([1.0], above, [0.0]))
    return padded[:-1] - padded[1:]


def _limit(n_canary: float, n_baseline: float, ratio: Floats) -> Floats:
    """Return the canary's share of the bad requests when it is `ratio` times as bad."""
    return n_canary * ratio / (n_canary * ratio + n_baseline)

"""One tick as numbers to bet on: a stream per kind of bad request, errors first, then latency.

Latency streams score every request between 0 and 1 by its bucket. One stream per quantile asks "slower than the edge
nearest to that quantile?"; the last asks how slow on the whole, by rank among the baseline's requests (its ridit).
What is usual, and what a canary within tolerance may reach, comes from the baseline's ticks before this one, so that
every bet is fixed before its outcome is seen.
"""

from dataclasses import dataclass

import numpy as np

from canary_analyzer.analysis import betting
from canary_analyzer.analysis.histogram import nearest_edges, share_above, slowed
from canary_analyzer.analysis.policy import ErrorTolerance, LatencyTolerance
from canary_analyzer.analysis.types import ArmTick, Floats, Tick

_PRIOR_ERROR_RATE = 0.002
_PRIOR_REQUESTS = 500.0
"""What is taken for the error rate before the baseline has shown any: it sizes the bets, fair they are without it."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Bets:
    """What one tick offers, per stream [S]; every number but the outcomes is known before the tick.

    Args:
        against: Outcome of betting that the canary is beyond tolerance: mean at most 0 while it is not.
        against_limit: The share of bad requests that this bet takes for fair.
        within: Outcome of betting that it is within tolerance: mean at most 0 while it is not.
        within_limit: The share of bad requests that this bet takes for fair.
        expected: Bad requests expected in the tick.
        excess: Canary's excess over what is tolerated, in standard errors of independent requests.
    """

    against: Floats
    against_limit: Floats
    within: Floats
    within_limit: Floats
    expected: Floats
    excess: Floats


def joined(first: Bets, second: Bets) -> Bets:
    """Return the streams of both, in order."""
    return Bets(
        **{name: np.concatenate((getattr(first, name), getattr(second, name))) for name in Bets.__annotations__}
    )


def error_bets(tick: Tick, usual_rate: float, tolerance: ErrorTolerance) -> Bets:
    """Return the one stream of failed requests; `usual_rate` is the baseline's error rate in the ticks before.

    Tolerated is the larger of two allowances, so the bet against the canary pays the lesser of two outcomes: fair
    whichever allowance holds. A canary beyond tolerance is beyond both, so the reverse bet may pick the one expected to
    be the larger.
    """
    canary, baseline = tick.canary, tick.baseline
    total = canary.requests + baseline.requests
    relative_limit = _limit(canary.requests, baseline.requests, 1 + tolerance.relative)
    absolute_limit = canary.requests / total
    allowance = baseline.requests * tolerance.absolute
    relative = float(
        betting.share_payoff(np.array([canary.errors]), np.array([baseline.errors]), np.array([relative_limit]))[0]
    )
    absolute = betting.excess_payoff(canary.errors, baseline.errors, allowance, absolute_limit)
    mostly_absolute = tolerance.absolute >= tolerance.relative * usual_rate
    return Bets(
        against=np.array([min(relative, absolute)]),
        against_limit=np.array([max(relative_limit, absolute_limit)]),
        within=np.array([-absolute if mostly_absolute else -relative]),
        within_limit=np.array([absolute_limit if mostly_absolute else relative_limit]),
        expected=np.array([usual_rate * total + allowance * mostly_absolute]),
        excess=np.array([_error_excess(tick, usual_rate, tolerance)]),
    )


def usual_error_rate(errors: float, requests: float) -> float:
    """Return the baseline's error rate, drawn towards a common one while requests are few."""
    return (errors + _PRIOR_ERROR_RATE * _PRIOR_REQUESTS) / (requests + _PRIOR_REQUESTS)


def _error_excess(tick: Tick, usual_rate: float, tolerance: ErrorTolerance) -> float:
    canary, baseline = tick.canary, tick.baseline
    tolerated = max(usual_rate * (1 + tolerance.relative), usual_rate + tolerance.absolute)
    seen = baseline.errors / baseline.requests
    seen_tolerated = max(seen * (1 + tolerance.relative), seen + tolerance.absolute)
    spread = tolerated / canary.requests + (tolerated / usual_rate) * tolerated / baseline.requests
    return float((canary.errors / canary.requests - seen_tolerated) / np.sqrt(spread))


def latency_bets(tick: Tick, reference: Floats, edges_ms: Floats, tolerance: LatencyTolerance) -> Bets:
    """Return a stream per quantile and one over the whole histogram; `reference` [B] are earlier baseline requests."""
    above = share_above(reference)
    weights = _weights(above, np.asarray(tolerance.quantiles))
    usual, tolerated = _shares(above), _shares(slowed(above, edges_ms, 1 + tolerance.relative))
    usual_score, tolerated_score = weights @ usual, weights @ tolerated
    ratio = tolerated_score / usual_score
    n_canary, n_baseline = float(tick.canary.latency.sum()), float(tick.baseline.latency.sum())
    slow_canary, slow_baseline = weights @ tick.canary.latency, weights @ tick.baseline.latency
    limit = np.asarray(_limit(n_canary, n_baseline, ratio))
    payoff = betting.share_payoff(slow_canary, slow_baseline, limit)
    spread = (weights**2 @ tolerated - tolerated_score**2) / n_canary
    spread = spread + ratio**2 * (weights**2 @ usual - usual_score**2) / n_baseline
    return Bets(
        against=payoff,
        against_limit=limit,
        within=-payoff,
        within_limit=limit,
        expected=usual_score * (n_canary + n_baseline),
        excess=(slow_canary / n_canary - ratio * slow_baseline / n_baseline) / np.sqrt(spread),
    )


def has_latency(arm: ArmTick) -> bool:
    """Return whether the arm's histogram counted anything, in more than one bucket's worth of edges."""
    return arm.latency.size > 1 and bool(arm.latency.any())


def _weights(above: Floats, ranks: Floats) -> Floats:
    """Return the score of each bucket [S, B]: 1 above the quantile's edge, and the ridit."""
    buckets = np.arange(above.size + 1)
    steps = buckets[None, :] > nearest_edges(above, ranks)[:, None]
    below = np.concatenate(([0.0], 1 - above))
    ridits = below + _shares(above) / 2
    return np.vstack((steps.astype(np.float64), ridits))


def _shares(above: Floats) -> Floats:
    """Return the share of requests in each bucket [B] from the share above each edge [B-1]."""
    return -np.diff(np.concatenate(([1.0], above, [0.0])))


def _limit(n_canary: float, n_baseline: float, ratio: Floats | float) -> Floats | float:
    return n_canary * ratio / (n_canary * ratio + n_baseline)

"""Betting on the canary's share of bad requests.

In a tick with x_c bad requests of the canary and x_b of the baseline, the share x_c / (x_c + x_b) has, while the canary
is at most `ratio` times as bad, mean at most pi = n_c ratio / (n_c ratio + n_b), whatever the common rate does with the
time of day. A wealth multiplied every tick by 1 + stake (share - pi), the stake chosen before the tick is seen, cannot
grow in expectation, and by Ville's inequality exceeds 1/alpha with chance at most alpha, however often one looks.
The share never leaves [0, 1], so that no burst, however large, multiplies wealth by more than 1/pi.

Sources: Waudby-Smith & Ramdas, "Estimating means of bounded random variables by betting" (2024), sections 4 and 5;
Ramdas et al., "Game-theoretic statistics and safe anytime-valid inference" (2023).
"""

import numpy as np
from scipy.special import gammaln

from canary_analyzer.analysis.types import Floats

EFFECTS = np.repeat([1.5, 2.5, 4.0, 10.0], 2)
"""By how much the canary may exceed what is tolerated, as a ratio of odds; with `CORRELATIONS` the grid of bettors."""
CORRELATIONS = np.tile([0.0, 0.2], 4)
"""How alike the requests of one tick may be: 0 independent, 1 a whole tick is one observation."""
LOG_CAPITAL_AGAINST = np.log(np.repeat([0.1, 0.3, 0.3, 0.3], 2) / 2)
"""What each bettor against the canary starts with; small effects are mostly left to those who bet on consistency."""
LOG_CAPITAL_WITHIN = np.log(np.repeat([0.1, 0.3, 0.3, 0.3], 2) / 2)
"""What each bettor on health starts with: a good canary is better than the tolerance by the tolerance, no more."""

_MOST = 0.97
"""Share of the wealth risked at most: one bad tick must not ruin a bettor for good."""
_FEW = 60.0
"""Up to this mean a Poisson number is summed over, above it the second-order expansion is exact to 1e-4."""
_SUPPORT = np.arange(150.0)
_LOG_FACTORIALS = gammaln(_SUPPORT + 1.0)


def stakes(limit: Floats, events: Floats) -> Floats:
    """Return what each bettor stakes [..., S, K], given the null share [..., S] and the bad requests expected [S].

    Kelly's stake for a share of mean m and null mean pi is (m - pi) / (pi (1 - pi)) when a tick is one observation, and
    tends to 1/pi, all there is, when the share hardly varies; in between the variance decides.
    """
    pi = limit[..., None]
    excess = pi * EFFECTS / (1 - pi + pi * EFFECTS) - pi
    lumps = CORRELATIONS + (1 - CORRELATIONS) / np.maximum(events, 1.0)[:, None]
    return np.asarray(np.minimum(excess / (pi * (1 - pi) * lumps + pi * excess * (1 - lumps)), _MOST / pi))


def share_payoff(bad_canary: Floats, bad_baseline: Floats, limit: Floats) -> Floats:
    """Return share - pi [S]; 0 where nothing bad happened."""
    bad = bad_canary + bad_baseline
    return np.where(bad > 0, bad_canary / np.where(bad > 0, bad, 1.0) - limit, 0.0)


def excess_payoff(bad_canary: float, bad_baseline: float, allowance: float, limit: float) -> float:
    """Return the mean of share - pi when Poisson(allowance) bad requests are added to the baseline's.

    With allowance = n_b tolerance and pi = n_c / (n_c + n_b) this has mean 0 at an absolute tolerance: a canary whose
    error rate is the baseline's plus the tolerance cannot be told from the added-to baseline. Taking the mean over the
    addition, instead of drawing it, keeps the bet free of chance.
    """
    known = bad_canary + bad_baseline
    if known == 0:
        return float(limit * (np.exp(-allowance) - 1.0))
    return float(bad_canary * _mean_reciprocal(known, allowance) - limit)


def _mean_reciprocal(known: float, mean: float) -> float:
    """Return E[1 / (known + M)] for M ~ Poisson(mean)."""
    if mean > _FEW:
        middle = known + mean
        return float((1.0 + mean / middle**2) / middle)
    chances = np.exp(_SUPPORT * np.log(max(mean, 1e-300)) - mean - _LOG_FACTORIALS)
    return float(chances @ (1.0 / (known + _SUPPORT)))

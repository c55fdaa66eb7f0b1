"""Betting on consistency: a sequential t-test on what each tick says, whose scale nobody needs to know.

Where a tick holds thousands of requests, a canary that is a little slower is a little slower in every tick. Betting on
shares can hardly use that; a t-test does. Each tick gives one number: the canary's excess over what is tolerated,
divided by the standard error it would have if requests were independent. If they are not, the numbers spread more, the
spread is measured from the ticks themselves, and the evidence shrinks with it. A spread below that of independent
requests is luck, and not believed.

The likelihood ratio of mean = delta sigma against mean = 0 with the right Haar prior on sigma is an e-process for
normal numbers of any sigma, and for every mean below 0 too; it depends only on sum / sqrt(sum of squares).
Source: Perez-Ortiz, Lardy, de Heide & Grunwald, "E-statistics, group invariance and anytime-valid testing" (2024),
section 5; Wang & Ramdas, "Anytime-valid t-tests and confidence sequences for Gaussian means with unknown variance"
(2023).
"""

import numpy as np
from scipy.special import gammaln

from canary_analyzer.analysis.types import Floats

EFFECTS = np.array([0.15, 0.35, 0.7, 1.2, 2.0])
"""delta: mean excess in a tick, in standard deviations between ticks. The largest bounds what few ticks can win."""
LOG_CAPITAL = np.log([0.1, 0.2, 0.25, 0.25, 0.2])
"""What each bettor starts with."""

_NODES, _NODE_WEIGHTS = np.polynomial.legendre.leggauss(24)
_REACH = 7.0


def log_ratios(ticks: Floats, sums: Floats, squares: Floats) -> Floats:
    """Return log likelihood ratios [..., S, K] from number [S], sum and sum of squares [..., S] of the excesses.

    log R = -n delta^2 / 2 + log I(delta sum / sqrt(squares)) - log I(0), I(a) = integral of r^(n-1) exp(a r - r^2 / 2).
    """
    n = np.maximum(ticks, 1.0)[:, None]
    least = sums**2 / n[:, 0] + n[:, 0] - 1
    cosine = (sums / np.sqrt(np.maximum(np.maximum(squares, least), 1e-12)))[..., None]
    ratio = _log_integral(n, EFFECTS * cosine) - _log_integral_at_zero(n) - n * EFFECTS**2 / 2
    return np.where(ticks[:, None] >= 2, ratio, 0.0)


def _log_integral_at_zero(n: Floats) -> Floats:
    """Return log I(0), a gamma function."""
    return np.asarray((n / 2 - 1) * np.log(2.0) + gammaln(n / 2))


def _log_integral(n: Floats, slope: Floats) -> Floats:
    """Return log I(slope) by Gauss-Legendre quadrature around the peak of the integrand."""
    peak = (slope + np.sqrt(slope**2 + 4 * (n - 1) + 1e-9)) / 2
    low, high = np.maximum(peak - _REACH, 0.0), peak + _REACH
    half = (high - low)[..., None] / 2
    r = low[..., None] + half * (1 + _NODES)
    log_height = (n[..., None] - 1) * np.log(r) + slope[..., None] * r - r**2 / 2
    top = log_height.max(axis=-1)
    return np.asarray(top + np.log((np.exp(log_height - top[..., None]) * half) @ _NODE_WEIGHTS))

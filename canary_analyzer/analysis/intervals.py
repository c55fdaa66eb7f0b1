"""How large an effect may be, at all ticks together: bounds that hold however often one looks."""

import numpy as np
from scipy.special import betaln, expm1, xlog1py, xlogy

from canary_analyzer.analysis.types import Floats

CONFIDENCE = 0.95
_STEPS = 2
"""Of Newton's method; each doubles the correct digits, and the first is right to one or two."""
_FARTHEST = 50.0
"""Of one step, in log odds."""
_LEAST = 1e-9
"""Fewer hits or trials than these are none."""


def share_bounds(hits: Floats, trials: Floats, error: float) -> tuple[Floats, Floats]:
    """Return lower and upper bounds [...] of the mean share over all ticks so far; chance of ever being wrong: `error`.

    Robbins' beta mixture: the likelihood averaged over Beta(1/2, 1/2), over the likelihood at p, is a nonnegative
    martingale when p is the share, so p is believed while that ratio is below 1/error (Howard, Ramdas et al.,
    "Time-uniform confidence sequences" (2021), section 3.2). With a share that varies between ticks the bound holds for
    its mean, since the geometric mean of the ticks' expectations is at most that of their mean. Hits need not be whole.
    """
    counts = np.array((hits, trials - hits))
    evidence = betaln(counts[0] + 0.5, counts[1] + 0.5) - betaln(0.5, 0.5) + np.log(error)
    low = _lowest(counts, counts[::-1], evidence)
    return low[0], 1 - low[1]


def _lowest(hits: Floats, misses: Floats, evidence: Floats) -> Floats:
    """Return the smallest p [...] with hits log p + misses log(1 - p) >= evidence; 0 without hits.

    The left side is concave in log(p / (1 - p)), so that Newton's method comes to the root from below and never passes
    it: what is left out is on the safe side. It begins at what KL(a, b) >= (a - b)^2 / (2 max(a, b)) leaves possible.
    """
    trials = np.maximum(hits + misses, _LEAST)
    share, rest = hits / trials, misses / trials
    room = (xlogy(hits, share) + xlogy(misses, rest) - evidence) / trials
    p = np.maximum(share - np.sqrt(2 * room * share), share - room - np.sqrt(room * (room + 2 * rest)))
    p = np.where(hits > 0, np.maximum(p, np.exp(evidence / np.maximum(hits, _LEAST))), 0.0)
    for _ in range(_STEPS):
        missing = evidence - xlogy(hits, p) - xlog1py(misses, -p)
        growth = expm1(np.minimum(np.maximum(missing, 0.0) / np.maximum(hits - trials * p, _LEAST), _FARTHEST))
        p = p * (1 + growth) / (1 + p * growth)
    return np.asarray(p)

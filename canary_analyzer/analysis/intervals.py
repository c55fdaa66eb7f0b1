"""How large an effect may be, at all ticks together: bounds that hold however often one looks."""

import numpy as np
from scipy.special import betaln, xlog1py, xlogy

from canary_analyzer.analysis.types import Floats

CONFIDENCE = 0.95


def share_bounds(hits: Floats, trials: Floats, error: float) -> tuple[Floats, Floats]:
    """Return lower and upper bounds [...] of the mean share over all ticks so far; chance of ever being wrong: `error`.

    Robbins' beta mixture: the likelihood averaged over Beta(1/2, 1/2), over the likelihood at p, is a nonnegative
    martingale when p is the share, so p is believed while that ratio is below 1/error (Howard, Ramdas et al.,
    "Time-uniform confidence sequences" (2021), section 3.2). With a share that varies between ticks the bound holds for
    its mean, since the geometric mean of the ticks' expectations is at most that of their mean. Hits need not be whole.
    """
    misses = trials - hits
    evidence = betaln(hits + 0.5, misses + 0.5) - betaln(0.5, 0.5) + np.log(error)
    middle = np.where(trials > 0, hits / np.maximum(trials, 1e-300), 0.5)
    inner = np.stack((middle, middle))
    outer = np.stack((np.zeros_like(middle), np.ones_like(middle)))
    for _ in range(40):
        guess = (inner + outer) / 2
        believed = evidence < xlogy(hits, guess) + xlog1py(misses, -guess)
        inner, outer = np.where(believed, guess, inner), np.where(believed, outer, guess)
    return outer[0], outer[1]

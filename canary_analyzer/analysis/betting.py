"""What a tick is worth to those who bet on it: likelihood ratios, each with mean at most 1 for a tolerable canary.

Two kinds, because bad requests come in two kinds. Rare ones (errors, the tail) are counted: of X bad requests in a tick
each is the canary's with chance at most pi = n_c ratio / (n_c ratio + n_b), whatever the common rate does with the time
of day. Common ones (slower than the median) are averaged: the canary's excess over what is tolerated is nearly normal
on a scale of constant variance.

Sources: Lindon & Malek, "Anytime-valid inference for multinomial count data" (2022); Lindon, Sanden & Shirikian, "Rapid
regression detection in software deployments through sequential testing" (2022), section 3.
"""

import numpy as np

from canary_analyzer.analysis.types import Floats


def share_log_ratio(bad: Floats, limit: Floats, odds: Floats, added: Floats) -> Floats:
    """Return the log likelihood ratio of the canary's bad requests being `odds` times as likely as at the limit.

    Given X bad requests the canary's are binomial with share pi at the limit and pi r / (1 - pi + pi r) against it, so
    log LR = x_c log r - X log D, D = 1 - pi + pi r. That bad requests of one tick are rather hypergeometric only makes
    its mean smaller (Hoeffding, "Probability inequalities for sums of bounded random variables" (1963), theorem 4).

    With `added` = n_b tolerance and pi = n_c / (n_c + n_b) it tests an absolute tolerance: Poisson(added) bad requests
    of the baseline, had they happened, would make both arms alike. The mean over them, E D^-M, is exp(added (1/D - 1));
    nothing need be drawn.

    Args:
        bad: [2, ...] bad requests of canary and baseline.
        limit: [...] pi.
        odds: [...] r, above 1 against the canary, below 1 for it.
        added: [...] mean number of bad requests that an absolute tolerance adds to the baseline.
    """
    denominator = 1 + limit * (odds - 1)
    known = bad[0] * np.log(odds) - (bad[0] + bad[1]) * np.log(denominator)
    return np.asarray(known - added * (1 - 1 / denominator))


def excess_log_ratio(excess: Floats, expected: Floats) -> Floats:
    """Return the log likelihood ratio of mean `expected` > 0 against mean 0 or less, of a normal excess in sigmas."""
    return expected * (excess - expected / 2)

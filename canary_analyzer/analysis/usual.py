"""The baseline of late: what bets are sized by before a tick is seen."""

import numpy as np

from canary_analyzer.analysis.types import Floats

_MEMORY = 0.9
"""What is kept per tick: the memory follows the time of day within some ten ticks."""
_PRIOR_RATE = 0.002
_PRIOR_REQUESTS = 500.0
"""The rate of failures taken for usual before the baseline has shown any: it sizes bets, which are fair without it."""


def fading(usual: Floats, baseline: Floats) -> Floats:
    """Return the faded counts [C] after a tick of the baseline [C]; a tick without requests teaches nothing."""
    return _MEMORY * usual + baseline if baseline.any() else usual


def bad_rate(usual: Floats) -> float:
    """Return the rate of the second of two counts (good, bad), drawn towards a common one while there are few."""
    return float((usual[1] + _PRIOR_RATE * _PRIOR_REQUESTS) / (usual.sum() + _PRIOR_REQUESTS))


def usual_or(both: Floats, usual: Floats) -> Floats:
    """Return the baseline's counts of late [B]; in the very first tick, both arms' [2, B] together.

    Which arm a request of the first tick belongs to is not looked at, so that bets on that stay fair.
    """
    return usual if usual.any() else np.asarray(both.sum(axis=0))

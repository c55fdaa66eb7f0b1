"""The baseline of late: what bets are sized by before a tick is seen."""

import numpy as np

from canary_analyzer.analysis.types import Floats

_MEMORY = 0.9
"""What is kept per tick: the memory follows the time of day within some ten ticks."""
_PRIOR_RATE = 0.002
_PRIOR_REQUESTS = 500.0
"""The rate of failures taken for usual before the baseline has shown any: it sizes bets, which are fair without it."""


def fading(usual: Floats, baseline: Floats) -> Floats:
    """Return the faded counts [..., C] after ticks of the baseline; a tick without requests teaches nothing."""
    return np.where(baseline.any(axis=-1, keepdims=True), _MEMORY * usual + baseline, usual)


def bad_rate(usual: Floats) -> Floats:
    """Return the rate [T] of the second of two counts [T, 2], drawn towards a common one while there are few."""
    return np.asarray((usual[:, 1] + _PRIOR_RATE * _PRIOR_REQUESTS) / (usual.sum(axis=1) + _PRIOR_REQUESTS))


def usual_or(both: Floats, usual: Floats) -> Floats:
    """Return the baseline's counts of late [T, B]; where there are none, the tick's of both arms [2, T, B] together.

    Which arm a request of such a tick belongs to is not looked at, so that bets on that stay fair.
    """
    return np.where(usual.any(axis=1, keepdims=True), usual, both.sum(axis=0))

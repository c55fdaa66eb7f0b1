"""Bounds of a share that hold however often one looks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import betaln, xlog1py, xlogy

from canary_analyzer.analysis.intervals import share_bounds

ERROR = 0.025


def believed(share, hits, misses):
    """Return whether the mixture of all shares is less than 1 / ERROR times as likely as this one."""
    mixture = betaln(hits + 0.5, misses + 0.5) - betaln(0.5, 0.5)
    return xlogy(hits, share) + xlog1py(misses, -share) > mixture + np.log(ERROR)


@given(st.floats(1, 1e12), st.sampled_from([0.0, 1.0]) | st.floats(1e-9, 1 - 1e-9))
def test_what_lies_beyond_a_bound_is_not_believed_and_what_lies_well_within_is(trials, share):
    hits = trials * share
    misses = trials - hits
    low, high = (float(bound) for bound in share_bounds(np.array(hits), np.array(trials), ERROR))
    assert 0 <= low <= hits / trials <= high <= 1
    middle = hits / trials
    assert low < 1e-9 or not believed(low * (1 - 1e-6), hits, misses)
    assert 1 - high < 1e-9 or not believed(high + 1e-6 * (1 - high), hits, misses)
    assert believed(middle + 0.98 * (low - middle), hits, misses) or trials > 1e6
    assert believed(middle + 0.98 * (high - middle), hits, misses) or trials > 1e6


def test_no_trials_bound_nothing():
    assert [float(bound) for bound in share_bounds(np.zeros(()), np.zeros(()), ERROR)] == [0, 1]


@pytest.mark.parametrize("share", [0.002, 0.3])
def test_all_ticks_together_are_within_the_bounds_of_nearly_all_runs(share):
    rng = np.random.default_rng(5)
    hits = rng.binomial(50, share, size=(400, 200)).cumsum(axis=1)
    low, high = share_bounds(hits, np.arange(50, 50 * 201, 50) * np.ones_like(hits), ERROR)
    assert ((low <= share) & (share <= high)).all(axis=1).mean() >= 0.95

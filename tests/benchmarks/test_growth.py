"""When `make soak` says that something grows, that it does not, and that it cannot tell."""

import numpy as np
import pytest

from tests.benchmarks.rig.growth import Limits, Slope

LIMITS = Limits(flat=2.0, fatal=30.0)
SECONDS = 5.0


def slope(*, per_hour, noise, minutes, seed=1):
    hours = np.arange(0, minutes * 60, SECONDS) / 3600
    return Slope.of(hours, 150 + per_hour * hours + np.random.default_rng(seed).normal(0, noise, len(hours)))


@pytest.mark.parametrize(
    ("per_hour", "noise", "minutes", "words"),
    [
        pytest.param(0, 0.3, 13, "", id="flat"),
        pytest.param(30, 0.3, 13, "grows by at least", id="it grows"),
        pytest.param(0, 0.3, 0.5, "cannot tell", id="too short"),
        pytest.param(400, 1.0, 0.6, "cannot tell", id="too short to tell a leak from warming up"),
        pytest.param(0, 30.0, 13, "cannot tell", id="too noisy"),
        pytest.param(0, 0.0, 13, "", id="what never changes is flat"),
        pytest.param(0, 0.0, 0.1, "cannot tell", id="two samples are on every line"),
    ],
)
def test_a_slope_is_judged_only_where_it_is_known(per_hour, noise, minutes, words):
    told = slope(per_hour=per_hour, noise=noise, minutes=minutes).mistake(LIMITS)
    assert (words in told) if words else not told


def test_what_must_not_be_missed_is_found_wherever_the_interval_is_narrow_enough_to_tell():
    """The promise behind the ceiling: a fatal leak is called flat in at most 2.5 % of the runs, whatever the noise."""
    called_flat = 0
    for seed in range(400):
        noise = (0.5, 2.0, 4.0, 8.0)[seed % 4]
        called_flat += not slope(per_hour=LIMITS.fatal, noise=noise, minutes=13, seed=seed).mistake(LIMITS)
    assert called_flat <= 0.025 * 400 + 2 * (400 * 0.025 * 0.975) ** 0.5

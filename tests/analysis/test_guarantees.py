"""The guarantees themselves: simulate what must not be called worse, and count how often it is."""

import numpy as np
import pytest
from scipy.stats import binom

from canary_analyzer.analysis import (
    Decision,
    Policy,
    betting,
    judge,
)
from canary_analyzer.analysis.bets import BETTORS, Bets
from canary_analyzer.analysis.evidence import Evidence

ALPHA = 0.05


def seldom(count, runs, chance):
    """Return whether so many of `runs` are plausible when each has at most `chance`."""
    return count <= binom.ppf(0.999, runs, chance)


TOLERABLE = {
    "rare": (0.003, 0.0045, 0.0),
    "common": (0.3, 0.45, 0.0),
    "rare, by an absolute tolerance": (0.001, 0.003, 0.002),
    "none on the baseline": (0.0, 0.002, 0.002),
}


@pytest.mark.parametrize(("baseline", "canary", "absolute"), TOLERABLE.values(), ids=TOLERABLE.keys())
@pytest.mark.parametrize("weight", [0.05, 0.5])
def test_who_counts_bad_requests_of_a_canary_at_its_tolerance_gains_nothing_on_average(
    baseline, canary, absolute, weight
):
    rng, n, runs = np.random.default_rng(1), np.array([1000 * weight, 1000 * (1 - weight)]), 200_000
    bad = np.stack((rng.binomial(int(n[0]), canary, runs), rng.binomial(int(n[1]), baseline, runs)))
    ratio = 1.0 if absolute else canary / baseline
    limit = n[0] * ratio / (n[0] * ratio + n[1])
    for odds in (0.6, 1.2, 1.6):
        paid = np.exp(betting.share_log_ratio(bad, limit, odds, n[1] * absolute))
        assert paid.mean() <= 1 + 4 * paid.std() / np.sqrt(runs)


def test_who_averages_gains_nothing_on_average_from_a_canary_within_tolerance():
    excess, runs = np.random.default_rng(2).standard_normal(200_000), 200_000
    for expected in (0.1, 0.7, 2.0):
        paid = np.exp(betting.excess_log_ratio(excess, expected))
        assert paid.mean() <= 1 + 4 * paid.std() / np.sqrt(runs)


def alarms(excess, expected):
    """Return in how many runs, one stream each, excesses [T, R] bring one who expects so much to 1 / ALPHA."""
    evidence, alarmed = Evidence.none(excess.shape[1]), np.zeros(excess.shape[1], dtype=bool)
    opinions = np.full((excess.shape[1], BETTORS), -np.log(BETTORS))
    shape = np.ones((2, excess.shape[1], BETTORS))
    for z in excess:
        evidence = evidence.after(
            Bets(
                log_ratios=betting.excess_log_ratio(z, expected)[:, None] * shape,
                surprise=(z - expected)[:, None] * shape,
                excess=z,
                steady=np.ones(z.size, dtype=bool),
                scarce=np.zeros(z.size, dtype=bool),
            )
        )
        alarmed |= evidence.log_means(opinions)[0] >= -np.log(ALPHA)
    return int(alarmed.sum())


def bursts(rng, shape):
    """Return noise in which now and then three ticks running are far off."""
    begins = rng.random(shape) < 0.008
    return rng.standard_normal(shape) + 20 * (begins | np.roll(begins, 1, axis=0) | np.roll(begins, 2, axis=0))


NOISE = {
    "independent": lambda rng, shape: rng.standard_normal(shape),
    "of twice the variance": lambda rng, shape: 1.4 * rng.standard_normal(shape),
    "bursts of three ticks": bursts,
}


@pytest.mark.parametrize("noise", NOISE.values(), ids=NOISE.keys())
@pytest.mark.parametrize("expected", [0.3, 1.0])
def test_wealth_seldom_reaches_the_alarm_whatever_the_ticks_differ_by(noise, expected):
    excess = noise(np.random.default_rng(3), (60, 1000))
    assert seldom(alarms(excess, expected), 1000, ALPHA)


def test_plain_likelihood_ratios_would_fail_that_test():
    excess = bursts(np.random.default_rng(3), (60, 1000))
    wealth = np.cumsum(betting.excess_log_ratio(excess, 1.0), axis=0)
    assert not seldom(int((wealth.max(axis=0) >= -np.log(ALPHA)).sum()), 1000, ALPHA)


@pytest.mark.parametrize("scarce", [True, False])
def test_three_ticks_of_whatever_never_reach_the_alarm_but_what_lasts_does(scarce):
    evidence = Evidence.none(1)
    everything = Bets(
        log_ratios=np.full((2, 1, BETTORS), 50.0),
        surprise=np.zeros((2, 1, BETTORS)),
        excess=np.zeros(1),
        steady=np.ones(1, dtype=bool),
        scarce=np.array([scarce]),
    )
    wealth = []
    for _ in range(8):
        evidence = evidence.after(everything)
        wealth.append(evidence.log_means(np.full((1, BETTORS), -np.log(BETTORS)))[0, 0])
    assert wealth[2] < -np.log(Policy().alpha) < wealth[7]


SCENARIOS = {
    "independent requests": {},
    "traffic varying by half": {"traffic_swing": 0.5},
    "latency drifting": {"drift": 0.1},
    "bursts shared by both arms": {"shared_bursts": 0.03},
    "bursts on single pods": {"pod_bursts": 0.004},
    "everything together": {"traffic_swing": 0.5, "drift": 0.1, "shared_bursts": 0.03, "pod_bursts": 0.004},
    "weights up and down": {"weights": np.tile(np.repeat([0.05, 0.5, 0.1], 2), 7)},
    "a trickle": {"requests_per_tick": 30.0},
}


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS.keys())
def test_an_identical_canary_is_seldom_aborted(simulate, scenario):
    runs, policy = 30, Policy()
    fields = {"weights": np.repeat(np.arange(0.05, 0.55, 0.05), 4)} | scenario
    aborts = sum(judge(simulate(seed, **fields), policy).decision is Decision.ABORT for seed in range(runs))
    assert seldom(aborts, runs, policy.alpha)


BEYOND = {
    "errors twice what is tolerated": {"more_errors": 0.004},
    "latency twice what is tolerated": {"slower": 1.2},
}


@pytest.mark.parametrize("requests_per_tick", [50.0, 2000.0])
@pytest.mark.parametrize("regression", BEYOND.values(), ids=BEYOND.keys())
def test_a_canary_beyond_tolerance_is_seldom_called_healthy(simulate, regression, requests_per_tick):
    runs, policy = 25, Policy(alpha=1e-9)
    fields = {"requests_per_tick": requests_per_tick, **regression}
    called = sum(judge(simulate(seed, **fields), policy).decision is Decision.HEALTHY for seed in range(runs))
    assert seldom(called, runs, policy.beta)

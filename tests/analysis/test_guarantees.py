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


def paths(log_ratios, surprise, excess):
    """Return the log wealth [T] of one bettor on one stream, tick by tick, from what ticks [T] offer."""
    evidence, path = Evidence.none(1), []
    opinions = np.log(np.full((1, BETTORS), 1 / BETTORS))
    for log_ratio, far, z in zip(log_ratios, surprise, excess, strict=True):
        shape = np.ones((2, 1, BETTORS))
        evidence = evidence.after(
            Bets(log_ratios=log_ratio * shape, surprise=far * shape, excess=np.array([z]), steady=np.array([True]))
        )
        path.append(evidence.log_means(opinions)[0, 0])
    return np.array(path)


NOISE = {
    "independent": lambda rng, ticks: rng.standard_normal(ticks),
    "of twice the variance": lambda rng, ticks: 1.4 * rng.standard_normal(ticks),
    "bursts of three ticks": lambda rng, ticks: (
        rng.standard_normal(ticks) + 20 * np.convolve(rng.random(ticks) < 0.008, np.ones(3))[:ticks]
    ),
}


@pytest.mark.parametrize("noise", NOISE.values(), ids=NOISE.keys())
@pytest.mark.parametrize("expected", [0.3, 1.0])
def test_wealth_seldom_reaches_the_alarm_whatever_the_ticks_differ_by(noise, expected):
    rng, runs, alarms = np.random.default_rng(3), 250, 0
    for _ in range(runs):
        excess = noise(rng, 60)
        path = paths(betting.excess_log_ratio(excess, expected), excess - expected, excess)
        alarms += path.max() >= -np.log(ALPHA)
    assert seldom(alarms, runs, ALPHA)


def test_plain_likelihood_ratios_would_fail_that_test():
    rng, runs, alarms = np.random.default_rng(3), 250, 0
    for _ in range(runs):
        excess = NOISE["bursts of three ticks"](rng, 60)
        alarms += np.cumsum(betting.excess_log_ratio(excess, 1.0)).max() >= -np.log(ALPHA)
    assert not seldom(alarms, runs, ALPHA)


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

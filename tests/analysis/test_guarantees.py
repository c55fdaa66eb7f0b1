"""The guarantees themselves: simulate what must not be called worse, and count how often it is."""

import numpy as np
import pytest
from scipy.stats import binom

from canary_analyzer.analysis import (
    Decision,
    LatencyTolerance,
    Policy,
    advance,
    betting,
    consistency,
    judge,
    start,
    verdict,
)

ALPHA = 0.05
RUNS = 4000


def crossings(log_wealth):
    """Return in how many runs [T, R] the wealth ever reached 1 / ALPHA."""
    return int((np.max(log_wealth, axis=0) >= -np.log(ALPHA)).sum())


def seldom(count, runs, chance):
    """Return whether so many of `runs` are plausible when each has at most `chance`."""
    return count <= binom.ppf(0.999, runs, chance)


@pytest.mark.parametrize("correlated", [False, True], ids=["independent", "bursts on either arm"])
def test_bets_on_shares_of_a_canary_at_its_tolerance_cross_seldom(correlated):
    rng, ratio, log_wealth, path = np.random.default_rng(1), 1.5, np.zeros((RUNS, betting.EFFECTS.size)), []
    for weight in np.repeat([0.05, 0.1, 0.3, 0.5], 15):
        limit = np.full(RUNS, weight * ratio / (weight * ratio + 1 - weight))
        bad = rng.poisson(np.full(RUNS, 3.0))
        canary = np.where(rng.random(RUNS) < limit, bad, 0) if correlated else rng.binomial(bad, limit)
        payoff = betting.share_payoff(canary, bad - canary, limit)
        log_wealth += np.log1p(betting.stakes(limit, np.full(RUNS, 3.0)) * payoff[:, None])
        path.append(np.logaddexp.reduce(log_wealth + betting.LOG_CAPITAL_AGAINST, axis=-1))
    assert seldom(crossings(path), RUNS, ALPHA)


@pytest.mark.parametrize("scale", [0.2, 1.0, 50.0])
@pytest.mark.parametrize("heavy", [False, True], ids=["normal", "heavy tails"])
def test_bets_on_consistency_cross_seldom_whatever_the_scale(scale, heavy):
    rng = np.random.default_rng(2)
    noise = rng.standard_t(3, (60, RUNS)) if heavy else rng.standard_normal((60, RUNS))
    sums, squares = np.cumsum(scale * noise, axis=0), np.cumsum((scale * noise) ** 2, axis=0)
    path = [
        np.logaddexp.reduce(
            consistency.log_ratios(np.full(RUNS, t + 1.0), sums[t], squares[t]) + consistency.LOG_CAPITAL, axis=-1
        )
        for t in range(1, 60, 2)
    ]
    assert seldom(crossings(path), RUNS, ALPHA)


@pytest.mark.parametrize(("known", "allowance"), [(0, 0.3), (1, 0.3), (3, 20.0), (2, 59.0), (2, 61.0), (40, 1e6)])
def test_the_absolute_allowance_is_a_fair_addition_of_poisson_bad_requests(known, allowance):
    draws = np.random.default_rng(3).poisson(allowance, 200_000)
    shares = np.where(known + draws > 0, known / np.maximum(known + draws, 1) - 0.2, 0.0)
    assert betting.excess_payoff(known, 0, allowance, 0.2) == pytest.approx(shares.mean(), rel=0.01, abs=1e-3)


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


def test_intervals_hold_the_truth_at_all_ticks_together(simulate):
    runs, missed, truths = 20, 0, (0.01, 1.25, 1.25)
    policy = Policy(alpha=1e-300, latency=LatencyTolerance(quantiles=(0.5, 0.9)))
    for seed in range(runs):
        history = simulate(seed, more_errors=0.01, slower=1.25, tail=0.0, requests_per_tick=1000.0)
        state, wrong = start(policy, history.edges_ms, history.tick_seconds), False
        for tick in history.ticks():
            state = advance(state, tick)
            wrong |= any(not m.low <= truth <= m.high for m, truth in zip(verdict(state).metrics, truths, strict=True))
        missed += wrong
    assert seldom(missed, runs, 0.05)

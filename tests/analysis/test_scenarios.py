"""The simulated services are what they say: held against requests drawn one by one."""

import numpy as np
import pytest

from canary_analyzer.analysis import scenarios
from canary_analyzer.analysis.scenarios import (
    ISTIO_EDGES_MS,
    NOTHING_WRONG,
    NULLS,
    QUIET,
    REGRESSIONS,
    Lognormal,
    Measured,
    Nuisance,
    Regression,
    Service,
    history,
    world,
)

BUSY = Service(requests_per_second=2000.0)
WEIGHTS = np.array([5, 10, 20, 50])


def requests_one_by_one(rng, regression, requests):
    """Draw [requests] latencies in milliseconds, and how many failed, of a canary that has this regression."""
    tail = rng.random(requests) < 0.01 + regression.more_tail
    latency = 40 * np.exp(0.6 * rng.standard_normal(requests)) * np.where(tail, 6, 1) * regression.slower
    healthy_pod = rng.integers(0, 2, requests) >= (2 if regression.failing_pods is None else regression.failing_pods)
    failed = rng.random(requests) < np.where(healthy_pod, 0.002, min(1.0, 0.002 + regression.errors))
    return latency, int(failed.sum())


@pytest.mark.parametrize("name", [name for name in REGRESSIONS if "leak" not in name])
def test_counts_agree_with_requests_drawn_one_by_one(name):
    regression, drawn = REGRESSIONS[name], 100_000
    latency, failed = requests_one_by_one(np.random.default_rng(1), regression, drawn)
    canary = history(np.random.default_rng(2), BUSY, regression=regression, weights=np.full(10, 50)).canary
    expected = np.histogram(latency, bins=np.concatenate(([0], ISTIO_EDGES_MS, [np.inf])))[0] / drawn
    np.testing.assert_allclose(canary.latency.sum(axis=0) / canary.requests.sum(), expected, atol=0.006)
    assert canary.errors.sum() / canary.requests.sum() == pytest.approx(failed / drawn, abs=0.006)


def test_each_arm_gets_its_weight_and_every_request_has_a_latency():
    drawn = history(np.random.default_rng(3), BUSY, weights=WEIGHTS)
    total = drawn.canary.requests + drawn.baseline.requests
    np.testing.assert_allclose(drawn.canary.requests / total * 100, WEIGHTS, rtol=0.05)
    for arm in (drawn.canary, drawn.baseline):
        np.testing.assert_array_equal(arm.latency.sum(axis=1), arm.requests)


def test_a_seed_is_a_scenario():
    first, second, other = (history(np.random.default_rng(seed)) for seed in (4, 4, 5))
    np.testing.assert_array_equal(first.canary.latency, second.canary.latency)
    assert not np.array_equal(first.canary.latency, other.canary.latency)


def test_a_tick_drawn_alone_has_the_same_law_as_one_of_a_history():
    rng = np.random.default_rng(6)
    drawn = world(BUSY, QUIET, Regression(leak=2.0, leak_ticks=3), 3, rng)
    ticks = [drawn.tick(2, 50, rng) for _ in range(20)]
    median = np.median(np.repeat(ISTIO_EDGES_MS, sum(tick.canary.latency for tick in ticks)[:-1]))
    assert median == 100  # 80 ms at the end of the leak lies in the bucket up to 100 ms
    assert sum(tick.canary.requests for tick in ticks) == pytest.approx(20 * 10_000, rel=0.02)


def test_bursts_last_one_to_three_ticks_and_hit_both_arms_or_one_pod():
    shared = world(BUSY, Nuisance(shared_bursts=0.03), NOTHING_WRONG, 2000, np.random.default_rng(7))
    assert np.array_equal(shared.canary.slow[:, 0], shared.baseline.slow[:, 0])
    assert np.mean(shared.canary.slow[:, 0] > 1) == pytest.approx(0.06, abs=0.02)
    single = world(BUSY, NULLS["bursts on single pods"], NOTHING_WRONG, 2000, np.random.default_rng(8))
    assert np.mean(single.baseline.failing == 0.3) == pytest.approx(0.008, abs=0.002)


def test_lost_ticks_have_no_requests_and_cold_ticks_are_the_first_of_the_canary():
    lost = history(np.random.default_rng(9), BUSY, Nuisance(missing=0.5), weights=np.full(400, 50))
    assert np.mean(lost.canary.requests == 0) == pytest.approx(0.5, abs=0.1)
    assert np.mean(lost.baseline.requests == 0) == pytest.approx(0.25, abs=0.1)
    cold = world(BUSY, NULLS["canary cold for 6 ticks"], NOTHING_WRONG, 60, np.random.default_rng(10))
    assert (cold.canary.slow[:, 0] > 1).tolist() == [True] * 6 + [False] * 54
    assert np.all(cold.baseline.slow == 1)


def test_a_latency_known_by_its_histogram_behaves_like_the_one_that_made_it():
    edges = np.geomspace(1, 2000, 60)
    true = Lognormal()
    counts = 1e6 * np.diff(true.below(edges, np.array(1.0), 0.0), prepend=0.0, append=1.0)
    measured = Measured(counts=counts, edges_ms=edges)
    for factor in (np.array(1.0), np.array([[1.25, 2.0]])):
        np.testing.assert_allclose(measured.below(edges, factor, 0.0), true.below(edges, factor, 0.0), atol=0.01)


def test_more_tail_of_a_known_histogram_moves_that_share_of_the_requests():
    edges = np.geomspace(1, 2000, 60)
    counts = 1e6 * np.diff(Lognormal(tail=0.0).below(edges, np.array(1.0), 0.0), prepend=0.0, append=1.0)
    with_tail = Measured(counts=counts, edges_ms=edges).below(edges, np.array(1.0), 0.05)
    np.testing.assert_allclose(with_tail, Lognormal(tail=0.05).below(edges, np.array(1.0), 0.0), atol=0.01)


HARM = {
    "nothing wrong": (NOTHING_WRONG, 0, 0.0),
    "every pod fails some": (REGRESSIONS["errors +5 pp"], 0, 0.05),
    "one of two pods fails a fifth": (REGRESSIONS["one of two pods fails 20 %"], 0, 0.1),
    "slower than tolerated": (REGRESSIONS["latency x1.25"], 0, 1.0),
    "slower, but tolerated": (Regression(slower=1.05), 0, 0.0),
    "a slow tail": (REGRESSIONS["3 % more tail"], 0, 0.03),
    "a leak, at first": (REGRESSIONS["leak growing to x2"], 5, 0.0),
    "a leak, later": (REGRESSIONS["leak growing to x2"], 30, 1.0),
    "errors beside a slow tail": (Regression(errors=0.5, more_tail=0.1), 0, 0.55),
}


@pytest.mark.parametrize(("regression", "tick", "share"), HARM.values(), ids=HARM.keys())
def test_harm_is_what_fails_or_takes_longer_than_tolerated(regression, tick, share):
    assert regression.harmed(tick, pods=2, tolerated=1.1) == pytest.approx(share)


def test_the_setting_is_the_one_judges_are_compared_in():
    assert scenarios.WEIGHTS.tolist() == [weight for weight in range(5, 55, 5) for _ in range(6)]
    assert Regression() == NOTHING_WRONG

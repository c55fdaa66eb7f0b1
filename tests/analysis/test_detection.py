"""How soon what is wrong is found: medians over seeded runs, with room for other seeds."""

import numpy as np
import pytest

from canary_analyzer.analysis import ArmCounts, Decision, History, Policy, judge

REGRESSIONS = {
    "errors +1 point": ({"more_errors": 0.01}, 30, "errors"),
    "errors +5 points": ({"more_errors": 0.05}, 8, "errors"),
    "one of two pods fails a fifth": ({"more_errors": 0.2, "failing_pods": 1}, 5, "errors"),
    "latency x1.25": ({"slower": 1.25}, 16, "latency"),
    "latency x1.5": ({"slower": 1.5}, 9, "latency"),
    "latency x2": ({"slower": 2.0}, 6, "latency"),
    "three per cent more tail": ({"more_tail": 0.03}, 24, "latency_p99"),
    "a leak that doubles latency over the run": ({"leak": 2.0}, 26, "latency"),
    "outage": ({"more_errors": 0.9}, 1, "errors"),
    "one point of errors, much traffic": ({"more_errors": 0.01, "requests_per_tick": 5000.0}, 9, "errors"),
    "latency x1.25, much traffic": ({"slower": 1.25, "requests_per_tick": 5000.0}, 8, "latency"),
}
SANDBOX = {
    "weights": np.array([0.10] * 5 + [0.25] * 5 + [0.5] * 40),
    "requests_per_tick": 200.0,
    "tick_seconds": 2.0,
    "pods": (1, 3),
    "error_rate": 0.0,
    "median_ms": 20.0,
    "sigma": 0.4,
    "tail": 0.0,
}
SANDBOX_REGRESSIONS = {
    "v2-errors": ({"more_errors": 0.1}, 8, "errors"),
    "v2-slow": ({"slower": 1.5}, 20, "latency"),
    "v2-tail": ({"more_tail": 0.03}, 40, "latency"),
}
CASES = REGRESSIONS | {name: (SANDBOX | case[0], *case[1:]) for name, case in SANDBOX_REGRESSIONS.items()}


@pytest.mark.parametrize(("fields", "ticks", "metric"), CASES.values(), ids=CASES.keys())
def test_a_regression_is_found_in_time_and_blamed_on_its_metric(simulate, fields, ticks, metric):
    verdicts = [judge(simulate(seed, **fields), Policy()) for seed in range(15)]
    assert all(verdict.decision is Decision.ABORT for verdict in verdicts)
    assert np.median([verdict.tick for verdict in verdicts]) <= ticks
    assert all(verdict.reason for verdict in verdicts)
    blamed = [m.name for verdict in verdicts for m in verdict.metrics if m.state.name == "DEGRADED"]
    assert len(blamed) == 15
    assert sum(name.startswith(metric) for name in blamed) >= 14


def test_an_identical_canary_with_much_traffic_is_shown_healthy(simulate):
    verdicts = [judge(simulate(seed, requests_per_tick=5000.0), Policy()) for seed in range(10)]
    assert sum(verdict.decision is Decision.HEALTHY for verdict in verdicts) >= 9


def test_a_tail_is_found_though_the_edge_nearest_to_the_baseline_s_p99_changes_with_its_load(swinging):
    ticks = [judge(swinging(seed, more_tail=0.02), Policy()).tick for seed in range(20)]
    assert np.median(ticks) <= 22
    assert max(ticks) <= 45


@pytest.fixture
def swinging():
    """Return a function of a seed and a tail: the baseline's p99 swings between 50 and 100 ms, nearest to either."""

    def run(seed, more_tail):
        rng = np.random.default_rng(seed)
        above_50 = 0.035 + 0.02 * np.sin(np.arange(60) / 4)
        arms = [arm(rng, above_50, beyond_100=0.002 + more) for more in (more_tail, 0.0)]
        return History(tick_seconds=2.0, edges_ms=np.array([25.0, 50, 100, 250]), canary=arms[0], baseline=arms[1])

    return run


def arm(rng, above_50, beyond_100):
    """Return ticks of some 50 requests, half of them below 25 ms, and so many above the other edges."""
    shares = [np.full(60, 0.5), 0.5 - above_50 - beyond_100, above_50, np.full(60, beyond_100), np.zeros(60)]
    latency = rng.multinomial(rng.poisson(50, size=60), np.stack(shares, axis=1))
    return ArmCounts(requests=latency.sum(axis=1), errors=np.zeros(60, dtype=int), latency=latency)

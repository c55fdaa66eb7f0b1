"""Whether reported intervals hold the truth, at all ticks of a run together."""

import math

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import ndtr
from scipy.stats import binom

from canary_analyzer.analysis import Guardrails, Policy, advance, start, verdict
from canary_analyzer.analysis.histogram import quantile_curves, quantiles

RUNS, LOOK_EVERY = 6, 6
NEVER_ABORTS = Policy(alpha=1e-300, guardrails=Guardrails(success_rate=None))


def latency_at(rank, slower=1.0, more_tail=0.0):
    """Return the true quantile, milliseconds, of the service that `simulate` draws from."""
    tail = 0.01 + more_tail

    def beyond(latency):
        logs = np.log(latency / (40 * slower))
        return (1 - tail) * ndtr(logs / 0.6) + tail * ndtr((logs - np.log(6)) / 0.6) - rank

    return brentq(beyond, 1, 1e5)


CASES = {
    "identical": {},
    "identical, much traffic": {"requests_per_tick": 5000.0},
    "identical, a trickle": {"requests_per_tick": 50.0},
    "identical, bursts on single pods": {"pod_bursts": 0.01},
    "identical, bursts on single pods, much traffic": {"pod_bursts": 0.01, "requests_per_tick": 5000.0},
    "identical, everything together": {
        "traffic_swing": 0.5,
        "drift": 0.1,
        "shared_bursts": 0.03,
        "pod_bursts": 0.004,
    },
    "more errors": {"more_errors": 0.01},
    "slower, much traffic": {"slower": 1.25, "requests_per_tick": 5000.0},
    "a longer tail, much traffic": {"more_tail": 0.03, "requests_per_tick": 5000.0},
}


@pytest.mark.parametrize("fields", CASES.values(), ids=CASES.keys())
def test_intervals_hold_the_truth_at_all_ticks_together(simulate, fields):
    slower, more_tail, more_errors = (
        fields.get(key, d) for key, d in (("slower", 1.0), ("more_tail", 0.0), ("more_errors", 0.0))
    )
    ratios = [latency_at(rank, slower, more_tail) / latency_at(rank) for rank in (0.5, 0.9, 0.99)]
    missed = 0
    for seed in range(RUNS):
        history = simulate(seed, **fields)
        state, wrong = start(NEVER_ABORTS, history.edges_ms, history.tick_seconds), False
        for number, tick in enumerate(history.ticks()):
            state = advance(state, tick)
            if number % LOOK_EVERY == 0:
                figures = verdict(state).metrics
                truths = [more_errors, *ratios]
                wrong |= any(m.low > truth or m.high < truth for m, truth in zip(figures, truths, strict=True))
                ratio = figures[0].ratio
                wrong |= ratio is not None and not ratio.low <= 1 + more_errors / 0.002 <= ratio.high
        missed += wrong
    assert missed <= binom.ppf(0.999, RUNS, 0.05)


def test_an_interval_narrows_with_traffic(simulate):
    few, many = (end_of(simulate(1, requests_per_tick=requests)).metrics[0] for requests in (500.0, 5000.0))
    assert many.high - many.low < (few.high - few.low) / 2


def end_of(history):
    state = start(NEVER_ABORTS, history.edges_ms, history.tick_seconds)
    for tick in history.ticks():
        state = advance(state, tick)
    return verdict(state)


def test_without_errors_on_the_baseline_the_ratio_is_not_bounded_above(simulate):
    ratio = end_of(simulate(1, error_rate=0.0, more_errors=0.01)).metrics[0].ratio
    assert ratio.low > 0
    assert math.isinf(ratio.high)


def test_a_latency_between_two_edges_lies_between_the_curves():
    edges = np.array([25.0, 50.0, 100.0, 250.0, 500.0])
    logs = np.log(edges / 40)
    below = 0.99 * ndtr(logs / 0.6) + 0.01 * ndtr((logs - np.log(6)) / 0.6)
    counts = np.diff(below, prepend=0.0, append=1.0) * 1e9
    for rank in (0.5, 0.9, 0.99):
        curves = quantile_curves(counts, edges, np.array([rank]))[0]
        assert curves.min() * 0.995 <= latency_at(rank) <= curves.max() * 1.005
        assert quantiles(counts, edges, np.array([rank]))[0] == curves[0]

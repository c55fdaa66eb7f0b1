"""The analysis part of a policy, as configuration gives it."""

import pytest
from pydantic import ValidationError

from canary_analyzer.analysis import ErrorTolerance, LatencyTolerance, Policy
from canary_analyzer.rollout.policy import RolloutPolicy, mistakes, override

NONSENSE = {
    "a nested mistake hides none beside it": (
        {"alpha": 1.5, "errors": {"relative": -1}},
        ["analysis.alpha = 1.5: give a number above 0", "analysis.errors.relative = -1.0: give a finite number"],
    ),
    "wrong types and wrong values": (
        {"alpha": "often", "latency": {"relative": [], "quantiles": [0.5, "p99", 2]}},
        [
            "analysis.alpha = 'often': give a number",
            "analysis.latency.relative = []",
            "analysis.latency.quantiles = [0.5, 'p99', 2]: value 'p99'",
            "analysis.latency.quantiles = [0.5, 'p99', 2]: value 2",
        ],
    ),
    "unknown fields on every level": (
        {"alhpa": 0.01, "guardrails": {"ticks": 0, "sucess_rate": 1}},
        [
            "analysis.alhpa: there is no such field",
            "analysis.guardrails.ticks = 0: give a whole number",
            "analysis.guardrails.sucess_rate: there is no such field",
        ],
    ),
    "not a number": ({"beta": float("nan")}, ["analysis.beta = nan: give a number above 0"]),
    "a number where a mapping belongs": ({"errors": 5, "beta": 2}, ["analysis.errors = 5", "analysis.beta = 2.0"]),
    "the other judges": (
        {"judge": "bayes", "mann_whitney": {"points": 1}, "threshold": {"success_rate": None, "p99_ms": None}},
        [
            "analysis.judge = 'bayes': give one of sequential, mann-whitney, threshold",
            "analysis.mann_whitney.points = 1",
            "analysis.threshold.success_rate, p99_ms: both none",
        ],
    ),
    "metrics come with queries": ({"metrics": [{"name": "x"}]}, ["analysis.metrics: put metrics beside `analysis`"]),
}


@pytest.mark.parametrize(("analysis", "expected"), NONSENSE.values(), ids=NONSENSE.keys())
def test_all_mistakes_of_all_levels_are_told_at_once_with_their_paths(analysis, expected):
    with pytest.raises(ValidationError) as refused:
        RolloutPolicy.model_validate({"tick_seconds": 0, "analysis": analysis})
    found = mistakes(refused.value)
    assert len(found) == len(expected) + 1, found
    assert all(any(line.startswith(text) for line in found) for text in [*expected, "tick_seconds = 0"]), found


def test_what_is_not_given_keeps_its_default():
    policy = RolloutPolicy.model_validate({"analysis": {"alpha": "0.02", "latency": {"quantiles": [0.5]}}})
    assert policy.analysis == Policy(alpha=0.02, latency=LatencyTolerance(quantiles=(0.5,)))


def test_a_policy_written_out_and_read_back_is_the_same():
    assert override(RolloutPolicy(), {}) == RolloutPolicy()


def test_a_policy_made_in_python_is_taken_as_it_is():
    analysis = Policy(errors=ErrorTolerance(relative=1.0))
    assert RolloutPolicy(analysis=analysis).analysis is analysis

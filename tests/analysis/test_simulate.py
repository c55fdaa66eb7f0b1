"""A simulated run goes as the service would do it, and counts are counted right."""

import math

import numpy as np
import pytest

from canary_analyzer.analysis import Policy
from canary_analyzer.analysis.calibrate import CASES, IDENTICAL, chance_bounds, row, simulated
from canary_analyzer.analysis.ramp import AdaptiveRamp, FixedRamp, FixedStep
from canary_analyzer.analysis.scenarios import NOTHING_WRONG, REGRESSIONS, Service
from canary_analyzer.analysis.simulate import Ending, Outcome, Rehearsal, run

SHORT = FixedRamp(steps=(FixedStep(weight=10, seconds=30, requests=0), FixedStep(weight=50, seconds=30, requests=0)))
FIXED = FixedRamp(steps=tuple(FixedStep(weight=weight, seconds=60, requests=0) for weight in range(5, 55, 5)))


def rehearsal(**fields):
    return Rehearsal(**{"policy": Policy(), "ramp": SHORT} | fields)


def test_a_good_canary_is_promoted_when_the_ramp_is_over():
    outcome = run(rehearsal(), NOTHING_WRONG, np.random.default_rng(1))
    assert (outcome.ending, outcome.seconds, outcome.bad_requests) == (Ending.PROMOTED, 60.0, 0.0)
    assert outcome.requests == pytest.approx(3 * 50 + 3 * 250, rel=0.15)


def test_time_to_settle_passes_and_is_not_judged():
    outcome = run(rehearsal(settle_seconds=15), NOTHING_WRONG, np.random.default_rng(1))
    assert outcome.seconds == 60.0 + 2 * 20.0


def test_an_outage_is_aborted_in_its_first_ticks_and_its_failures_are_counted():
    outcome = run(rehearsal(), REGRESSIONS["outage"], np.random.default_rng(2))
    assert outcome.ending is Ending.ABORTED
    assert outcome.seconds <= 20
    assert outcome.bad_requests == pytest.approx(0.9 * outcome.requests)


def test_low_traffic_extends_a_step():
    ramp = FixedRamp(steps=(FixedStep(weight=50, seconds=30, requests=500),))
    outcome = run(rehearsal(ramp=ramp), NOTHING_WRONG, np.random.default_rng(3))
    assert outcome.requests >= 500
    slow = run(rehearsal(ramp=ramp, service=Service(requests_per_second=5)), NOTHING_WRONG, np.random.default_rng(3))
    assert slow.seconds > 2 * outcome.seconds


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"service": Service(requests_per_second=0.05)}, id="too little data until the deadline"),
        pytest.param({"promote_undecided": False}, id="the policy does not promote what is undecided"),
    ],
)
def test_what_is_undecided_is_not_promoted(fields):
    outcome = run(rehearsal(deadline_seconds=300.0, **fields), NOTHING_WRONG, np.random.default_rng(4))
    assert outcome.ending is Ending.UNDECIDED


def test_the_same_seed_gives_the_same_run():
    first, second, other = (simulated(rehearsal(), "errors +5 pp", seed) for seed in (1, 1, 2))
    assert first == second != other


def test_the_adaptive_ramp_is_quicker_with_a_good_canary_and_kinder_with_bad_ones():
    runs = 12
    rows = {
        (kind, case): row(case, [simulated(rehearsal(ramp=ramp), case, seed) for seed in range(runs)])
        for kind, ramp in (("fixed", FIXED), ("adaptive", AdaptiveRamp()))
        for case in (IDENTICAL, "errors +5 pp", "latency x1.5")
    }
    good = [rows[kind, IDENTICAL] for kind in ("adaptive", "fixed")]
    assert [each.promoted for each in good] == [runs, runs]
    assert good[0].seconds_to_promotion <= 0.7 * good[1].seconds_to_promotion
    for case in ("errors +5 pp", "latency x1.5"):
        adaptive, fixed = rows["adaptive", case], rows["fixed", case]
        assert (adaptive.aborted, fixed.aborted) == (runs, runs)
        assert adaptive.bad_requests <= 0.6 * fixed.bad_requests


def test_with_low_traffic_the_adaptive_ramp_takes_longer_over_a_weight_and_does_not_guess():
    ramp, per_second = AdaptiveRamp(first=10), 2.0
    fields = {"ramp": ramp, "deadline_seconds": 7200.0, "service": Service(requests_per_second=per_second)}
    good, bad = (simulated(rehearsal(**fields), case, 1) for case in (IDENTICAL, "outage"))
    assert good.seconds >= 0.7 * (ramp.requests / (0.1 * per_second) + ramp.soak_requests / (0.5 * per_second))
    assert bad.ending is Ending.ABORTED
    assert bad.requests < 2 * ramp.requests


def test_with_next_to_no_traffic_the_adaptive_ramp_stays_where_it_began_until_the_deadline():
    fields = {"ramp": AdaptiveRamp(), "service": Service(requests_per_second=0.05)}
    ended = simulated(rehearsal(**fields, deadline_seconds=1800.0), IDENTICAL, 1)
    assert (ended.ending, ended.seconds) == (Ending.UNDECIDED, 1800.0)
    assert ended.requests < 0.05 * 1800 * 0.1


def outcome(ending, seconds, bad):
    return Outcome(ending=ending, healthy=ending is Ending.PROMOTED, seconds=seconds, requests=100, bad_requests=bad)


def test_a_row_counts_endings_and_takes_medians_of_times_and_means_of_requests():
    ended = [(Ending.ABORTED, 10.0, 3.0), (Ending.ABORTED, 30.0, 9.0), (Ending.UNDECIDED, 90.0, 0.0)]
    counted = row("some case", [outcome(*each) for each in ended])
    assert (counted.runs, counted.aborted, counted.promoted, counted.healthy) == (3, 2, 0, 0)
    assert (counted.seconds_to_abort, counted.bad_requests) == (20.0, 4.0)
    assert math.isnan(counted.seconds_to_promotion)
    with pytest.raises(ValueError, match="at least one"):
        row("some case", [])


@pytest.mark.parametrize(
    ("hits", "runs", "low", "high"),
    [(0, 400, 0.0, 0.00918), (4, 400, 0.00273, 0.02541), (10, 10, 0.69150, 1.0)],
)
def test_bounds_of_a_chance_are_those_of_clopper_and_pearson(hits, runs, low, high):
    assert chance_bounds(hits, runs) == pytest.approx((low, high), abs=1e-5)


def test_the_cases_are_a_good_canary_and_what_a_judge_must_find():
    assert list(CASES) == [IDENTICAL, *REGRESSIONS]

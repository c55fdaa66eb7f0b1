import numpy as np
import pytest

from canary_analyzer.analysis import ArmTick, Decision, Tick
from canary_analyzer.rollout.evidence import (
    MOST_INTERVALS,
    Counted,
    Edges,
    Reading,
    absorb,
    absorb_each,
    boundaries,
    evidence,
    fresh,
)
from canary_analyzer.rollout.run import Window
from canary_analyzer.rollout.view import Share

EDGES = Edges(latency=(10.0, 100.0))


def arm(requests, errors=0):
    return ArmTick(requests=requests, errors=errors, latency=np.array([0, requests, 0]))


def counted(since, canary=10, baseline=90, errors=0):
    return Counted(since=since, until=since + 1, tick=Tick(canary=arm(canary, errors), baseline=arm(baseline)))


def go_on(progress, run, intervals):
    return absorb(Reading(progress=progress, run=run, counted=intervals, edges=EDGES))


def read(run, intervals):
    return go_on(fresh(run), run, intervals)


def test_the_grid_of_ticks_is_the_same_for_all_runs_whenever_they_began(make):
    run = make.run(started=103.7, policy=make.policy(tick_seconds=5))
    assert boundaries(fresh(run), run, now=116.0) == (100, 105, 110, 115)


def test_after_weeks_without_a_look_only_the_last_day_is_read(make):
    run = make.run(started=0.0, policy=make.policy(tick_seconds=10))
    grid = boundaries(fresh(run), run, now=21 * 86400.0)
    assert len(grid) == MOST_INTERVALS + 1
    assert grid[-1] == 21 * 86400.0


def test_only_intervals_wholly_inside_a_window_are_judged(make):
    run = make.run(windows=(Window(since=2.5, until=5.5), Window(since=8.0)))
    seen = read(run, [counted(float(at)) for at in range(10)])
    # 3, 4 from the first window; 8, 9 from the second
    assert (seen.totals.canary_requests, seen.totals.baseline_requests) == (40, 360)


def test_reading_one_by_one_gives_what_reading_at_once_after_a_restart_gives(make):
    run = make.run(windows=(Window(since=1.0, until=5.0), Window(since=7.0)))
    intervals = [counted(float(at), errors=at % 2) for at in range(12)]
    at_once, one_by_one = read(run, intervals), fresh(run)
    for interval in intervals:
        one_by_one = go_on(one_by_one, run, [interval])
    assert one_by_one.totals == at_once.totals
    assert one_by_one.verdict == at_once.verdict
    assert one_by_one.step_requests == at_once.step_requests


def test_runs_that_are_read_together_come_to_what_each_comes_to_alone(make):
    windows = [(Window(since=1.0, until=5.0), Window(since=7.0)), (Window(since=3.0),), ()]
    runs = [make.run(windows=each) for each in windows]
    intervals = [[counted(float(at), errors=at % 2) for at in range(length)] for length in (12, 7, 3)]
    readings = [
        Reading(progress=fresh(run), run=run, counted=each, edges=EDGES)
        for run, each in zip(runs, intervals, strict=True)
    ]
    together, alone = absorb_each(readings), [absorb(reading) for reading in readings]
    assert [(p.totals, p.verdict, p.until, p.step_requests) for p in together] == [
        (p.totals, p.verdict, p.until, p.step_requests) for p in alone
    ]


def test_the_requests_of_a_step_are_those_since_its_window_opened(make):
    run = make.run(windows=(Window(since=0.0, until=3.0), Window(since=5.0)))
    assert evidence(read(run, [counted(float(at)) for at in range(7)]), run).step_requests == 20
    assert evidence(read(run, [counted(float(at)) for at in range(4)]), run).step_requests == 0


SHARES = {
    # intervals read since a stage that began at 3.4 -> observed share
    "none complete yet": ([counted(2.0), counted(3.0)], None),
    "one complete": ([counted(3.0), counted(4.0, canary=25, baseline=75)], Share(canary=25, total=100)),
    "the newest speaks": ([counted(4.0), counted(5.0, canary=50, baseline=50)], Share(canary=50, total=100)),
    "an empty tick says nothing": ([counted(4.0), counted(5.0, canary=0, baseline=0)], Share(canary=10, total=100)),
    "no traffic": ([counted(4.0, canary=0, baseline=0)], Share(canary=0, total=0)),
}


@pytest.mark.parametrize(("intervals", "share"), SHARES.values(), ids=SHARES)
def test_the_share_is_that_of_the_newest_tick_that_began_after_the_weight_was_set(make, intervals, share):
    run = make.run(stage_since=3.4)
    assert evidence(read(run, intervals), run).share == share


def test_without_metrics_nothing_is_known_of_the_data_plane_and_what_was_judged_stays(make):
    run = make.run(windows=(Window(since=0.0),))
    seen = evidence(read(run, [counted(float(at)) for at in range(3)]).without_metrics("Prometheus is away"), run)
    assert (seen.share, seen.unavailable) == (None, "Prometheus is away")
    assert seen.verdict is not None


def test_few_requests_are_inconclusive_and_an_outage_aborts(make):
    run = make.run(windows=(Window(since=0.0),))
    thin = read(run, [counted(0.0, canary=1, baseline=3)])
    assert evidence(thin, run).verdict.decision is Decision.INCONCLUSIVE
    outage = read(run, [counted(float(at), canary=100, baseline=900, errors=95) for at in range(8)])
    assert evidence(outage, run).verdict.decision is Decision.ABORT

"""Somebody else writes to what a run works with."""

from dataclasses import replace

import pytest

from canary_analyzer.analysis import Decision
from canary_analyzer.rollout.decide import MOST_REVERTS
from canary_analyzer.rollout.phases import Phase
from canary_analyzer.routing import Traffic
from driving import drive, drive_to, one_pass


@pytest.mark.parametrize("stage", ["settle weight", "analyse"])
def test_a_canary_that_somebody_deletes_serves_until_its_requests_have_been_sent_back(run, world, stage):
    run, now = drive_to(run, world, stage)
    world.canary = replace(world.canary, deleted=True)
    assert "canary Deployment app-canary was deleted" in one_pass(run, world, now).run.reason
    world.log.clear()
    assert drive(run, world).phase is Phase.ABORTED
    assert world.log[-3:] == ["DeleteCanary", "DeleteCanaryServices", "CloseRequest"]


def test_a_template_that_somebody_changes_in_mid_run_ends_it(run, world, make):
    run, now = drive_to(run, world, "analyse")
    world.stable = make.workload({"app": "app:v9"})
    assert "pod template of app was changed" in one_pass(run, world, now + 1).run.reason


def test_foreign_reverts_are_undone_a_few_times_and_then_end_the_run(run, world):
    run, now = drive_to(run, world, "analyse")
    for revert in range(MOST_REVERTS):
        world.traffic = Traffic(weight=0)
        run = one_pass(run, world, now).run
        assert (run.stage, run.reverts) == ("shift weight", revert + 1)
        world.traffic = Traffic(weight=10)
        run = one_pass(run, world, now + 1).run
        now += 5
    world.traffic = Traffic(weight=0)
    assert "somebody else changed the weights" in one_pass(run, world, now).run.reason


@pytest.mark.parametrize(
    ("phase", "stage"), [(Phase.STARTING, "route canary"), (Phase.ANALYSING, "shift weight")], ids=["first", "later"]
)
def test_a_route_that_is_put_back_before_anybody_looks_is_a_foreign_revert_too(run, world, phase, stage):
    run, now = drive_to(run, world, stage, phase)
    for _ in range(MOST_REVERTS + 1):
        now += 1
        run = one_pass(run, world, now, wrote=True).run  # and what it writes is gone at the next look
    assert run.phase is Phase.ABORTING
    assert "somebody else changed the weights" in run.reason


def test_a_write_that_failed_or_was_never_made_is_nobody_s_revert(run, world):
    run, now = drive_to(run, world, "shift weight")
    for later in range(1, 6):
        run = one_pass(run, world, now + later, wrote=False).run
    assert (run.phase, run.reverts) == (Phase.ANALYSING, 0)


def test_a_route_that_somebody_puts_back_on_the_way_out_is_drained_again_before_any_pod_goes(run, world, make):
    world.verdict = make.verdict(Decision.HEALTHY)
    edited = []

    def edit(run, world, now):
        if run.stage == "settle restored" and not edited:
            edited.append(now)
            world.traffic = Traffic(weight=25)
            world.log.clear()

    assert drive(run, world, each=edit).phase is Phase.SUCCEEDED
    assert world.log == ["SetTraffic 0", "RestoreRoutes", "DeleteCanary", "DeleteCanaryServices", "CloseRequest"]


def test_weights_that_somebody_takes_away_during_promotion_do_not_hold_it_up(run, world, make):
    world.verdict = make.verdict(Decision.HEALTHY)

    def revert(run, world, now):
        if run.phase is Phase.PROMOTING and run.stage == "settle stable":
            world.traffic = Traffic(weight=0)

    assert drive(run, world, each=revert).phase is Phase.SUCCEEDED


def test_a_promotion_that_somebody_undoes_is_no_success(run, world, make):
    world.verdict = make.verdict(Decision.HEALTHY)

    def undo(run, world, now):
        if run.phase is Phase.PROMOTING and run.stage == "settle stable":
            world.stable = make.workload({"app": "app:v1"})

    ended = drive(run, world, each=undo)
    assert (ended.phase, world.canary, world.traffic) == (Phase.ABORTED, None, None)
    assert "somebody else changed the image" in ended.reason

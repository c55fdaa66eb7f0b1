"""The annotation `promote`: a person ends the ramp before the judge has spoken."""

from dataclasses import replace

import pytest

from canary_analyzer.analysis import Decision
from canary_analyzer.rollout.phases import Phase
from canary_analyzer.rollout.programs import first_stage
from canary_analyzer.rollout.rolling import Rolling
from canary_analyzer.rollout.strategy import Strategy
from canary_analyzer.routing import Traffic
from driving import one_pass


def at(run, phase):
    """The run at a phase, at 10 % and under way."""
    stages = {Phase.STARTING: "settle route"}
    moved = run.model_copy(update={"phase": phase, "weight": 10, "routed": True})
    return moved.at_stage(stages.get(phase, first_stage(moved).name), 5.0)


def decided(run, world, now=6.0):
    return one_pass(run, world, now).run


@pytest.mark.parametrize(
    ("phase", "asked", "follows"),
    [
        pytest.param(Phase.ANALYSING, "app-1", Phase.PROMOTING, id="while it is judged"),
        pytest.param(Phase.HOLDING, "app-1", Phase.PROMOTING, id="while it is held"),
        pytest.param(Phase.AWAITING_APPROVAL, "app-1", Phase.PROMOTING, id="while it waits for approval"),
        pytest.param(Phase.STARTING, "app-1", Phase.STARTING, id="not before the canary can be judged"),
        pytest.param(Phase.ANALYSING, "app-0", Phase.ANALYSING, id="not for another run's sake"),
        pytest.param(Phase.ABORTING, "app-1", Phase.ABORTING, id="not once it goes back"),
    ],
)
def test_a_person_may_promote_what_is_being_judged(run, world, make, phase, asked, follows):
    world.canary, world.services = make.workload({"app": "app:v2"}, 3), True
    world.wishes = replace(world.wishes, promote=asked, hold=phase is Phase.HOLDING)
    assert decided(at(run, phase), world).phase is follows


def test_the_story_says_who_promoted_and_what_was_known(run, world, make):
    world.canary, world.services = make.workload({"app": "app:v2"}, 3), True
    world.verdict = make.verdict(Decision.CONTINUE, "errors: 1 of 100 against 0 of 900")
    world.wishes = replace(world.wishes, promote="app-1")
    promoted = decided(at(run, Phase.ANALYSING), world)
    assert promoted.reason == (
        "a user promoted it at 10 % with the annotation promote; the judge so far: errors: 1 of 100 against 0 of 900"
    )
    assert promoted.verdict == Decision.INCONCLUSIVE.value


def test_a_canary_that_is_shown_to_be_worse_is_aborted_all_the_same(run, world, make):
    world.canary, world.services = make.workload({"app": "app:v2"}, 3), True
    world.verdict = make.verdict(Decision.ABORT, "errors: 40 of 100 against 0 of 900")
    world.wishes = replace(world.wishes, promote="app-1")
    assert decided(at(run, Phase.ANALYSING), world).phase is Phase.ABORTING


@pytest.mark.parametrize(
    "traffic", [pytest.param(Traffic(), id="at 0 %"), pytest.param(Traffic(weight=10), id="at 10 %")]
)
@pytest.mark.parametrize(
    ("changed", "now", "reason"),
    [
        pytest.param({"failure": "quota", "available": 2}, 6.0, "could not roll out", id="it cannot"),
        pytest.param({"images": {"app": "app:v1"}}, 6.0, "somebody else changed the image", id="somebody undoes it"),
        pytest.param({"available": 2}, 5000.0, "did not roll out", id="it takes too long"),
    ],
)
def test_whatever_was_promoted_goes_back_when_stable_does_not_roll_it_out(
    run, world, make, traffic, changed, now, reason
):
    promoted = run.model_copy(
        update={"phase": Phase.PROMOTING, "routed": True, "stable_patched": True}
        | {"weight": traffic.weight, "traffic": traffic}
    ).at_stage("await stable", 5.0)
    world.canary, world.services, world.traffic = make.workload({"app": "app:v2"}, 3), True, traffic
    world.stable = replace(make.workload({"app": "app:v2"}), **changed)
    after = decided(promoted, world, now)
    assert (after.phase, reason in after.reason) == (Phase.ABORTING, True), after.reason


def test_a_rolling_update_is_promoted_once_it_has_begun(run, world):
    rolling = Rolling(old_pods="abc", pace_seconds=60, found_seconds=0)
    waiting = run.model_copy(
        update={"strategy": Strategy.ROLLING, "phase": Phase.ANALYSING, "stage": "await metrics", "rolling": rolling}
    )
    world.wishes = replace(world.wishes, promote="app-1")
    assert decided(waiting, world).phase is not Phase.PROMOTING
    begun = waiting.model_copy(update={"rolling": replace(rolling, template="old"), "stage": "warm up"})
    assert decided(begun, world).phase is Phase.PROMOTING

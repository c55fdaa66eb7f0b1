"""Stages without a limit tell what they wait for; what no request depends on is not waited for without end."""

from dataclasses import replace

import pytest

from canary_analyzer.rollout.advice import in_sight
from canary_analyzer.rollout.decide import SLOW_SECONDS
from canary_analyzer.rollout.phases import Phase
from canary_analyzer.rollout.programs import PROGRAMS
from canary_analyzer.rollout.view import Autoscaler
from canary_analyzer.routing import Traffic
from driving import one_pass

TOO_LONG = 10_000.0
GONE = {"canary": None, "canary_services": False, "services_left": False, "routed": False, "weight": None}


@pytest.fixture
def looked(run, world, make):
    """Decide for a run that has been at a stage of its way back for so long, and sees this."""

    def decided(stage, seconds, **seen):
        stuck = run.model_copy(
            update={
                "phase": Phase.ABORTING,
                "stage": stage,
                "stage_since": 0.0,
                "routed": True,
                "stable_patched": True,
                "traffic": Traffic(),
                "reason": "found worse",
            }
        )
        world.canary, world.services = make.workload(replicas=2), True
        return one_pass(stuck, world, seconds, write_trouble="403 forbidden", **seen).run

    return decided


def halted(make, available):
    return replace(make.workload(replicas=4), available=available, failure="ProgressDeadlineExceeded: no room")


STUCK = {
    "drain canary": ({"routed": True, "weight": 10, "reached": None}, "to send no request to the canary"),
    "restore route": ({"routed": True, "weight": 0, "reached": Traffic()}, "to be as their owner had them"),
    "release floor": ({"autoscaler": Autoscaler(minimum=4, maximum=9, held=True)}, "its own minReplicas again"),
    "delete canary": ({"routed": False}, "the canary app-canary to be gone"),
    "delete services": ({**GONE, "services_left": True}, "the Service app-canary to be gone"),
    "close request": (GONE, "the annotations of app to say how it ended"),
}


@pytest.mark.parametrize(("stage", "seen", "words"), [(s, *row) for s, row in STUCK.items()], ids=STUCK)
def test_a_stage_that_takes_long_says_once_in_story_and_status_what_it_waits_for(looked, stage, seen, words):
    early, late = looked(stage, SLOW_SECONDS - 1, **seen), looked(stage, SLOW_SECONDS, **seen)
    assert (early.waiting, late.stage) == ("", stage)
    assert words in late.waiting
    assert "403 forbidden" in late.waiting
    assert late.timeline[-1].text == late.waiting
    assert late.waiting in in_sight(late)
    assert late.at_stage("the next", 0.0).waiting == ""


def test_a_stable_that_does_not_come_back_is_told_of_with_its_pods(looked, make):
    run = looked("await restored stable", SLOW_SECONDS, stable=halted(make, 1))
    assert "app to be rolled out with its old version (1 of 4 pods are Available; ProgressDead" in run.waiting


ENDED = {
    "most of stable's pods serve": ("await restored stable", lambda make: {"stable": halted(make, 3)}),
    "a pod of a lost node": ("delete canary", lambda _: {**GONE, "services_left": True, "canary_pods": 1}),
    "an autoscaler that cannot be written": (
        "release floor",
        lambda _: {"autoscaler": STUCK["release floor"][0]["autoscaler"]},
    ),
}


@pytest.mark.parametrize(("stage", "seen"), ENDED.values(), ids=ENDED)
def test_what_no_request_depends_on_is_not_waited_for_without_end(looked, make, stage, seen):
    assert looked(stage, SLOW_SECONDS, **seen(make)).stage == stage
    assert looked(stage, TOO_LONG, **seen(make)).stage != stage


def test_a_service_that_was_away_tries_first(looked):
    seen = {"autoscaler": Autoscaler(minimum=4, maximum=9, held=True), "first_look": True}
    assert looked("release floor", TOO_LONG, **seen).stage == "release floor"


KEPT = {
    "requests still go to the canary": ("drain canary", lambda _: STUCK["drain canary"][0]),
    "most of stable's pods are missing": ("await restored stable", lambda make: {"stable": halted(make, 2)}),
    "the canary is not deleted": ("delete canary", lambda _: {"routed": False}),
}


@pytest.mark.parametrize(("stage", "seen"), KEPT.values(), ids=KEPT)
def test_what_requests_depend_on_is_waited_for_however_long_it_takes(looked, make, stage, seen):
    assert looked(stage, TOO_LONG, **seen(make)).stage == stage


TIMED = {
    "settle weight",
    "settle drained",
    "settle restored",
    "settle stable",
    "tell the end",
    "tell of the roll-back",
    "patch stable",
}
"""They end by themselves; the last is Git's to reach, where it has no limit."""


@pytest.mark.parametrize("phase", [Phase.PROMOTING, Phase.ABORTING], ids=str)
def test_every_stage_of_the_way_out_has_a_limit_an_end_or_says_what_it_waits_for(phase):
    for (_, found), program in PROGRAMS.items():
        for stage in program if found is phase else ():
            assert stage.limit or stage.waits or stage.name in TIMED, stage.name

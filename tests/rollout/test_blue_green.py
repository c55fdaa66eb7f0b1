"""Green beside blue: one switch there, one write back, and blue replaced only while green has all requests."""

from dataclasses import replace

import pytest

from canary_analyzer.analysis import Decision
from canary_analyzer.rollout.actions import SetTraffic
from canary_analyzer.rollout.causes import Cause
from canary_analyzer.rollout.decide import MOST_REVERTS
from canary_analyzer.rollout.phases import Phase
from canary_analyzer.rollout.run import RouteRef
from canary_analyzer.rollout.strategy import Strategy
from canary_analyzer.rollout.view import Wishes
from canary_analyzer.routing import Traffic
from driving import LEFT, drive, drive_to, one_pass, start

BLUE_GREEN = {
    "preview": [{"match": {"headers": {"x-preview": "1"}}, "seconds": 5}],
    "analysis_seconds": 10,
    "requests": 0,
    "keep_seconds": 10,
}


def test_green_is_as_large_as_blue_from_the_start_and_gets_nearly_all_at_once(make, healthy):
    run = start(make, Strategy.BLUE_GREEN, blue_green=BLUE_GREEN)
    assert drive(run, healthy).phase is Phase.SUCCEEDED
    expected = ["CreateCanary 3", *(f"SetTraffic {each}" for each in ("0", "0 match", "90", "100")), "PatchStable"]
    assert healthy.log == [*expected, *LEFT]


def test_green_that_turns_bad_after_the_switch_loses_all_traffic_at_once(make, healthy):
    def turn_bad(run, world, now):
        if run.weight == 100:
            world.verdict = make.verdict(Decision.ABORT)

    run = start(make, Strategy.BLUE_GREEN, blue_green=BLUE_GREEN)
    assert drive(run, healthy, each=turn_bad).phase is Phase.ABORTED
    assert healthy.log[-6:] == ["SetTraffic 100", *LEFT]


@pytest.mark.parametrize(
    ("weight", "expected"),
    [
        pytest.param(0, ["SetTraffic 0 match", "SetTraffic 100", "PatchStable"], id="in the preview"),
        pytest.param(90, ["SetTraffic 90", "SetTraffic 100", "PatchStable"], id="while it is compared"),
        pytest.param(100, ["SetTraffic 90", "SetTraffic 100", "PatchStable"], id="while blue is kept"),
    ],
)
def test_green_that_a_person_promotes_gets_all_requests_before_blue_is_replaced(make, healthy, weight, expected):
    def promote(run, world, now):
        if (run.phase, run.weight, run.stage) == (Phase.ANALYSING, weight, "analyse"):
            world.wishes = replace(world.wishes, promote=run.name)

    run = start(make, Strategy.BLUE_GREEN, blue_green=BLUE_GREEN)
    ended = drive(run, healthy, each=promote)
    assert (ended.phase, "a user promoted it" in ended.reason) == (Phase.SUCCEEDED, True)
    assert healthy.log[-len(LEFT) - 3 : -len(LEFT)] == expected


MEANWHILE = {
    # what somebody does while green takes over -> why the run is aborted
    "blue is changed": (
        lambda world: setattr(world, "stable", replace(world.stable, template="another")),
        Cause.STABLE_CHANGED,
    ),
    "the route is deleted": (
        lambda world: setattr(world, "missing_routes", (RouteRef(namespace="default", name="app"),)),
        Cause.ROUTE_DELETED,
    ),
}


@pytest.mark.parametrize(("happens", "cause"), MEANWHILE.values(), ids=MEANWHILE)
def test_blue_is_not_replaced_before_green_has_all_requests_and_not_at_all_when(make, healthy, happens, cause):
    def promote(run, world, now):
        if (run.phase, run.stage) == (Phase.ANALYSING, "analyse"):
            world.wishes = replace(world.wishes, promote=run.name)
        if (run.phase, run.stage) == (Phase.PROMOTING, "settle weight"):
            happens(world)

    ended = drive(start(make, Strategy.BLUE_GREEN, blue_green=BLUE_GREEN), healthy, each=promote)
    assert (ended.phase, ended.cause) == (Phase.ABORTED, cause)
    assert "PatchStable" not in healthy.log


def green_promoted(make, world, stage):
    """A run that has passed, at a stage of its promotion, and the time."""
    run = start(make, Strategy.BLUE_GREEN, blue_green=BLUE_GREEN)
    return drive_to(run, world, stage, Phase.PROMOTING)


def test_blue_that_gets_its_requests_back_is_not_replaced_before_green_has_them_again(make, healthy):
    run, now = green_promoted(make, healthy, "patch stable")
    for _ in range(MOST_REVERTS):
        healthy.traffic = Traffic()  # and the write of the new image was refused
        decision = one_pass(run, healthy, now + 1)
        assert decision.action == SetTraffic(traffic=Traffic(weight=100))
        healthy.obey(decision.action)
        run, now = drive_to(decision.run, healthy, "patch stable", Phase.PROMOTING)
    healthy.traffic = Traffic()
    ended = drive(run, healthy)
    assert (ended.phase, ended.cause) == (Phase.ABORTED, Cause.REVERTED)
    assert "PatchStable" not in healthy.log


@pytest.mark.parametrize(
    ("serving", "writes"),
    [
        pytest.param(3, ["SetTraffic 100", "PatchStable", *LEFT], id="green serves meanwhile"),
        pytest.param(0, ["PatchStable", *LEFT[1:]], id="nobody else can serve"),
    ],
)
def test_blue_that_has_requests_is_given_its_old_version_back_where_green_can_take_them(make, healthy, serving, writes):
    run, _ = green_promoted(make, healthy, "settle stable")
    healthy.log.clear()
    healthy.traffic, healthy.wishes = Traffic(), Wishes(trigger=None)
    healthy.canary = replace(healthy.canary, available=serving)
    ended = drive(run, healthy)
    assert (ended.phase, healthy.log) == (Phase.ABORTED, writes)
    assert healthy.stable.images == {"app": "app:v1"}


def test_green_does_not_get_the_last_users_without_a_verdict(make):
    world = make.world(verdict=make.verdict(Decision.INCONCLUSIVE))
    run = start(make, Strategy.BLUE_GREEN, blue_green=BLUE_GREEN, deadline_seconds=100)
    assert drive(run, world).phase is Phase.ABORTED
    assert "SetTraffic 100" not in world.log


def test_without_a_control_only_guardrails_judge_green(make):
    world = make.world(verdict=make.verdict(Decision.INCONCLUSIVE))
    run = start(make, Strategy.BLUE_GREEN, blue_green={**BLUE_GREEN, "control_percent": 0})
    ended = drive(run, world)
    assert (ended.phase, "SetTraffic 90" in world.log) == (Phase.SUCCEEDED, False)
    assert "nothing to compare with" in ended.reason

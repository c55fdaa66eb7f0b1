"""A canary that the user brought, from its first weight to the end."""

from dataclasses import dataclass, replace

import pytest

from canary_analyzer.analysis import Decision
from canary_analyzer.rollout import actions
from canary_analyzer.rollout.decide import begin
from canary_analyzer.rollout.phases import Phase
from canary_analyzer.rollout.strategy import Strategy
from canary_analyzer.rollout.view import Wishes
from canary_analyzer.routing import Traffic
from driving import one_pass

NEW = {"app": "app:v2"}


@pytest.fixture
def brought(make):
    """The user's own two Deployments, and his route with a destination for each; `give` is what Git does to stable."""

    class Brought:
        def __init__(self, **policy):
            self.world = _routed(make.world(canary=make.workload(NEW), traffic=Traffic(weight=0)))
            self.world.wishes = Wishes(trigger="app")
            fields = {
                "deployment": "app-next",
                "baseline": "app",
                "canary": "app-next",
                "canary_template": "new",
                "strategy": Strategy.BRING_YOUR_OWN,
                "trigger": "app",
                "policy": make.policy(**policy),
            }
            self.run = begin(make.run(**fields), now=0.0)
            self.now = 0.0

        def judged(self, decision):
            self.world.verdict = make.verdict(decision)

        def give(self, images):
            self.world.stable = make.workload(images)

        def go(self, passes=100):
            for _ in range(passes):
                if self.run.ended:
                    break
                self.now += 1
                seen = {"routed": not self.world.missing_routes, "marked": self.world.marked}
                decision = one_pass(self.run, self.world, self.now, **seen)
                self.run = decision.run
                if decision.action is not None:
                    self.world.obey(decision.action)
            return self.run

    return Brought


def _routed(world):
    """The world, but that its route is the user's: it stays when ours is taken back, and carries our mark meanwhile."""

    @dataclass
    class Routed(type(world)):
        marked: bool = False

        def obey(self, action):
            match action:
                case actions.RestoreRoutes():
                    self.marked = False
                    self.traffic = Traffic(weight=0)
                    self.log.append("RestoreRoutes")
                case actions.SetTraffic() if self.missing_routes:
                    pass  # there is nothing to write to
                case _:
                    super().obey(action)
                    self.marked |= isinstance(action, actions.SetTraffic)

    return Routed(**vars(world))


def test_only_weights_move_and_what_has_passed_waits_for_git(brought):
    case = brought()
    case.judged(Decision.HEALTHY)
    run = case.go()
    assert (run.phase, run.weight, case.world.traffic.weight) == (Phase.PROMOTING, 50, 50)
    assert "until app runs app:v2" in run.reason
    case.give(NEW)
    assert case.go().phase is Phase.SUCCEEDED
    assert case.world.log == ["SetTraffic 10", "SetTraffic 50", "SetTraffic 0", "RestoreRoutes", "CloseRequest"]


def test_stable_is_patched_by_us_where_the_policy_says_so(brought):
    case = brought(bring_your_own={"patch_stable": True})
    case.judged(Decision.HEALTHY)
    assert case.go().phase is Phase.SUCCEEDED
    assert case.world.stable.images == NEW
    assert "PatchStable" in case.world.log


def test_a_bad_canary_loses_its_weight_and_nothing_of_the_user_s_is_deleted(brought):
    case = brought()
    case.go(10)
    case.judged(Decision.ABORT)
    assert case.go().phase is Phase.ABORTED
    assert case.world.log == ["SetTraffic 10", "SetTraffic 0", "RestoreRoutes", "CloseRequest"]
    assert case.world.canary is not None


AWAITING = {
    # what happens while Git is awaited -> phase afterwards, word in the reason
    "it turns bad": (lambda case: case.judged(Decision.ABORT), "because of the figures"),
    "its template changes": (
        lambda case: setattr(case.world, "canary", replace(case.world.canary, template="newer")),
        "a new run will judge the new one",
    ),
    "it is deleted": (lambda case: setattr(case.world, "canary", None), "was deleted"),
    "its annotation is taken away": (
        lambda case: setattr(case.world, "wishes", Wishes(trigger=None)),
        "the annotation baseline was removed",
    ),
}


@pytest.mark.parametrize(("happens", "reason"), AWAITING.values(), ids=AWAITING)
def test_a_canary_that_has_passed_is_sent_back_all_the_same_when(brought, happens, reason):
    case = brought()
    case.judged(Decision.HEALTHY)
    assert case.go().phase is Phase.PROMOTING
    happens(case)
    run = case.go()
    assert (run.phase, case.world.traffic.weight) == (Phase.ABORTED, 0)
    assert reason in run.reason
    assert case.world.stable.images == {"app": "app:v1"}


def test_weights_that_somebody_reverts_while_git_is_awaited_are_set_again(brought):
    case = brought()
    case.judged(Decision.HEALTHY)
    case.go()
    case.world.traffic = Traffic(weight=0)
    case.go(3)
    assert (case.run.phase, case.world.traffic.weight) == (Phase.PROMOTING, 50)


def test_a_route_that_somebody_deletes_while_git_is_awaited_is_no_longer_waited_for(brought):
    case = brought()
    case.judged(Decision.HEALTHY)
    case.go()
    case.world.missing_routes, case.world.traffic, case.world.marked = case.run.routes, None, False
    assert case.go().phase is Phase.PROMOTING
    case.give(NEW)
    assert case.go().phase is Phase.SUCCEEDED


def test_a_stable_that_cannot_roll_out_what_git_gave_it_is_not_ours_to_undo(brought):
    case = brought()
    case.judged(Decision.HEALTHY)
    case.go()
    case.give(NEW)
    case.world.stable = replace(case.world.stable, available=2, failure="ProgressDeadlineExceeded: quota")
    run = case.go(2000)
    assert (run.phase, case.world.traffic.weight) == (Phase.PROMOTING, 50)

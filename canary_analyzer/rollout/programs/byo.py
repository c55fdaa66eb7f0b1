"""The phases of a canary that the user brought: his Deployment, his routes to it; only weights are ours.

When it has passed, stable has to get its image: from Git, as a rule, where somebody merges it. Until then the weight is
held and the judge goes on looking. Where the policy says so we patch stable ourselves.
"""

import math
from dataclasses import replace

from canary_analyzer.rollout.actions import Action, PatchStable, ReleaseFloor, RestoreRoutes, SetTraffic
from canary_analyzer.rollout.phases import Phase
from canary_analyzer.rollout.programs import goals, ramp, words
from canary_analyzer.rollout.programs.stage import Program, Situation, Stage
from canary_analyzer.rollout.run import Run

HOLD_WEIGHT = "hold weight"
AWAIT_IMAGE = "patch stable"
"""The stage at which stable is to get the canary's images, from us or from Git."""


def may_patch(run: Run) -> bool:
    """Whether stable is ours to patch."""
    return run.policy.bring_your_own.patch_stable


def _weight_held(s: Situation) -> bool:
    """Whether the canary has its weight, or no route is left that could give it one."""
    return goals.traffic_set(s) or set(s.view.missing_routes) == set(s.run.routes)


def _routes_restored(s: Situation) -> bool:
    return not s.view.marked and goals.disowned(s)


def _patch(s: Situation) -> Action | None:
    return PatchStable(images=s.run.images) if may_patch(s.run) else None


def _restore(s: Situation) -> Action | None:
    return PatchStable(images=s.run.stable_images) if may_patch(s.run) else None


def _limit(run: Run) -> float:
    """Git takes its time; what we do ourselves does not."""
    return run.policy.promote_seconds if may_patch(run) else math.inf


_LEAVING: Program = (
    ramp.DRAIN_CANARY,
    ramp.SETTLE_DRAINED,
    Stage(name="restore route", done=_routes_restored, action=lambda _: RestoreRoutes(), waits=words.way_back),
    Stage(name="settle restored", done=goals.settled),
    Stage(name="release floor", done=goals.floor_released, action=lambda _: ReleaseFloor(), waits=words.floor),
    ramp.TELL_THE_END,
    ramp.CLOSE_REQUEST,
)

STARTING: Program = (ramp.AWAIT_CANARY, ramp.ROUTE_CANARY, ramp.SETTLE_ROUTE)

STEP: Program = (
    ramp.TAKE_APPROVAL,
    ramp.HOLD_FLOOR,
    ramp.AWAIT_SCALED_CANARY,
    ramp.ASK_WEBHOOKS,
    ramp.SHIFT_WEIGHT,
    ramp.SETTLE_WEIGHT,
    replace(ramp.ANALYSE, action=lambda _: None),  # its size is the user's affair
)

PROMOTING: Program = (
    Stage(
        name=HOLD_WEIGHT,
        done=_weight_held,
        action=lambda s: SetTraffic(traffic=s.run.traffic),
        waits=lambda s: f"the canary to have its weight of {s.run.weight} % again",
    ),
    Stage(
        name=AWAIT_IMAGE,
        done=goals.stable_patched,
        action=_patch,
        limit=_limit,
        late=words.unpatched,
        given=_weight_held,
        back=HOLD_WEIGHT,
        samples=True,
    ),
    Stage(name="await stable", done=goals.stable_available, limit=_limit, late=words.not_rolled_out),
    ramp.SETTLE_STABLE,
    *_LEAVING,
)

ABORTING: Program = (
    Stage(
        name="restore stable",
        done=lambda s: not may_patch(s.run) or goals.stable_restored(s),
        action=_restore,
        waits=words.old_images,
    ),
    Stage(
        name="await restored stable",
        done=lambda s: not may_patch(s.run) or goals.stable_recovered(s),
        waits=words.recovery,
    ),
    ramp.DRAIN_CANARY,
    ramp.TELL_OF_THE_ROLL_BACK,
    *_LEAVING[1:],
)

PHASES: dict[Phase, Program] = {
    Phase.STARTING: STARTING,
    Phase.ANALYSING: STEP,
    Phase.HOLDING: STEP,
    Phase.AWAITING_APPROVAL: STEP,
    Phase.PROMOTING: PROMOTING,
    Phase.ABORTING: ABORTING,
}

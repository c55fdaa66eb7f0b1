"""The phases of a canary: a sibling, a route to it, weights that climb, and the way out."""

from collections.abc import Callable
from dataclasses import replace

from canary_analyzer.rollout.actions import (
    Action,
    CallWebhooks,
    CloseRequest,
    CreateCanary,
    DeleteCanary,
    DeleteCanaryServices,
    HoldFloor,
    PatchStable,
    ReleaseFloor,
    RestoreRoutes,
    ScaleCanary,
    SetTraffic,
    TakeApproval,
)
from canary_analyzer.rollout.gates import Moment, due, told
from canary_analyzer.rollout.programs import goals, words
from canary_analyzer.rollout.programs.stage import Program, Situation, Stage
from canary_analyzer.rollout.ramp import NOTHING, sticky_of, traffic_of
from canary_analyzer.rollout.run import Run
from canary_analyzer.routing.traffic import Traffic


def _set_traffic(s: Situation) -> Action:
    return SetTraffic(traffic=s.run.traffic)


def _of_step(run: Run) -> Traffic:
    return traffic_of(run.ramp_step, run.traffic, run.policy, sticky_of(run.policy, run.ramp, run.name))


def _grow(s: Situation) -> Action | None:
    """Hold an autoscaler that comes in mid-run, or is let go; let the canary follow a stable that grows.

    Its pods are not to answer more than stable's, and stable is not to shrink meanwhile.
    """
    if not goals.floor_held(s):
        return HoldFloor()
    return None if goals.canary_scaled(s) else ScaleCanary(replicas=goals.replicas_needed(s))


def _telling(moment: Moment) -> Callable[[Situation], Action]:
    return lambda s: CallWebhooks(calls=told(s.run, moment))


# Starting --------------------------------------------------------------------------------------------------------

CREATE_CANARY = Stage(
    name="create canary",
    done=goals.canary_created,
    action=lambda s: CreateCanary(replicas=goals.replicas_needed(s)),
    limit=goals.start_limit,
    late=words.uncreated,
)
AWAIT_CANARY = Stage(name="await canary", done=goals.canary_available, limit=goals.start_limit, late=words.unavailable)
# Both destinations in one write, the canary at 0 %: proxies learn of it before the first request may go there.
ROUTE_CANARY = Stage(
    name="route canary",
    done=goals.traffic_set,
    action=_set_traffic,
    limit=goals.start_limit,
    late=words.unrouted,
    given=goals.traffic_kept,
    back="route canary",
    routes=True,
)
SETTLE_ROUTE = Stage(name="settle route", done=goals.settled)

STARTING: Program = (CREATE_CANARY, AWAIT_CANARY, ROUTE_CANARY, SETTLE_ROUTE)

# A step of the ramp ----------------------------------------------------------------------------------------------

TAKE_APPROVAL = Stage(name="take approval", done=goals.approval_taken, action=lambda _: TakeApproval())
HOLD_FLOOR = Stage(
    name="hold floor",
    done=goals.floor_held,
    action=lambda _: HoldFloor(),
    limit=goals.start_limit,
    late=words.not_held,
    holds=True,
)
SCALE_CANARY = Stage(
    name="scale canary",
    done=goals.canary_scaled,
    action=lambda s: ScaleCanary(replicas=goals.replicas_needed(s)),
    limit=goals.start_limit,
    late=words.unscaled,
    holds=True,
)
AWAIT_SCALED_CANARY = Stage(
    name="await scaled canary",
    done=goals.canary_available,
    limit=goals.start_limit,
    late=words.unavailable,
    holds=True,
)
ASK_WEBHOOKS = Stage(
    name="ask webhooks", done=goals.gates_open, action=lambda s: CallWebhooks(calls=due(s.run)), holds=True
)
SHIFT_WEIGHT = Stage(
    name="shift weight",
    done=goals.traffic_set,
    action=_set_traffic,
    traffic=_of_step,
    limit=goals.start_limit,
    late=words.unrouted,
    given=goals.traffic_kept,
    back="shift weight",
)
SETTLE_WEIGHT = Stage(name="settle weight", done=goals.step_settled, given=goals.traffic_set, back=SHIFT_WEIGHT.name)
ANALYSE = Stage(
    name="analyse",
    done=goals.step_over,
    action=_grow,
    given=goals.traffic_set,
    back=SHIFT_WEIGHT.name,
    samples=True,
    holds=True,
)

STEP: Program = (
    TAKE_APPROVAL,
    HOLD_FLOOR,
    SCALE_CANARY,
    AWAIT_SCALED_CANARY,
    ASK_WEBHOOKS,
    SHIFT_WEIGHT,
    SETTLE_WEIGHT,
    ANALYSE,
)

# The way out -----------------------------------------------------------------------------------------------------

DRAIN_CANARY = Stage(
    name="drain canary", done=goals.drained, action=_set_traffic, traffic=lambda _: NOTHING, waits=words.drain
)
SETTLE_DRAINED = Stage(name="settle drained", done=goals.settled, given=goals.drained, back=DRAIN_CANARY.name)
RESTORE_ROUTE = Stage(
    name="restore route",
    done=goals.given_back,
    action=lambda _: RestoreRoutes(),
    given=goals.drained,
    back=DRAIN_CANARY.name,
    waits=words.way_back,
)
SETTLE_RESTORED = Stage(name="settle restored", done=goals.settled, given=goals.off_route, back=DRAIN_CANARY.name)
RELEASE_FLOOR = Stage(
    name="release floor",
    done=goals.floor_released,
    action=lambda _: ReleaseFloor(),
    given=goals.off_route,
    back=DRAIN_CANARY.name,
    waits=words.floor,
)
DELETE_CANARY = Stage(
    name="delete canary",
    done=goals.canary_deleted,
    action=lambda _: DeleteCanary(),
    given=goals.off_route,
    back=DRAIN_CANARY.name,
    waits=words.pods_gone,
)
DELETE_SERVICES = Stage(
    name="delete services",
    done=goals.services_deleted,
    action=lambda _: DeleteCanaryServices(),
    given=goals.off_route,
    back=DRAIN_CANARY.name,
    waits=words.services_gone,
)
TELL_THE_END = Stage(name="tell the end", done=goals.all_told(Moment.END), action=_telling(Moment.END))
CLOSE_REQUEST = Stage(name="close request", done=goals.closed, action=lambda _: CloseRequest(), waits=words.closing)

LEAVING: Program = (
    DRAIN_CANARY,
    SETTLE_DRAINED,
    RESTORE_ROUTE,
    SETTLE_RESTORED,
    RELEASE_FLOOR,
    DELETE_CANARY,
    DELETE_SERVICES,
    TELL_THE_END,
    CLOSE_REQUEST,
)
"""The way out, for good canaries and bad: no request may meet a pod that is gone, so routes first, pods last."""

# Promoting -------------------------------------------------------------------------------------------------------

PATCH_STABLE = Stage(
    name="patch stable",
    done=goals.stable_patched,
    action=lambda s: PatchStable(images=s.run.images),
    limit=goals.promote_limit,
    late=words.unpatched,
)
AWAIT_STABLE = Stage(
    name="await stable", done=goals.stable_available, limit=goals.promote_limit, late=words.not_rolled_out
)
# Time alone: until the drain it does not matter how many requests the canary still takes.
SETTLE_STABLE = Stage(name="settle stable", done=goals.paused)

PROMOTING: Program = (PATCH_STABLE, AWAIT_STABLE, SETTLE_STABLE, *LEAVING)


def _before_the_switch(run: Run) -> bool:
    return run.traffic.weight < 100


# Blue may lose all its pods at once when it is replaced, so green takes over first, also where a person is in a hurry.
SWITCH: Program = tuple(
    replace(stage, begins=_before_the_switch)
    for stage in (HOLD_FLOOR, SCALE_CANARY, AWAIT_SCALED_CANARY, SHIFT_WEIGHT, SETTLE_WEIGHT)
)
PROMOTING_GREEN: Program = (
    *SWITCH,
    replace(PATCH_STABLE, given=goals.relieved, back=SHIFT_WEIGHT.name),
    AWAIT_STABLE,
    SETTLE_STABLE,
    *LEAVING,
)

# Aborting --------------------------------------------------------------------------------------------------------

RESTORE_STABLE = Stage(
    name="restore stable",
    done=goals.stable_restored,
    action=lambda s: PatchStable(images=s.run.stable_images),
    waits=words.old_images,
)
AWAIT_RESTORED_STABLE = Stage(name="await restored stable", done=goals.stable_recovered, waits=words.recovery)
TELL_OF_THE_ROLL_BACK = Stage(
    name="tell of the roll-back",
    done=goals.all_told(Moment.ROLLBACK),
    action=_telling(Moment.ROLLBACK),
    given=goals.drained,
    back=DRAIN_CANARY.name,
)

_BACK: Program = (AWAIT_RESTORED_STABLE, DRAIN_CANARY, TELL_OF_THE_ROLL_BACK, *LEAVING[1:])
ABORTING: Program = (RESTORE_STABLE, *_BACK)

HOLD_WEIGHT = Stage(name="hold weight", done=goals.sheltered, action=_set_traffic, waits=words.shelter)
# Nor may blue be replaced on the way back where somebody has put its requests back meanwhile.
ABORTING_GREEN: Program = (
    HOLD_WEIGHT,
    replace(SETTLE_WEIGHT, done=goals.shelter_settled, given=goals.sheltered, back=HOLD_WEIGHT.name),
    replace(RESTORE_STABLE, given=goals.sheltered, back=HOLD_WEIGHT.name),
    *_BACK,
)

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
from canary_analyzer.rollout.programs import goals
from canary_analyzer.rollout.programs.stage import Program, Situation, Stage
from canary_analyzer.rollout.ramp import NOTHING, sticky_of, traffic_of
from canary_analyzer.rollout.run import Run
from canary_analyzer.routing.traffic import Traffic


def _set_traffic(s: Situation) -> Action:
    return SetTraffic(traffic=s.run.traffic)


def _of_step(run: Run) -> Traffic:
    return traffic_of(run.ramp_step, run.traffic, run.policy, sticky_of(run.policy, run.ramp, run.name))


def _grow(s: Situation) -> Action | None:
    """Let the canary follow a stable that grows, so that its pods do not answer more than stable's."""
    return None if goals.canary_scaled(s) else ScaleCanary(replicas=goals.replicas_needed(s))


def _telling(moment: Moment) -> Callable[[Situation], Action]:
    return lambda s: CallWebhooks(calls=told(s.run, moment))


CLOSE = Stage(name="close request", done=goals.closed, action=lambda _: CloseRequest(), waits=goals.closing)

LEAVING: Program = (
    Stage(name="drain canary", done=goals.drained, action=_set_traffic, traffic=lambda _: NOTHING, waits=goals.drain),
    Stage(name="settle drained", done=goals.settled, given=goals.drained, back="drain canary"),
    Stage(
        name="restore route",
        done=goals.given_back,
        action=lambda _: RestoreRoutes(),
        given=goals.drained,
        back="drain canary",
        waits=goals.way_back,
    ),
    Stage(name="settle restored", done=goals.settled, given=goals.off_route, back="drain canary"),
    Stage(
        name="release floor",
        done=goals.floor_released,
        action=lambda _: ReleaseFloor(),
        given=goals.off_route,
        back="drain canary",
        waits=goals.floor,
    ),
    Stage(
        name="delete canary",
        done=goals.canary_deleted,
        action=lambda _: DeleteCanary(),
        given=goals.off_route,
        back="drain canary",
        waits=goals.pods_gone,
    ),
    Stage(
        name="delete services",
        done=goals.services_deleted,
        action=lambda _: DeleteCanaryServices(),
        given=goals.off_route,
        back="drain canary",
        waits=goals.services_gone,
    ),
    Stage(name="tell the end", done=goals.all_told(Moment.END), action=_telling(Moment.END)),
    CLOSE,
)
"""The way out, for good canaries and bad: no request may meet a pod that is gone, so routes first, pods last."""

STARTING: Program = (
    Stage(
        name="create canary",
        done=goals.canary_created,
        action=lambda s: CreateCanary(replicas=goals.replicas_needed(s)),
        limit=goals.start_limit,
        late=goals.uncreated,
    ),
    Stage(name="await canary", done=goals.canary_available, limit=goals.start_limit, late=goals.unavailable),
    # Both destinations in one write, the canary at 0 %: proxies learn of it before the first request may go there.
    Stage(
        name="route canary",
        done=goals.traffic_set,
        action=_set_traffic,
        limit=goals.start_limit,
        late=goals.unrouted,
        given=goals.traffic_kept,
        back="route canary",
        routes=True,
    ),
    Stage(name="settle route", done=goals.settled),
)

STEP: Program = (
    Stage(name="take approval", done=goals.approval_taken, action=lambda _: TakeApproval()),
    Stage(
        name="hold floor",
        done=goals.floor_held,
        action=lambda _: HoldFloor(),
        limit=goals.start_limit,
        late=goals.not_held,
        holds=True,
    ),
    Stage(
        name="scale canary",
        done=goals.canary_scaled,
        action=lambda s: ScaleCanary(replicas=goals.replicas_needed(s)),
        limit=goals.start_limit,
        late=goals.unscaled,
        holds=True,
    ),
    Stage(
        name="await scaled canary",
        done=goals.canary_available,
        limit=goals.start_limit,
        late=goals.unavailable,
        holds=True,
    ),
    Stage(name="ask webhooks", done=goals.gates_open, action=lambda s: CallWebhooks(calls=due(s.run)), holds=True),
    Stage(
        name="shift weight",
        done=goals.traffic_set,
        action=_set_traffic,
        traffic=_of_step,
        limit=goals.start_limit,
        late=goals.unrouted,
        given=goals.traffic_kept,
        back="shift weight",
    ),
    Stage(name="settle weight", done=goals.step_settled, given=goals.traffic_set, back="shift weight"),
    Stage(
        name="analyse",
        done=goals.step_over,
        action=_grow,
        given=goals.traffic_set,
        back="shift weight",
        samples=True,
        holds=True,
    ),
)

PROMOTING: Program = (
    Stage(
        name="patch stable",
        done=goals.stable_patched,
        action=lambda s: PatchStable(images=s.run.images),
        limit=goals.promote_limit,
        late=goals.unpatched,
    ),
    Stage(name="await stable", done=goals.stable_available, limit=goals.promote_limit, late=goals.not_rolled_out),
    # Time alone: until the drain it does not matter how many requests the canary still takes.
    Stage(name="settle stable", done=goals.paused),
    *LEAVING,
)


def _before_the_switch(run: Run) -> bool:
    return run.traffic.weight < 100


# Blue may lose all its pods at once when it is replaced, so green takes over first, also where a person is in a hurry.
SWITCH: Program = tuple(
    replace(stage, begins=_before_the_switch)
    for stage in STEP
    if stage.name in ("hold floor", "scale canary", "await scaled canary", "shift weight", "settle weight")
)
PROMOTING_GREEN: Program = (*SWITCH, *PROMOTING)

_DRAIN, *_AFTER_DRAIN = LEAVING

ABORTING: Program = (
    Stage(
        name="restore stable",
        done=goals.stable_restored,
        action=lambda s: PatchStable(images=s.run.stable_images),
        waits=goals.old_images,
    ),
    Stage(name="await restored stable", done=goals.stable_recovered, waits=goals.recovery),
    _DRAIN,
    Stage(
        name="tell of the roll-back",
        done=goals.all_told(Moment.ROLLBACK),
        action=_telling(Moment.ROLLBACK),
        given=goals.drained,
        back="drain canary",
    ),
    *_AFTER_DRAIN,
)

"""The phases of a canary: a sibling, a route to it, weights that climb, and the way out."""

from canary_analyzer.rollout.actions import (
    CloseRequest,
    CreateCanary,
    DeleteCanary,
    DeleteCanaryServices,
    PatchStable,
    RestoreRoutes,
    ScaleCanary,
    SetWeight,
)
from canary_analyzer.rollout.programs import goals
from canary_analyzer.rollout.programs.stage import Program, Stage

CLOSE = Stage(name="close request", done=goals.closed, action=lambda _: CloseRequest())

LEAVING: Program = (
    Stage(name="drain canary", done=goals.drained, action=lambda _: SetWeight(weight=0), weight=lambda _: 0),
    Stage(name="settle drained", done=goals.settled, given=goals.drained, back="drain canary"),
    Stage(
        name="restore route",
        done=goals.off_route,
        action=lambda _: RestoreRoutes(),
        given=goals.drained,
        back="drain canary",
    ),
    Stage(name="settle restored", done=goals.settled, given=goals.off_route, back="drain canary"),
    Stage(
        name="delete canary",
        done=goals.canary_deleted,
        action=lambda _: DeleteCanary(),
        given=goals.off_route,
        back="drain canary",
    ),
    Stage(
        name="delete services",
        done=goals.services_deleted,
        action=lambda _: DeleteCanaryServices(),
        given=goals.off_route,
        back="drain canary",
    ),
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
        done=goals.weight_set,
        action=lambda _: SetWeight(weight=0),
        limit=goals.start_limit,
        late=goals.unrouted,
        routes=True,
    ),
    Stage(name="settle route", done=goals.settled),
)

STEP: Program = (
    Stage(
        name="scale canary",
        done=goals.canary_scaled,
        action=lambda s: ScaleCanary(replicas=goals.replicas_needed(s)),
        holds=True,
    ),
    Stage(
        name="await scaled canary",
        done=goals.canary_available,
        limit=goals.start_limit,
        late=goals.unavailable,
        holds=True,
    ),
    Stage(
        name="shift weight",
        done=goals.weight_set,
        action=lambda s: SetWeight(weight=s.run.weight),
        weight=lambda run: run.ramp_step.weight,
        limit=goals.start_limit,
        late=goals.unrouted,
    ),
    Stage(name="settle weight", done=goals.settled, given=goals.weight_set, back="shift weight"),
    Stage(name="analyse", done=goals.step_over, given=goals.weight_set, back="shift weight", samples=True, holds=True),
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

ABORTING: Program = (
    Stage(name="restore stable", done=goals.stable_restored, action=lambda s: PatchStable(images=s.run.stable_images)),
    Stage(name="await restored stable", done=goals.stable_recovered),
    *LEAVING,
)

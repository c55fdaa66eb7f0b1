"""What a phase consists of: stages in order, each with a goal that can be observed and the write that leads to it.

A run goes on to the next stage when it has seen the goal of this one, never because a write was accepted. As the goals
are read from the cluster, a process that is killed between any two writes finds its place again.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

from canary_analyzer.rollout.actions import (
    Action,
    CloseRequest,
    CreateCanary,
    DeleteCanary,
    DeleteCanaryServices,
    PatchStable,
    RestoreRoutes,
    ScaleCanary,
    SetWeight,
)
from canary_analyzer.rollout.phases import RAMPING, Phase
from canary_analyzer.rollout.run import Run
from canary_analyzer.rollout.view import Evidence, View

SETTLE_LIMIT = 6
"""Settle times after which a data plane that nobody can observe (no metrics) is taken to have followed."""


@dataclass(frozen=True, kw_only=True)
class Situation:
    """All that a decision depends on."""

    run: Run
    view: View
    evidence: Evidence
    now: float
    """Seconds since the epoch."""

    @property
    def elapsed(self) -> float:
        """Seconds at this stage."""
        return self.now - self.run.stage_since


def _always(_: Situation) -> bool:
    return True


def _nothing(_: Situation) -> Action | None:
    return None


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One step of a phase.

    `weight`, where given, is the canary weight that the run wants from this stage on; `limit` is the longest stay in
    seconds, after which the run is aborted because `late`. `given` is what an earlier stage reached and this one relies
    on: where somebody else undid it on the way out, the run goes back to draining.
    """

    name: str
    done: Callable[[Situation], bool]
    action: Callable[[Situation], Action | None] = _nothing
    weight: Callable[[Run], int] | None = None
    limit: Callable[[Run], float] | None = None
    late: Callable[[Situation], str] = lambda _: ""
    given: Callable[[Situation], bool] = _always


# Goals -----------------------------------------------------------------------------------------------------------


def canary_replicas(stable_replicas: int, weight: int) -> int:
    """Return how many canary pods a weight needs: its share of stable's size, at least 2 where stable has several."""
    return max(min(2, stable_replicas), ceil(stable_replicas * weight / 100))


def _replicas(s: Situation) -> int:
    return canary_replicas(s.view.stable.replicas, s.run.ramp_step.weight)


def _created(s: Situation) -> bool:
    return s.view.canary is not None and s.view.canary_services


def _scaled(s: Situation) -> bool:
    return s.view.canary is not None and s.view.canary.replicas >= _replicas(s)


def _available(s: Situation) -> bool:
    return s.view.canary is not None and s.view.canary.settled


def weight_set(s: Situation) -> bool:
    """Whether the live routes have the weight that the run wants."""
    return s.view.reached == s.run.weight


def _settled(s: Situation) -> bool:
    """The settle time is over and the observed share of requests agrees with the weight."""
    policy, share = s.run.policy, s.evidence.share
    if not s.run.routed:
        return True  # no proxy has ever heard of the canary
    if s.elapsed < policy.settle_seconds:
        return False
    if share is not None and share.agrees_with(s.view.weight or 0):
        return True
    # While the canary is judged, a data plane that does not follow holds the run; elsewhere nothing waits for ever.
    limit = SETTLE_LIMIT * policy.settle_seconds if share is None else policy.promote_seconds
    return s.run.phase not in RAMPING and s.elapsed >= limit


def _paused(s: Situation) -> bool:
    return s.elapsed >= s.run.policy.settle_seconds


def _drained(s: Situation) -> bool:
    return s.view.weight == 0 or not s.view.routed


def _runs_new_images(s: Situation) -> list[bool]:
    new = {name: image for name, image in s.run.images.items() if s.run.stable_images[name] != image}
    return [s.view.stable.images.get(name) == image for name, image in new.items()]


def stable_patched(s: Situation) -> bool:
    """Whether stable's template has every new image."""
    return all(_runs_new_images(s))


def _stable_restored(s: Situation) -> bool:
    return not s.run.stable_patched or not any(_runs_new_images(s))


def _stable_available(s: Situation) -> bool:
    return stable_patched(s) and s.view.stable.settled


def _stable_recovered(s: Situation) -> bool:
    # The canary goes on serving while stable recovers, if it can. A stable that we never touched, and a canary that
    # cannot serve, are no reason to keep users on the canary.
    serving = s.view.canary is not None and s.view.canary.available > 0
    return not s.run.stable_patched or s.view.stable.settled or not serving


def _off_route(s: Situation) -> bool:
    return not s.view.routed


def _deleted(s: Situation) -> bool:
    return s.view.canary is None and s.view.canary_pods == 0


def _services_deleted(s: Situation) -> bool:
    return not s.view.canary_services


def _closed(s: Situation) -> bool:
    return s.view.wishes.closed


# What to say when a goal is not reached in time ---------------------------------------------------------------------


def _uncreated(s: Situation) -> str:
    return f"Deployment and Service {s.run.canary} could not be created: {s.view.write_trouble}"


def _unavailable(s: Situation) -> str:
    return f"the canary's pods did not become Available: {s.view.canary_unready}"


def _unrouted(s: Situation) -> str:
    return f"VirtualService {', '.join(s.run.virtual_services)} did not take the canary's weight; does it still exist?"


# Programs --------------------------------------------------------------------------------------------------------


def _start_limit(run: Run) -> float:
    return run.policy.start_seconds


DRAIN = Stage(name="drain canary", done=_drained, action=lambda _: SetWeight(weight=0), weight=lambda _: 0)

_LEAVING = (
    DRAIN,
    Stage(name="settle drained", done=_settled, given=_drained),
    Stage(name="restore route", done=_off_route, action=lambda _: RestoreRoutes(), given=_drained),
    Stage(name="settle restored", done=_settled, given=_off_route),
    Stage(name="delete canary", done=_deleted, action=lambda _: DeleteCanary(), given=_off_route),
    Stage(name="delete services", done=_services_deleted, action=lambda _: DeleteCanaryServices(), given=_off_route),
    Stage(name="close request", done=_closed, action=lambda _: CloseRequest(), given=_off_route),
)
"""The way out, for good canaries and bad: no request may meet a pod that is gone, so routes first, pods last."""

ROUTE = Stage(
    name="route canary", done=weight_set, action=lambda _: SetWeight(weight=0), limit=_start_limit, late=_unrouted
)
"""Both destinations in one write, the canary at 0 %: proxies learn of it before the first request may go there."""

STARTING = (
    Stage(
        name="create canary",
        done=_created,
        action=lambda s: CreateCanary(replicas=_replicas(s)),
        limit=_start_limit,
        late=_uncreated,
    ),
    Stage(name="await canary", done=_available, limit=_start_limit, late=_unavailable),
    ROUTE,
    Stage(name="settle route", done=_settled),
)

ANALYSE = Stage(name="analyse", done=_always)
"""The one stage whose samples count; when it is done is the ramp's decision, not a goal in the cluster."""

STEP = (
    Stage(name="scale canary", done=_scaled, action=lambda s: ScaleCanary(replicas=_replicas(s))),
    Stage(name="await scaled canary", done=_available, limit=_start_limit, late=_unavailable),
    Stage(
        name="shift weight",
        done=weight_set,
        action=lambda s: SetWeight(weight=s.run.weight),
        weight=lambda run: run.ramp_step.weight,
        limit=_start_limit,
        late=_unrouted,
    ),
    Stage(name="settle weight", done=_settled),
    ANALYSE,
)

PROMOTING = (
    Stage(
        name="patch stable",
        done=stable_patched,
        action=lambda s: PatchStable(images=s.run.images),
        limit=lambda run: run.policy.promote_seconds,
        late=lambda s: f"{s.run.deployment} could not be given the new image: {s.view.write_trouble}",
    ),
    Stage(
        name="await stable",
        done=_stable_available,
        limit=lambda run: run.policy.promote_seconds,
        late=lambda s: f"{s.run.deployment} did not roll out the promoted version",
    ),
    # Time alone: until the drain it does not matter how many requests the canary still takes.
    Stage(name="settle stable", done=_paused),
    *_LEAVING,
)

ABORTING = (
    Stage(name="restore stable", done=_stable_restored, action=lambda s: PatchStable(images=s.run.stable_images)),
    Stage(name="await restored stable", done=_stable_recovered),
    *_LEAVING,
)

PROGRAMS: dict[Phase, tuple[Stage, ...]] = {
    Phase.STARTING: STARTING,
    Phase.ANALYSING: STEP,
    Phase.HOLDING: STEP,
    Phase.AWAITING_APPROVAL: STEP,
    Phase.PROMOTING: PROMOTING,
    Phase.ABORTING: ABORTING,
}


def stage_of(run: Run) -> Stage:
    """Return the stage that the run is at."""
    return next(stage for stage in PROGRAMS[run.phase] if stage.name == run.stage)


def stage_after(run: Run) -> Stage | None:
    """Return the stage that follows in this phase; None at its end."""
    program = PROGRAMS[run.phase]
    following = program.index(stage_of(run)) + 1
    return program[following] if following < len(program) else None

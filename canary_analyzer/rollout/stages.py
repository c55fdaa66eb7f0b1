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
    seconds, after which the run is aborted because `late`.
    """

    name: str
    done: Callable[[Situation], bool]
    action: Callable[[Situation], Action | None] = _nothing
    weight: Callable[[Run], int] | None = None
    limit: Callable[[Run], float] | None = None
    late: Callable[[Situation], str] = lambda _: ""


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


def _weight_set(s: Situation) -> bool:
    return s.view.weight == s.run.weight


def _settled(s: Situation) -> bool:
    """The settle time is over and the observed share of requests agrees with the weight."""
    if s.elapsed < s.run.policy.settle_seconds:
        return False
    if s.evidence.share is not None:
        return s.evidence.share.agrees_with(s.run.weight)
    # While the canary is judged, an unknown data plane holds the run; on the way in and out it must not wait for ever.
    return s.run.phase not in RAMPING and s.elapsed >= SETTLE_LIMIT * s.run.policy.settle_seconds


def _drained(s: Situation) -> bool:
    return s.view.weight == 0 or not s.view.routed


def _runs_canary_images(s: Situation) -> list[bool]:
    return [s.view.stable.images.get(container) == image for container, image in s.run.images.items()]


def _stable_patched(s: Situation) -> bool:
    return all(_runs_canary_images(s))


def _stable_restored(s: Situation) -> bool:
    return not s.run.stable_patched or not any(_runs_canary_images(s))


def _stable_available(s: Situation) -> bool:
    return s.view.stable.settled


def _stable_recovered(s: Situation) -> bool:
    # A stable Deployment that we never touched is no reason to keep users on a bad canary.
    return not s.run.stable_patched or s.view.stable.settled


def _off_route(s: Situation) -> bool:
    return not s.view.routed


def _deleted(s: Situation) -> bool:
    return s.view.canary is None and s.view.canary_pods == 0


def _services_deleted(s: Situation) -> bool:
    return not s.view.canary_services


def _closed(s: Situation) -> bool:
    return s.view.wishes.closed


# What to say when a goal is not reached in time ---------------------------------------------------------------------


def _unavailable(s: Situation) -> str:
    return f"the canary's pods did not become Available: {s.view.canary_unready}"


def _unrouted(s: Situation) -> str:
    return f"VirtualService {', '.join(s.run.virtual_services)} did not take the canary's weight; does it still exist?"


# Programs --------------------------------------------------------------------------------------------------------


def _settle(name: str) -> Stage:
    return Stage(name=name, done=_settled)


def _start_limit(run: Run) -> float:
    return run.policy.start_seconds


_LEAVING = (
    Stage(name="drain canary", done=_drained, action=lambda _: SetWeight(weight=0), weight=lambda _: 0),
    _settle("settle drained"),
    Stage(name="restore route", done=_off_route, action=lambda _: RestoreRoutes()),
    _settle("settle restored"),
    Stage(name="delete canary", done=_deleted, action=lambda _: DeleteCanary()),
    Stage(name="delete services", done=_services_deleted, action=lambda _: DeleteCanaryServices()),
    Stage(name="close request", done=_closed, action=lambda _: CloseRequest()),
)
"""The way out, for good canaries and bad: no request may meet a pod that is gone, so routes first, pods last."""

STARTING = (
    Stage(
        name="create canary",
        done=_created,
        action=lambda s: CreateCanary(replicas=_replicas(s)),
        limit=_start_limit,
        late=lambda s: f"Deployment and Service {s.run.canary} could not be created",
    ),
    Stage(name="await canary", done=_available, limit=_start_limit, late=_unavailable),
    Stage(
        name="route canary",
        done=_weight_set,
        action=lambda _: SetWeight(weight=0),
        limit=_start_limit,
        late=_unrouted,
    ),
    _settle("settle route"),
)

ANALYSE = Stage(name="analyse", done=_always)
"""The one stage whose samples count; when it is done is the ramp's decision, not a goal in the cluster."""

STEP = (
    Stage(name="scale canary", done=_scaled, action=lambda s: ScaleCanary(replicas=_replicas(s))),
    Stage(name="await scaled canary", done=_available, limit=_start_limit, late=_unavailable),
    Stage(
        name="shift weight",
        done=_weight_set,
        action=lambda s: SetWeight(weight=s.run.weight),
        weight=lambda run: run.ramp_step.weight,
        limit=_start_limit,
        late=_unrouted,
    ),
    _settle("settle weight"),
    ANALYSE,
)

PROMOTING = (
    Stage(name="patch stable", done=_stable_patched, action=lambda s: PatchStable(images=s.run.images)),
    Stage(
        name="await stable",
        done=_stable_available,
        limit=lambda run: run.policy.promote_seconds,
        late=lambda s: f"{s.run.deployment} did not roll out the promoted version",
    ),
    Stage(name="settle stable", done=_settled),
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

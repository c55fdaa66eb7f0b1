"""What a phase consists of: stages in order, each with a goal that can be observed and the write that leads to it.

A run goes on to the next stage when it has seen the goal of this one, never because a write was accepted. As the goals
are read from the cluster, a process that is killed between any two writes finds its place again.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from canary_analyzer.rollout.actions import Action
from canary_analyzer.rollout.run import Run
from canary_analyzer.rollout.view import Evidence, View
from canary_analyzer.routing.traffic import Traffic


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

    def of(self, run: Run) -> "Situation":
        """Return the same situation for the run as it has become."""
        return replace(self, run=run)


Goal = Callable[[Situation], bool]


def always(_: Situation) -> bool:
    """Reach a goal without doing anything, or rely on nothing."""
    return True


def _nothing(_: Situation) -> Action | None:
    return None


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One part of a phase."""

    name: str
    done: Goal
    action: Callable[[Situation], Action | None] = _nothing
    traffic: Callable[[Run], Traffic] | None = None
    """What the run wants the routes to do from this stage on."""
    limit: Callable[[Run], float] | None = None
    """Longest stay in seconds; then the run is aborted because `late`."""
    late: Callable[[Situation], str] = lambda _: ""
    waits: Callable[[Situation], str] | None = None
    """Of a stage without a limit: what it waits for, told once it takes long."""
    given: Goal = always
    """What an earlier stage reached and this one relies on; where somebody else undid it, back to `back`."""
    back: str = ""
    """Name of the stage that reaches `given`, in the same phase."""
    samples: bool = False
    """Whether requests that are answered during this stage count for the verdict, where both versions answer some."""
    holds: bool = False
    """Whether a run that is held stays here even when the goal is reached."""
    routes: bool = False
    """Whether proxies may know the canary from this stage on."""
    begins: Callable[[Run], bool] = lambda _: True
    """Whether a phase may begin here; where it may not, it begins with the next stage that allows it."""


Program = tuple[Stage, ...]

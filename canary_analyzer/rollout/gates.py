"""Webhooks that a run asks before it goes forward, and those that it tells: which, when, and what an answer means.

Only a yes moves a run on. A gate that says no, answers with an error or not at all is asked again until the deadline
sends traffic back, or aborts the run at once where the service's config says so.
"""

from dataclasses import dataclass
from enum import StrEnum

from canary_analyzer.rollout.run import Run
from canary_analyzer.rollout.steps import Climb, GateStep, MatchStep, MirrorStep, PromotionGates, Step


class Moment(StrEnum):
    """When a webhook is called; receivers read it in the body."""

    START = "start"
    STEP = "step"
    GATE = "gate"
    PROMOTION = "promotion"
    ROLLBACK = "rollback"
    END = "end"


@dataclass(frozen=True, kw_only=True)
class Call:
    """One webhook at one moment of a run."""

    webhook: str
    moment: Moment
    step: int

    @property
    def key(self) -> str:
        """What tells this call from the others of its run; the same after a restart."""
        return f"{self.moment}/{self.step}/{self.webhook}"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came of a call."""

    passed: bool
    text: str
    """In words, without anything that might be secret: `answered 500`, `no answer within 10 s`."""
    final: bool = False
    """Whether the run is to be aborted instead of asking again."""


def due(run: Run) -> tuple[Call, ...]:
    """Return the gates that have to say yes before the present step may begin and have not said so."""
    return tuple(call for call in _of_step(run) if call.key not in run.passed)


def told(run: Run, moment: Moment) -> tuple[Call, ...]:
    """Return the webhooks that are told of the end of a run, or that traffic has gone back."""
    names = run.policy.webhooks.rollback if moment is Moment.ROLLBACK else run.policy.webhooks.end
    return tuple(Call(webhook=name, moment=moment, step=run.step) for name in names)


def _of_step(run: Run) -> list[Call]:
    if not run.ramp:
        return []
    hooks = run.policy.webhooks
    named = [(Moment.START, name) for name in hooks.start] if run.step == 0 else []
    match run.ramp_step:
        case Step() | Climb() | MirrorStep() | MatchStep():
            named += [(Moment.STEP, name) for name in hooks.step]
        case GateStep(gate=name):
            named.append((Moment.GATE, name))
        case PromotionGates(promotion_gates=names):
            named += [(Moment.PROMOTION, name) for name in names]
    return [Call(webhook=name, moment=moment, step=run.step) for moment, name in named]

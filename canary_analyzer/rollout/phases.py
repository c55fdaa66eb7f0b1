"""The phases of a run and the one table of transitions between them."""

from enum import Enum, StrEnum


class Phase(StrEnum):
    """Where a run stands, as users read it in the status annotation."""

    PENDING = "Pending"
    """Asked for, not yet begun."""
    STARTING = "Starting"
    """The canary is made, becomes Available, and enters the route at 0 %."""
    ANALYSING = "Analysing"
    """The weight climbs step by step, and the canary is judged."""
    HOLDING = "Holding"
    """The weight stays: the annotation `hold` is set, a webhook has not said yes, or there are no metrics."""
    AWAITING_APPROVAL = "AwaitingApproval"
    """It waits for a person: annotation `approve`."""
    PROMOTING = "Promoting"
    """Stable takes the new version over, then traffic returns to it."""
    ABORTING = "Aborting"
    """Traffic goes back to stable, then the canary is removed."""
    SUCCEEDED = "Succeeded"
    """Over: stable runs the new version."""
    ABORTED = "Aborted"
    """Over: traffic is on stable, and the canary is gone."""
    REFUSED = "Refused"
    """No run began, and nothing was changed."""


class Event(Enum):
    """What can happen to a run."""

    ACCEPT = "accept"
    REFUSE = "refuse"
    ROUTED = "routed"
    HOLD = "hold"
    RESUME = "resume"
    ASK_APPROVAL = "ask approval"
    PROMOTE = "promote"
    ABORT = "abort"
    FINISH = "finish"


TRANSITIONS: dict[tuple[Phase, Event], Phase] = {
    (Phase.PENDING, Event.ACCEPT): Phase.STARTING,
    (Phase.PENDING, Event.REFUSE): Phase.REFUSED,
    (Phase.STARTING, Event.ROUTED): Phase.ANALYSING,
    (Phase.STARTING, Event.ABORT): Phase.ABORTING,
    (Phase.ANALYSING, Event.HOLD): Phase.HOLDING,
    (Phase.ANALYSING, Event.ASK_APPROVAL): Phase.AWAITING_APPROVAL,
    (Phase.ANALYSING, Event.PROMOTE): Phase.PROMOTING,
    (Phase.ANALYSING, Event.ABORT): Phase.ABORTING,
    (Phase.HOLDING, Event.RESUME): Phase.ANALYSING,
    (Phase.HOLDING, Event.PROMOTE): Phase.PROMOTING,
    (Phase.HOLDING, Event.ABORT): Phase.ABORTING,
    (Phase.AWAITING_APPROVAL, Event.RESUME): Phase.ANALYSING,
    (Phase.AWAITING_APPROVAL, Event.PROMOTE): Phase.PROMOTING,
    (Phase.AWAITING_APPROVAL, Event.ABORT): Phase.ABORTING,
    (Phase.PROMOTING, Event.ABORT): Phase.ABORTING,
    (Phase.PROMOTING, Event.FINISH): Phase.SUCCEEDED,
    (Phase.ABORTING, Event.FINISH): Phase.ABORTED,
}

RAMPING = frozenset({Phase.ANALYSING, Phase.HOLDING, Phase.AWAITING_APPROVAL})
"""The canary is in the route and is being judged."""

ENDED = frozenset({Phase.SUCCEEDED, Phase.ABORTED, Phase.REFUSED})


def next_phase(phase: Phase, event: Event) -> Phase:
    """Return the phase that follows.

    Raises:
        LookupError: the table has no such transition; the caller decided something impossible.
    """
    try:
        return TRANSITIONS[phase, event]
    except KeyError:
        raise LookupError(f"phase {phase}: '{event.value}' cannot happen here") from None

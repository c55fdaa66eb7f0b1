"""Why a run was sent back, as a closed set: the sentence beside it says it to people, this says it to programs."""

from enum import StrEnum


class Cause(StrEnum):
    """What ended a run before its time."""

    JUDGED_WORSE = "judged-worse"
    """It was shown to be worse than tolerated, or a guardrail broke."""
    UNDECIDED = "undecided"
    """There was no verdict in time, or none at the end of the ramp."""
    CANARY_BROKEN = "canary-broken"
    """Its pods cannot serve, or somebody deleted it."""
    LATE = "late"
    """Something that was awaited did not come within its limit."""
    WITHDRAWN = "withdrawn"
    """A user took the wish back, or changed it."""
    STABLE_CHANGED = "stable-changed"
    """Somebody else changed what the run compares."""
    REFUSED_BY_WEBHOOK = "refused-by-webhook"
    """A webhook with `on_refusal: abort` did not say yes."""
    REVERTED = "reverted"
    """Somebody else put the weights back again and again."""
    ROUTE_DELETED = "route-deleted"
    """A route that the run edits is gone."""
    NOT_ROLLED_OUT = "not-rolled-out"
    """Stable could not roll out the version that had passed."""

"""The writes that a decision can ask for; each is safe to repeat."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from canary_analyzer.rollout.gates import Call
from canary_analyzer.routing.traffic import Traffic


@dataclass(frozen=True, kw_only=True)
class CreateCanary:
    """Make the sibling Deployment, its Service, and the clone of the stable host's DestinationRule."""

    replicas: int


@dataclass(frozen=True, kw_only=True)
class ScaleCanary:
    """Give the canary so many replicas."""

    replicas: int


@dataclass(frozen=True, kw_only=True)
class SetTraffic:
    """Let the routes do this."""

    traffic: Traffic


@dataclass(frozen=True, kw_only=True)
class HoldFloor:
    """Keep stable's autoscaler from going below the size that stable had at the start."""


@dataclass(frozen=True, kw_only=True)
class ReleaseFloor:
    """Give stable's autoscaler its own minimum back."""


@dataclass(frozen=True, kw_only=True)
class CallWebhooks:
    """Call these webhooks, each unless it is being called."""

    calls: tuple[Call, ...]


@dataclass(frozen=True, kw_only=True)
class TakeApproval:
    """Take the annotation `approve` away: it has opened a gate, and the next one wants its own."""


@dataclass(frozen=True, kw_only=True)
class RestoreRoutes:
    """Put the user's routes back as they were."""


@dataclass(frozen=True, kw_only=True)
class PatchStable:
    """Give stable's containers these images."""

    images: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class RollStable:
    """Give stable these images where it has those, and let its own rolling update go on at this pace, or wait."""

    images: Mapping[str, str] = field(default_factory=dict)
    """By container name; none: images stay as they are."""
    instead_of: Mapping[str, str] = field(default_factory=dict)
    """What the containers must run now: an image that somebody else set in the meantime stays."""
    paced: bool = False
    """Each batch of new pods has to serve for the run's pace before the next."""
    paused: bool = False


@dataclass(frozen=True, kw_only=True)
class DeleteCanary:
    """Delete the canary Deployment; its pods drain."""


@dataclass(frozen=True, kw_only=True)
class DeleteCanaryServices:
    """Delete the canary's Service and DestinationRule."""


@dataclass(frozen=True, kw_only=True)
class CloseRequest:
    """Take the consumed trigger away and write the outcome, in one write."""


StableAction = PatchStable | RollStable | TakeApproval | CloseRequest
SiblingAction = CreateCanary | ScaleCanary | DeleteCanary | DeleteCanaryServices
ClusterAction = SetTraffic | RestoreRoutes | HoldFloor | ReleaseFloor | StableAction | SiblingAction
Action = ClusterAction | CallWebhooks

"""The writes that a decision can ask for; each is safe to repeat."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class CreateCanary:
    """Make the sibling Deployment, its Service, and the clone of the stable host's DestinationRule."""

    replicas: int


@dataclass(frozen=True, kw_only=True)
class ScaleCanary:
    """Give the canary so many replicas."""

    replicas: int


@dataclass(frozen=True, kw_only=True)
class SetWeight:
    """Send this percentage of stable's requests to the canary."""

    weight: int


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


Action = (
    CreateCanary
    | ScaleCanary
    | SetWeight
    | RestoreRoutes
    | PatchStable
    | RollStable
    | DeleteCanary
    | DeleteCanaryServices
    | CloseRequest
)

"""A run: the one value that survives restarts, kept as JSON in its ConfigMap."""

from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, model_validator

from canary_analyzer.rollout.phases import ENDED, Event, Phase, next_phase
from canary_analyzer.rollout.policy import RolloutPolicy, Step
from canary_analyzer.rollout.strategy import Strategy

TIMELINE_LENGTH = 200
REASON_LENGTH = 1000
"""Runs that flap must not outgrow their ConfigMap (1 MiB)."""


class Value(BaseModel):
    """Base of what a record holds; fields that a newer version wrote are ignored by an older one."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Window(Value):
    """A stretch of time whose samples count, in seconds since the epoch; open while `until` is None."""

    since: float
    until: float | None = None


class Moment(Value):
    """One line of a run's story."""

    at: float
    phase: Phase
    weight: int
    text: str


class RouteRef(Value):
    """Which document holds a route; VirtualServices of other namespaces may lead to our Services too."""

    kind: str = "VirtualService"
    namespace: str
    name: str

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Self:
        """Take it from a document; the items of an API list carry no kind, those of HTTPRoutes are given theirs."""
        metadata = document["metadata"]
        return cls(kind=document.get("kind", "VirtualService"), namespace=metadata["namespace"], name=metadata["name"])

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


class Run(Value):
    """Everything that must outlive the process: who, what, by which policy, and how far it came."""

    name: str
    namespace: str
    deployment: str
    uid: str = ""
    """Of the Deployment; one that was deleted and made again is another."""
    service: str
    canary: str
    """Name of the canary Deployment."""
    canary_service: str
    label: tuple[str, str]
    """The label, key and value, that tells canary pods from stable ones."""
    strategy: Strategy = Strategy.CANARY
    routes: tuple[RouteRef, ...] = ()
    trigger: str
    """The annotation `image` as the user wrote it."""
    request: str | None = None
    images: Mapping[str, str]
    stable_images: Mapping[str, str]
    stable_template: str
    """Hash of stable's pod template at the start."""
    policy: RolloutPolicy
    started: float
    phase: Phase = Phase.PENDING
    stage: str = ""
    stage_since: float = 0.0
    step: int = 0
    weight: int = 0
    """The weight we want the canary to have now, in percent; the VirtualService says what it has."""
    routed: bool = False
    """Whether the canary may ever have been in the route."""
    stable_patched: bool = False
    """Whether promotion has begun to write to stable."""
    held_since: float | None = None
    """Since when a user holds the run; None while nobody does."""
    held_seconds: float = 0.0
    """How long users have held it before; their time is not the run's."""
    reverts: int = 0
    """How often somebody else put our weights back."""
    windows: tuple[Window, ...] = ()
    verdict: str = ""
    reason: str = ""
    timeline: tuple[Moment, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _from_older_record(cls, fields: Any) -> Any:
        """Read a record from before routes had a kind and a namespace."""
        if not isinstance(fields, dict) or "virtual_services" not in fields:
            return fields
        names = fields["virtual_services"]
        routes = [{"namespace": fields["namespace"], "name": name} for name in names]
        return {"routes": routes, **fields}

    @property
    def ended(self) -> bool:
        """Whether nothing is left to do."""
        return self.phase in ENDED

    @property
    def ramp(self) -> tuple[Step, ...]:
        """The steps that the run takes, in order."""
        return self.policy.steps

    @property
    def ramp_step(self) -> Step:
        """The step of the ramp that the run is at."""
        return self.ramp[self.step]

    def at_stage(self, stage: str, now: float) -> Self:
        """Return the run at another stage, its clock started anew, its open window of samples closed."""
        closed = tuple(w if w.until is not None else Window(since=w.since, until=now) for w in self.windows)
        return self.model_copy(update={"stage": stage, "stage_since": now, "windows": closed})

    def held(self, wanted: bool, now: float) -> Self:
        """Return the run held by a user, or let go."""
        if wanted is (self.held_since is not None):
            return self
        if self.held_since is None:
            return self.model_copy(update={"held_since": now})
        seconds = self.held_seconds + now - self.held_since
        return self.model_copy(update={"held_since": None, "held_seconds": seconds})

    def on(self, event: Event, reason: str, now: float) -> Self:
        """Return the run after an event, the story extended."""
        moved = self.model_copy(update={"phase": next_phase(self.phase, event), "reason": reason[:REASON_LENGTH]})
        return moved.noting(reason, now)

    def noting(self, text: str, now: float) -> Self:
        """Return the run with one more line in its story."""
        line = Moment(at=now, phase=self.phase, weight=self.weight, text=text[:REASON_LENGTH])
        return self.model_copy(update={"timeline": (*self.timeline, line)[-TIMELINE_LENGTH:]})

"""A run: the one value that survives restarts, kept as JSON in its ConfigMap."""

from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, field_validator, model_validator

from canary_analyzer.rollout.causes import Cause
from canary_analyzer.rollout.fields import RECORDED
from canary_analyzer.rollout.phases import ENDED, Event, Phase, next_phase
from canary_analyzer.rollout.policy import RolloutPolicy
from canary_analyzer.rollout.ramp import NOTHING, ramp_of
from canary_analyzer.rollout.rolling import Rolling
from canary_analyzer.rollout.steps import Climb, RampStep
from canary_analyzer.rollout.strategy import Strategy
from canary_analyzer.routing import Target
from canary_analyzer.routing.traffic import Traffic

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


class FreshBaseline(Value):
    """The second sibling: stable's version in as many new pods as the canary has."""

    name: str
    """Of its Deployment."""
    service: str
    label: str
    """The value that its pods have of the label that tells arms apart."""


class Run(Value):
    """Everything that must outlive the process: who, what, by which policy, and how far it came."""

    name: str
    namespace: str
    deployment: str
    uid: str = ""
    """Of the Deployment; one that was deleted and made again is another."""
    service: str = ""
    canary: str = ""
    """Name of the canary Deployment."""
    canary_service: str = ""
    label: tuple[str, str] = ("", "")
    """The label, key and value, that tells canary pods from stable ones."""
    target: Target | None = None
    """The Services between which the routes choose; None in older records."""
    fresh: FreshBaseline | None = None
    """New pods of the old version, where the policy compares with such."""
    strategy: Strategy = Strategy.CANARY
    baseline: str = ""
    """Name of the stable Deployment where the user brought the canary, which then is `deployment`; else empty."""
    canary_template: str = ""
    """Hash of the pod template of a canary that the user brought, at the start."""
    rolling: Rolling | None = None
    """What a rolling update changes in stable; None for other strategies."""
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
    """The share of the requests we want the new version to have now, in percent; the routes say what it has."""
    traffic: Traffic = NOTHING
    """All that we want the routes to do now, `weight` included."""
    routed: bool = False
    """Whether the canary may ever have been in the route."""
    revision: str = ""
    """Stable's revision when the run ended; empty before, and in older records."""
    stable_replicas: int = 0
    """Stable's size at the start: an autoscaler may not go below it while the canary has traffic."""
    climbed: int = 0
    """The weight that an adaptive ramp has come to, in percent; 0 before its second look."""
    passed: tuple[str, ...] = ()
    """Keys of the gates that have said yes; they are not asked again."""
    approved: bool = False
    """Whether an approval has opened a gate of this run."""
    conclusion: str = ""
    """What the judge said at the last comparison; empty before."""
    stable_patched: bool = False
    """Whether promotion has begun to write to stable."""
    held_since: float | None = None
    """Since when a user holds the run; None while nobody does."""
    held_seconds: float = 0.0
    """How long users have held it before; their time is not the run's."""
    reverts: int = 0
    """How often somebody else put our weights back."""
    waiting: str = ""
    """What the stage waits for, once it takes long; empty before."""
    windows: tuple[Window, ...] = ()
    verdict: str = ""
    cause: Cause | None = None
    """What kind of thing sent it back; None where nothing has."""
    reason: str = ""
    timeline: tuple[Moment, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _from_older_record(cls, fields: Any) -> Any:
        """Read a record from before routes had a kind and a namespace, and traffic was more than a weight."""
        if not isinstance(fields, dict) or "virtual_services" not in fields:
            return fields
        names = fields["virtual_services"]
        if not isinstance(names, list):
            raise ValueError("virtual_services is no list of names")
        routes = [{"namespace": fields.get("namespace"), "name": name} for name in names]
        return {"routes": routes, "traffic": {"weight": fields.get("weight", 0)}, **fields}

    @field_validator("policy", mode="wrap")
    @classmethod
    def _as_it_began(cls, given: Any, _: Any) -> RolloutPolicy:
        """Keep the policy that the run began with, whatever bounds have come since: a lost run leaves its canary."""
        return RolloutPolicy.model_validate(given, context=RECORDED)

    @property
    def shows_in_shares(self) -> bool:
        """Whether the observed share of requests tells that the routes are in force.

        Copies are not counted, testers are nobody knows how many, and sessions are not equally busy.
        """
        drawn = self.traffic.sticky is not None and 0 < self.traffic.weight < 100
        return not (self.traffic.mirror or self.traffic.match or drawn)

    @property
    def is_compared(self) -> bool:
        """Whether both versions answer requests of the same users, so that samples count."""
        return self.strategy is Strategy.ROLLING or self.traffic.weight > 0

    @property
    def stable(self) -> str:
        """Name of the stable Deployment."""
        return self.baseline or self.deployment

    @property
    def ended(self) -> bool:
        """Whether nothing is left to do."""
        return self.phase in ENDED

    @property
    def ramp(self) -> tuple[RampStep, ...]:
        """The steps that the run takes, in order."""
        return ramp_of(self.strategy, self.policy)

    @property
    def ramp_step(self) -> RampStep:
        """The step of the ramp that the run is at."""
        step = self.ramp[self.step]
        return step.model_copy(update={"weight": self.climbed}) if isinstance(step, Climb) and self.climbed else step

    @property
    def deadline(self) -> float | None:
        """When the run goes back without a verdict, in seconds since the epoch; None while that cannot happen.

        What people make it wait for does not count, and what has passed is no longer undecided.
        """
        if self.ended or self.phase is Phase.PROMOTING or self.held_since is not None:
            return None
        return self.started + self.held_seconds + self.policy.deadline_seconds

    def at_stage(self, stage: str, now: float) -> Self:
        """Return the run at another stage, its clock started anew, its open window of samples closed."""
        closed = tuple(w if w.until is not None else Window(since=w.since, until=now) for w in self.windows)
        return self.model_copy(update={"stage": stage, "stage_since": now, "windows": closed, "waiting": ""})

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

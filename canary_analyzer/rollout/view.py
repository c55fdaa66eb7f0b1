"""What one pass has seen: the cluster and the metrics, as values."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from canary_analyzer.analysis import Verdict
from canary_analyzer.rollout.gates import Answer
from canary_analyzer.rollout.rolling import RollingView
from canary_analyzer.rollout.run import RouteRef
from canary_analyzer.routing.traffic import Traffic


@dataclass(frozen=True, kw_only=True)
class Workload:
    """One Deployment as observed: its size, and how much of it is up to date and serving."""

    replicas: int
    """Wanted by spec."""
    updated: int
    available: int
    """Available pods of any template; `settled` tells when all of them are of the newest."""
    current: bool
    """The controller has seen the newest spec (observedGeneration)."""
    template: str
    """Hash of the pod template."""
    revision: str = ""
    """The controller's count of templates, which grows with a change back to an old one too; empty before the first."""
    images: Mapping[str, str]
    """Image by container name."""
    total: int
    """Pods that exist, old ones that are being replaced included."""
    deleted: bool = False
    """Somebody has deleted it, and it is still there because something holds it."""
    failure: str = ""
    """Why the rollout cannot proceed, in the controller's words (ProgressDeadlineExceeded); empty while it can."""

    @property
    def settled(self) -> bool:
        """Fully rolled out: every pod is of the newest template and Available."""
        return self.current and self.updated == self.available == self.total == self.replicas


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What the user's annotations on stable ask of the active run."""

    trigger: str | None
    hold: bool = False
    approve: str = ""
    promote: str = ""
    abort: str = ""
    told: tuple[str, str, str] = ("", "", "")
    """Run, phase, and what is waited for, that the status annotation names."""
    closed: bool = False
    """Our closing write is there: trigger taken away, final status written."""


@dataclass(frozen=True, kw_only=True)
class Autoscaler:
    """A HorizontalPodAutoscaler as observed."""

    minimum: int
    maximum: int
    held: bool
    """Whether its minimum is (or was, before somebody else changed it) ours, be it by its managedFields alone."""


@dataclass(frozen=True, kw_only=True)
class View:
    """The cluster as one pass saw it."""

    stable: Workload
    wishes: Wishes
    canary: Workload | None = None
    canary_pods: int = 0
    """Pods of the canary that exist, terminating ones included; not counted (0) while all of them are Available."""
    canary_trouble: str = ""
    """Why canary pods cannot serve (CrashLoopBackOff, ImagePullBackOff), with container and counts; else empty."""
    canary_unready: str = ""
    """What canary pods that are not Available are waiting for."""
    canary_services: bool = False
    """Every sibling's Service exists, and nobody has deleted it."""
    services_left: bool = False
    """Some sibling's Service exists."""
    weight: int | None = None
    """The canary's weight in the live routes, in percent; None where it is not in them, or they disagree."""
    reached: Traffic | None = None
    """The traffic the run wanted before this pass, where the routes are as setting it makes them; else None.

    Beside foreign destinations a weight can only be met to the nearest point, so its weight is not always `weight`.
    """
    routed: bool = False
    """Some live route names the canary."""
    missing_routes: tuple[RouteRef, ...] = ()
    """Routes of the run that were deleted."""
    marked: bool = False
    """Some live route still says that the run edits it."""
    owned: bool = False
    """Some field of a live route is ours by its managedFields, so that its owner's next apply would conflict."""
    rolling: RollingView | None = None
    """Old and new pods of stable, where they are what is compared."""
    fresh: Workload | None = None
    """The fresh baseline's Deployment."""
    autoscaler: Autoscaler | None = None
    """The one that sizes stable; None where there is none."""
    answers: Mapping[str, Answer] = field(default_factory=dict)
    """What webhooks have answered, by the key of the call; not yet, where one is missing."""
    first_look: bool = False
    """This process has not looked before, so nothing has been tried at this stage since it was killed or away."""
    wrote: bool = False
    """This process has made the write of the run's stage since the stage began, and the API server has taken it."""
    write_trouble: str = ""
    """Why the write of the pass before failed, in the API server's words; empty where it did not."""


@dataclass(frozen=True, kw_only=True)
class Share:
    """Requests in the newest tick: what the data plane really does with the weight."""

    canary: int
    total: int

    def agrees_with(self, weight: int) -> bool:
        """Whether the share is what chance allows around the weight, give or take 3 points.

        No requests contradict nothing. The margin is four standard deviations of a binomial count on top of 3 % of
        the requests, so that a thin tick never holds up a run and a route that is not in force yet is not missed.
        """
        wanted = weight / 100
        margin = 0.03 * self.total + 4 * (self.total * wanted * (1 - wanted)) ** 0.5
        return self.total == 0 or abs(self.canary - wanted * self.total) <= margin


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """The metrics as one pass saw them."""

    verdict: Verdict | None = None
    """None before the first tick that counts."""
    share: Share | None = None
    """None when nothing is known: no tick yet, or no answer from Prometheus."""
    requests_per_second: float = 0.0
    """Of both arms together, in the newest tick."""
    step_requests: int = 0
    """Requests that the canary has answered at this step's weight."""
    unavailable: str = ""
    """Why there are no metrics; empty when there are."""

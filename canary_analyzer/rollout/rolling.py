"""Values of a rolling update: what its record keeps, and what a look at its pods shows."""

from dataclasses import dataclass

POD_HASH = "pod-template-hash"
"""The label by which Kubernetes tells the pods of one template from those of another."""


@dataclass(frozen=True, kw_only=True)
class Rolling:
    """What the record of a rolling run keeps of its Deployment and the pods on both sides."""

    found_seconds: int | None
    """`minReadySeconds` as the user had it; None where there was none."""
    pace_seconds: int
    """`minReadySeconds` while new pods are compared with old ones."""
    old_pods: str = ""
    """Label pod-template-hash of the pods before, empty until they were seen; that of the new ones is `Run.label`."""
    template: str = ""
    """Hash of the pod template that we rolled out; empty until it was seen."""
    serving: int = 0
    """New pods that were Ready at the last look; when there are more, some of them are cold."""
    paused: bool = False
    """Whether it is we who paused the Deployment."""


@dataclass(frozen=True, kw_only=True)
class PodSet:
    """The pods of one template: those of one ReplicaSet."""

    hash: str = ""
    """Their label pod-template-hash; empty where there is no such ReplicaSet (yet, or any more)."""
    total: int = 0
    """Terminating ones are not counted."""
    ready: int = 0


@dataclass(frozen=True, kw_only=True)
class RollingView:
    """What one pass saw of a Deployment that is being rolled out."""

    old: PodSet = PodSet()
    """The pods of the template that the run began with."""
    new: PodSet = PodSet()
    """The pods of the present template, where that is another one."""
    min_ready_seconds: int | None = None
    paused: bool = False
    marked: bool = False
    """Whether the Deployment bears what it was before the run."""

    @property
    def percent(self) -> int:
        """The share of new pods among those that serve, rounded."""
        return round(100 * self.new.ready / max(1, self.old.ready + self.new.ready))

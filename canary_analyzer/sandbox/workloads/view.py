"""A Deployment with all that it owns, at one moment."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from canary_analyzer.sandbox.client import Document
from canary_analyzer.sandbox.workloads import pods as podview
from canary_analyzer.sandbox.workloads import templates
from canary_analyzer.sandbox.workloads.objects import controlled


@dataclass(frozen=True, kw_only=True)
class View:
    """What a plan for a Deployment is made from; `replicasets` are those which it controls, oldest first."""

    deployment: Document
    replicasets: Sequence[Document]
    pods: Sequence[Document]
    now: datetime

    @cached_property
    def new(self) -> Document | None:
        """The ReplicaSet of the present template."""
        return templates.current(self.deployment, self.replicasets)

    @cached_property
    def old(self) -> list[Document]:
        """The ReplicaSets of earlier templates."""
        return [each for each in self.replicasets if each is not self.new]

    @property
    def desired(self) -> int:
        """The number of replicas asked for."""
        return size(self.deployment)

    @property
    def total(self) -> int:
        """The number of replicas that all ReplicaSets together are asked for."""
        return sum(size(each) for each in self.replicasets)

    @property
    def paused(self) -> bool:
        """Whether the user has paused the rollout."""
        return bool(self.deployment["spec"].get("paused"))

    def replicas(self, replicaset: Document) -> list[Document]:
        """The pods that count as replicas of a ReplicaSet."""
        return [pod for pod in controlled(replicaset, self.pods) if podview.active(pod)]

    def ready(self, replicaset: Document) -> int:
        """The number of its pods that are ready."""
        return sum(podview.ready_since(pod) is not None for pod in self.replicas(replicaset))

    def available(self, replicaset: Document) -> int:
        """The number of its pods that are available, not counting those which it is about to delete."""
        seconds = self.deployment["spec"].get("minReadySeconds", 0)
        pods = self.replicas(replicaset)
        return min(size(replicaset), sum(podview.available(pod, seconds, self.now) for pod in pods))


def size(document: Document) -> int:
    """The number of replicas that a Deployment or ReplicaSet asks for."""
    return int(document["spec"].get("replicas", 1))


def bounds(deployment: Document) -> tuple[int, int]:
    """Pods above and below the desired number that a rolling update may have: maxSurge, maxUnavailable.

    Percentages round up for the surge and down for the unavailable; both zero would never move, so one may be missing.
    A Recreate has no surge, and all may be missing.
    """
    strategy, desired = deployment["spec"].get("strategy") or {}, size(deployment)
    if strategy.get("type") == "Recreate":
        return 0, desired
    rolling = strategy.get("rollingUpdate") or {}
    surge = math.ceil(_absolute(rolling.get("maxSurge", "25%"), desired))
    unavailable = math.floor(_absolute(rolling.get("maxUnavailable", "25%"), desired))
    return surge, min(desired, unavailable if surge or unavailable else 1)


def _absolute(value: int | str, desired: int) -> float:
    return int(value.removesuffix("%")) * desired / 100 if isinstance(value, str) else value

"""Whose requests are compared: the two arms of a rollout, in terms that every mesh knows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import NamedTuple

from canary_analyzer.rollout.metrics import MetricQuery


class Arm(StrEnum):
    """The two sides of a comparison."""

    BASELINE = "baseline"
    CANARY = "canary"


@dataclass(frozen=True, kw_only=True)
class Pods:
    """Some pods of a workload: those whose `label`, as Prometheus has it, bears one of `values`.

    The usual label is Kubernetes' pod-template-hash, which Istio's and Linkerd's own Prometheus configurations map to
    `pod_template_hash`; `pod` is the pod's name.
    """

    values: frozenset[str]
    label: str = "pod_template_hash"


@dataclass(frozen=True, kw_only=True)
class Workload:
    """A workload as the mesh names it (for a Deployment's pods, the Deployment), or only some of its pods."""

    namespace: str
    name: str
    pods: Pods | None = None

    def holds(self, labels: Mapping[str, str], prefix: str = "") -> bool:
        """Return whether the pod that a series' labels tell of is one of those; `prefix` precedes the pod's label."""
        return self.pods is None or labels.get(prefix + self.pods.label) in self.pods.values


class Addressee(NamedTuple):
    """Where a request went: to a workload, or, where no healthy one was found, no further than to a Service."""

    namespace: str
    name: str
    reached: bool


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Canary and baseline of one rollout, with the Services through which they are reached.

    Where both are reached through one Service (as subsets), requests that found no healthy host cannot be told apart
    and are charged to neither.

    Attributes:
        baseline: The version that runs.
        canary: The version beside it; where both are pods of one workload, both name them by the same label.
        baseline_service: Name of the Service through which the baseline is called by those whom the route governs;
            without one, whoever calls it counts.
        canary_service: The same of the canary.
        sources: Workloads whose requests count, as `name` or `namespace/name`; none means all. Callers that the route
            does not govern reach the baseline only, and spoil it where they differ from the others.
        metrics: Metrics of the user's own.
    """

    baseline: Workload
    canary: Workload
    baseline_service: str = ""
    canary_service: str = ""
    sources: frozenset[str] = frozenset()
    metrics: tuple[MetricQuery, ...] = ()

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        """Pairs are keys of large tables, so this is worked out once."""
        return hash((self.baseline, self.canary, self.sources, self.metrics))

    @cached_property
    def arms(self) -> Mapping[Arm, Workload]:
        """The workload of each arm."""
        return {Arm.BASELINE: self.baseline, Arm.CANARY: self.canary}

    @cached_property
    def services(self) -> Mapping[Arm, str]:
        """The Service of each arm, as far as it is known."""
        known = {Arm.BASELINE: self.baseline_service, Arm.CANARY: self.canary_service}
        return {arm: service for arm, service in known.items() if service}

    @property
    def by_pods(self) -> bool:
        """Whether the arms are told apart by pods, so that only what a pod's own proxy counted can be used."""
        return self.baseline.pods is not None or self.canary.pods is not None

    @cached_property
    def addressees(self) -> Mapping[Addressee, tuple[Arm, ...]]:
        """The arms that a request to an addressee may belong to; more than one where pods tell them apart."""
        found: dict[Addressee, tuple[Arm, ...]] = {}
        for arm, workload in self.arms.items():
            key = Addressee(namespace=workload.namespace, name=workload.name, reached=True)
            found[key] = (*found.get(key, ()), arm)
        if self.by_pods or self.baseline_service == self.canary_service:
            return found
        unreached = {
            Addressee(namespace=self.arms[arm].namespace, name=service, reached=False): (arm,)
            for arm, service in self.services.items()
        }
        return found | unreached

    def arm_of(self, addressee: Addressee, labels: Mapping[str, str], prefix: str = "") -> Arm | None:
        """Return the arm that a series belongs to, given where its requests went and the labels of the pod."""
        arms = (arm for arm in self.addressees.get(addressee, ()) if self.arms[arm].holds(labels, prefix))
        return next(arms, None)

    def hears(self, namespace: str, workload: str) -> bool:
        """Return whether the requests of a calling workload count."""
        return not self.sources or workload in self.sources or f"{namespace}/{workload}" in self.sources

"""What live routes say, read without the code under test: who gets which share, and whether it adds up."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from canary_analyzer.sandbox.client import DEPLOYMENTS, HTTPROUTES, SERVICES, VIRTUALSERVICES
from canary_analyzer.sandbox.workloads.objects import selects, terminating
from harness.emulator import Document, Emulator

STABLE = "app"
ROLLING = 0.75
"""Share of its pods that a Deployment keeps Ready while it rolls out (Kubernetes: maxUnavailable is 25 %)."""


@dataclass(frozen=True, kw_only=True)
class Split:
    """The destinations of one rule: Services by name, with their weights."""

    route: str
    weights: tuple[tuple[str, int], ...]

    @property
    def sums_up(self) -> bool:
        """Whether the weights add up to 100; a destination alone needs none."""
        return len(self.weights) < 2 or sum(weight for _, weight in self.weights) == 100


def splits(emulator: Emulator) -> list[Split]:
    """Every rule of every route."""
    return [
        split for kind in (VIRTUALSERVICES, HTTPROUTES) for each in emulator.all(kind) for split in _splits_of(each)
    ]


def _splits_of(document: Document) -> Iterator[Split]:
    name, spec = document["metadata"]["name"], document["spec"]
    for rule in spec.get("http", []):
        weights = [(each["destination"]["host"], each.get("weight")) for each in rule.get("route", [])]
        yield Split(route=name, weights=_complete(weights))
    for rule in spec.get("rules", []):
        weights = [(each["name"], each.get("weight")) for each in rule.get("backendRefs", [])]
        yield Split(route=name, weights=_complete(weights))


def _complete(weights: list[tuple[str, int | None]]) -> tuple[tuple[str, int], ...]:
    alone = len(weights) == 1
    return tuple((host, (100 if alone else 0) if weight is None else weight) for host, weight in weights)


def short(emulator: Emulator, sent: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    """Yield each Service that cannot answer what routes send to it, and what it lacks.

    Args:
        emulator: the cluster.
        sent: the percentage of the requests that each Service named by a route may get.
    """
    stable = emulator.find(DEPLOYMENTS, STABLE)
    size = stable["spec"].get("replicas", 1) if stable is not None else 0
    for host, weight in sent.items():
        serving = _serving(emulator, host)
        if not serving:
            yield host, "routes name it, and it is gone"
        elif weight and not (ready := sum(map(_ready, serving))):
            yield host, "requests go there, and no pod is Ready"
        elif weight and ready < int(size * weight / 100 * (ROLLING if host == STABLE else 1)):
            yield host, "it has fewer Ready pods than its share of the requests needs"


def _serving(emulator: Emulator, host: str) -> list[Document]:
    """Return the Deployments that a Service leads to and that are there to stay."""
    service = emulator.find(SERVICES, host)
    if service is None or not _stays(service):
        return []
    return [each for each in emulator.all(DEPLOYMENTS) if _serves(each, service)]


def _serves(deployment: Document, service: Document) -> bool:
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    chosen = selects(service["spec"].get("selector"), labels)
    return chosen and _stays(deployment) and deployment["spec"].get("replicas", 1) > 0


def _stays(document: Document) -> bool:
    """Whether it is there to stay: what is deleted goes once nobody holds it any more."""
    return not terminating(document) or bool(document["metadata"].get("finalizers"))


def _ready(deployment: Document) -> int:
    return int(deployment.get("status", {}).get("readyReplicas", 0))

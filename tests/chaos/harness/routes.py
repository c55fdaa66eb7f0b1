"""What live routes say, read without the code under test: who gets which share, and whether it adds up."""

from collections.abc import Iterator
from dataclasses import dataclass

from canary_analyzer.sandbox.client import DEPLOYMENTS, HTTPROUTES, SERVICES, VIRTUALSERVICES
from canary_analyzer.sandbox.workloads.objects import selects, terminating
from harness.emulator import Document, Emulator


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


def is_served(emulator: Emulator, host: str) -> bool:
    """Whether requests to a Service meet an Available pod of a Deployment that is there to stay."""
    service = emulator.find(SERVICES, host)
    if service is None:
        return False
    return any(_serves(each, service) for each in emulator.all(DEPLOYMENTS))


def _serves(deployment: Document, service: Document) -> bool:
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    chosen = selects(service["spec"].get("selector"), labels)
    alive = not terminating(deployment) and deployment["spec"].get("replicas", 1) > 0
    return chosen and alive and deployment.get("status", {}).get("availableReplicas", 0) > 0

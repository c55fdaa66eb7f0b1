"""May a canary of this Deployment start, and with what names, labels and routes? All objections at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from canary_analyzer import routing
from canary_analyzer.rollout import annotations, sibling
from canary_analyzer.rollout.policy import RolloutPolicy
from canary_analyzer.rollout.run import RouteRef, Run
from canary_analyzer.rollout.view import Workload
from canary_analyzer.routing import Document

RUN_PREFIX = "canary-run-"


class Refused(Exception):
    """A canary that must not start; `reasons` holds one sentence for each objection."""

    def __init__(self, reasons: Sequence[str]) -> None:
        super().__init__("; ".join(reasons))
        self.reasons = tuple(reasons)


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """The documents around a Deployment, all of its namespace."""

    workload: Workload
    services: Sequence[Document]
    virtual_services: Sequence[Document]
    destination_rules: Sequence[Document]
    neighbours: Sequence[Document]
    """Policies and budgets that select pods by label: the canary must not slip out of them, nor into them."""
    deployments: frozenset[str]
    """Names that are taken."""


def run_name(deployment: str, number: int) -> str:
    """Return the name of a Deployment's n-th run, which is also its record's name without the prefix."""
    return f"{deployment}-{number}"


def plan(
    deployment: Document, around: Surroundings, profiles: Mapping[str, RolloutPolicy], number: int, now: float
) -> Run:
    """Return the run that the Deployment's annotations ask for, Pending.

    Args:
        deployment: stable, with the trigger annotation.
        around: what else is in its namespace.
        profiles: policies by profile name.
        number: of the run, counted per Deployment.
        now: seconds since the epoch.

    Raises:
        Refused: with every objection.
    """
    objections = list(_unfit(deployment, around.workload))
    request = _request(deployment, profiles, objections)
    routes = _routes(deployment, around, objections)
    label = _label(deployment, routes, around, objections)
    if request is not None:
        objections += _pointless(deployment, request)
    canary = sibling.sibling_name(deployment["metadata"]["name"])
    if canary in around.deployments:
        objections.append(f"a Deployment {canary} exists already; delete or rename it")
    if routes is not None:
        objections += _taken("Service", around.services, routes.target.canary)
        objections += _taken("DestinationRule", around.destination_rules, routes.target.canary)
    if objections or request is None or routes is None or label is None:
        raise Refused(objections)
    found = annotations.of(deployment)
    return Run(
        name=run_name(deployment["metadata"]["name"], number),
        namespace=deployment["metadata"]["namespace"],
        deployment=deployment["metadata"]["name"],
        uid=deployment["metadata"].get("uid", ""),
        service=routes.target.stable,
        canary=canary,
        canary_service=routes.target.canary,
        label=(label.key, label.value),
        strategy=request.strategy,
        routes=routes.documents,
        trigger=found[annotations.IMAGE],
        request=found.get(annotations.REQUEST),
        images=request.images,
        stable_images=sibling.container_images(deployment),
        stable_template=around.workload.template,
        policy=request.policy,
        started=now,
    )


def _taken(kind: str, documents: Sequence[Document], name: str) -> list[str]:
    exists = any(document["metadata"]["name"] == name for document in documents)
    return [f"a {kind} {name} exists already; delete or rename it"] if exists else []


@dataclass(frozen=True, kw_only=True)
class _Routes:
    target: routing.Target
    service: Document
    documents: tuple[RouteRef, ...]


def _unfit(deployment: Document, workload: Workload) -> list[str]:
    name = deployment["metadata"]["name"]
    strategy = deployment["spec"].get("strategy", {}).get("type", "RollingUpdate")
    found = []
    if workload.replicas == 0:
        found.append(f"{name} has 0 replicas: there is no baseline to compare with; scale it up")
    elif not workload.settled:
        found.append(
            f"{name} is not fully rolled out ({workload.updated} updated, {workload.available} available, "
            f"{workload.replicas} wanted): wait for `kubectl rollout status`, then annotate again"
        )
    if strategy == "Recreate":
        found.append(
            f"{name} has strategy Recreate, which stops every pod before the new ones start; use RollingUpdate"
        )
    return found


def _request(
    deployment: Document, profiles: Mapping[str, RolloutPolicy], objections: list[str]
) -> annotations.Request | None:
    containers = list(sibling.container_images(deployment))
    try:
        return annotations.parse(annotations.of(deployment), containers, profiles)
    except annotations.Misannotated as error:
        objections.extend(error.mistakes)
        return None


def _pointless(deployment: Document, request: annotations.Request) -> list[str]:
    running = sibling.container_images(deployment)
    if any(running[container] != image for container, image in request.images.items()):
        return []
    wanted = ", ".join(request.images.values())
    return [f"{deployment['metadata']['name']} already runs {wanted}: there is nothing to compare; name another image"]


def _routes(deployment: Document, around: Surroundings, objections: list[str]) -> _Routes | None:
    """Find the one Service of the Deployment that http routes reach."""
    labels = deployment["spec"]["template"]["metadata"].get("labels", {})
    selecting = [service for service in around.services if _selects(service, labels)]
    if not selecting:
        objections.append(f"no Service selects the pods of {deployment['metadata']['name']}; create one")
        return None
    reached, problems = [], []
    for service in selecting:
        try:
            reached.append(_reach(service, around.virtual_services))
        except routing.Unroutable as error:
            problems.append(str(error))
    if len(reached) == 1:
        return reached[0]
    if reached:
        names = ", ".join(routes.target.stable for routes in reached)
        objections.append(f"several Services of {deployment['metadata']['name']} are routed to ({names}); keep one")
    objections.extend(problems if not reached else [])
    return None


def _selects(service: Document, labels: Mapping[str, str]) -> bool:
    selector: Mapping[str, Any] = service["spec"].get("selector") or {}
    return bool(selector) and all(labels.get(key) == value for key, value in selector.items())


def _reach(service: Document, virtual_services: Sequence[Document]) -> _Routes:
    metadata = service["metadata"]
    target = routing.Target(
        namespace=metadata["namespace"], stable=metadata["name"], canary=sibling.sibling_name(metadata["name"])
    )
    selected = routing.select(virtual_services, target)
    return _Routes(target=target, service=service, documents=tuple(RouteRef.of(each) for each in selected))


def _label(
    deployment: Document, routes: _Routes | None, around: Surroundings, objections: list[str]
) -> sibling.LabelChange | None:
    if routes is None:
        return None
    others = [s for s in around.services if s["metadata"]["name"] != routes.target.stable]
    try:
        return sibling.choose_label(deployment, routes.service, [*others, *around.neighbours])
    except sibling.Unlabelable as error:
        objections.append(str(error))
        return None

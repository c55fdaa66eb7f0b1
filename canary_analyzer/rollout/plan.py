"""May a canary of this Deployment start, and with what names, labels and routes? All objections at once."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from canary_analyzer import routing
from canary_analyzer.rollout import annotations, rolling_spec, sibling
from canary_analyzer.rollout.options import Baseline
from canary_analyzer.rollout.policy import RolloutPolicy
from canary_analyzer.rollout.ramp import all_traffic
from canary_analyzer.rollout.run import FreshBaseline, RouteRef, Run
from canary_analyzer.rollout.strategy import Strategy
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
    """The documents around a Deployment, of its namespace but for routes."""

    workload: Workload
    services: Sequence[Document]
    routes: Sequence[Document]
    """VirtualServices or HTTPRoutes (with ReferenceGrants) of all namespaces that can be seen, each with its kind."""
    destination_rules: Sequence[Document]
    neighbours: Sequence[Document]
    """Policies that select pods by label: the canary must not slip out of them, nor into them."""
    deployments: Sequence[Document]
    budgets: Sequence[Document] = ()
    """PodDisruptionBudgets: the canary must not be counted by them."""
    route_kind: str = "VirtualService"


@dataclass(frozen=True, kw_only=True)
class Offers:
    """What the service's config has for annotations to choose from."""

    profiles: Mapping[str, RolloutPolicy]
    webhooks: frozenset[str] = frozenset()
    route_kind: str = "VirtualService"
    tells_refusals: bool = False
    """Whether somebody is told when a request is refused."""


def run_name(deployment: str, number: int) -> str:
    """Return the name of a Deployment's n-th run, which is also its record's name without the prefix."""
    return f"{deployment}-{number}"


def plan(deployment: Document, around: Surroundings, offers: Offers, number: int, now: float) -> Run:
    """Return the run that the Deployment's annotations ask for, Pending.

    Args:
        deployment: stable, with the trigger annotation.
        around: what else is in its namespace.
        offers: what its annotations can choose from.
        number: of the run, counted per Deployment.
        now: seconds since the epoch.

    Raises:
        Refused: with every objection.
    """
    objections = list(unfit(deployment, around.workload))
    request = requested(deployment, offers, objections)
    name = run_name(deployment["metadata"]["name"], number)
    routes = _routes(deployment, around, request, name, objections)
    label = _label(deployment, routes, around, objections)
    if request is not None:
        objections += pointless(deployment, request.images) + unpromotable(deployment, request.strategy)
    if routes is not None:
        objections += _all_taken(deployment, around, routes.target)
    if objections or request is None or routes is None or label is None:
        raise Refused(objections)
    metadata, found = deployment["metadata"], annotations.of(deployment)
    return Run(
        name=name,
        namespace=metadata["namespace"],
        deployment=metadata["name"],
        uid=metadata.get("uid", ""),
        service=routes.target.stable,
        canary=sibling.sibling_name(metadata["name"]),
        canary_service=routes.target.canary,
        label=(label.key, label.value),
        fresh=_fresh(deployment, routes.target, label),
        target=routes.target,
        strategy=request.strategy,
        routes=routes.documents,
        trigger=found[annotations.IMAGE],
        request=found.get(annotations.REQUEST),
        images=request.images,
        stable_images=sibling.container_images(deployment),
        stable_template=around.workload.template,
        stable_replicas=around.workload.replicas,
        policy=request.policy,
        started=now,
    )


def _fresh(deployment: Document, target: routing.Target, label: sibling.LabelChange) -> FreshBaseline | None:
    if target.baseline is None:
        return None
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    return FreshBaseline(
        name=sibling.sibling_name(deployment["metadata"]["name"], sibling.BASELINE),
        service=target.baseline,
        label=sibling.baseline_value(label, labels[label.key]),
    )


def _all_taken(deployment: Document, around: Surroundings, target: routing.Target) -> Iterator[str]:
    """Names that we need and somebody else has."""
    suffixes = [sibling.CANARY] if target.baseline is None else [sibling.CANARY, sibling.BASELINE]
    for suffix in suffixes:
        yield from _taken(
            "Deployment", around.deployments, sibling.sibling_name(deployment["metadata"]["name"], suffix)
        )
    for service in filter(None, (target.canary, target.baseline)):
        yield from _taken("Service", around.services, service)
        yield from _taken("DestinationRule", around.destination_rules, service)


def _taken(kind: str, documents: Sequence[Document], name: str) -> list[str]:
    exists = any(document["metadata"]["name"] == name for document in documents)
    return [f"a {kind} {name} exists already; delete or rename it"] if exists else []


@dataclass(frozen=True, kw_only=True)
class _Routes:
    target: routing.Target
    service: Document
    documents: tuple[RouteRef, ...]


def unfit(deployment: Document, workload: Workload) -> list[str]:
    """Say why a Deployment is no baseline to start from."""
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
    if deployment["spec"].get("paused"):
        found.append(f"{name} is paused: run `kubectl rollout resume deployment/{name}`")
    return found


def unpromotable(deployment: Document, strategy: Strategy) -> list[str]:
    """Say that stable would lose every pod on promotion while it still has requests; in blue-green it has none then."""
    if strategy is Strategy.BLUE_GREEN:
        return []
    lost = rolling_spec.all_at_once(deployment["metadata"]["name"], deployment["spec"])
    return [f"{each}, when stable is given the new image while it still has requests" for each in lost]


def requested(deployment: Document, offers: Offers, objections: list[str]) -> annotations.Request | None:
    """Read the annotations; what is wrong with them joins the objections."""
    containers = list(sibling.container_images(deployment))
    try:
        request = annotations.parse(annotations.of(deployment), containers, offers.profiles)
    except annotations.Misannotated as error:
        objections.extend(error.mistakes)
        return None
    objections += unknown_webhooks(request.policy, offers)
    return request


def unknown_webhooks(policy: RolloutPolicy, offers: Offers) -> list[str]:
    """Say which webhooks a policy names that nobody has configured."""
    known = ", ".join(sorted(offers.webhooks)) or "none"
    unknown = sorted(policy.webhook_names - offers.webhooks)
    return [f"the service's config has no webhook {name}; it has {known}" for name in unknown]


def pointless(deployment: Document, images: Mapping[str, str]) -> list[str]:
    """Say that the images asked for, by container, are running already."""
    running = sibling.container_images(deployment)
    if any(running[container] != image for container, image in images.items()):
        return []
    wanted = ", ".join(images.values())
    return [f"{deployment['metadata']['name']} already runs {wanted}: there is nothing to compare; name another image"]


def _routes(
    deployment: Document, around: Surroundings, request: annotations.Request | None, run: str, objections: list[str]
) -> _Routes | None:
    """Find the one Service of the Deployment that routes reach, and that they can do all that the policy asks for."""
    labels = deployment["spec"]["template"]["metadata"].get("labels", {})
    selecting = [service for service in around.services if _selects(service, labels)]
    if not selecting:
        objections.append(f"no Service selects the pods of {deployment['metadata']['name']}; create one")
        return None
    reached, problems = [], []
    for service in selecting:
        try:
            reached.append(_reach(service, deployment, around, _Wanted.by(request, run)))
        except routing.Unroutable as error:
            problems.append(str(error))
    if len(reached) == 1:
        return reached[0]
    if reached:
        names = ", ".join(routes.target.stable for routes in reached)
        objections.append(f"several Services of {deployment['metadata']['name']} are routed to ({names}); keep one")
    objections.extend(problems if not reached else [])
    return None


@dataclass(frozen=True, kw_only=True)
class _Wanted:
    """What a run will ask of its routes."""

    traffic: tuple[routing.Traffic, ...] = ()
    fresh: bool = False

    @classmethod
    def by(cls, request: annotations.Request | None, run: str) -> "_Wanted":
        if request is None:
            return cls()
        return cls(
            traffic=all_traffic(request.strategy, request.policy, run),
            fresh=request.policy.baseline is Baseline.FRESH,
        )


def _selects(service: Document, labels: Mapping[str, str]) -> bool:
    selector: Mapping[str, Any] = service["spec"].get("selector") or {}
    return bool(selector) and all(labels.get(key) == value for key, value in selector.items())


def _reach(service: Document, deployment: Document, around: Surroundings, wanted: _Wanted) -> _Routes:
    metadata = service["metadata"]
    pods, *others = pods_of([deployment, *_others(deployment, around.deployments)])
    target = routing.sibling_target(
        metadata["name"],
        sibling.sibling_name(metadata["name"]),
        pods,
        routing.Around(
            namespace=metadata["namespace"],
            services=around.services,
            destination_rules=around.destination_rules,
            routes=around.routes,
            others=others,
        ),
    )
    if wanted.fresh:
        target = replace(target, baseline=sibling.sibling_name(metadata["name"], sibling.BASELINE))
    selected = routing.ROUTERS[around.route_kind].select(around.routes, target, wanted.traffic)
    return _Routes(target=target, service=service, documents=tuple(RouteRef.of(each) for each in selected))


def _others(deployment: Document, deployments: Sequence[Document]) -> list[Document]:
    return [each for each in deployments if each["metadata"]["name"] != deployment["metadata"]["name"]]


def pods_of(deployments: Sequence[Document]) -> list[routing.Pods]:
    """Return what tells where requests may get to: the pods of each Deployment."""
    return [
        routing.Pods(
            name=each["metadata"]["name"], labels=each["spec"]["template"].get("metadata", {}).get("labels") or {}
        )
        for each in deployments
    ]


def _label(
    deployment: Document, routes: _Routes | None, around: Surroundings, objections: list[str]
) -> sibling.LabelChange | None:
    if routes is None:
        return None
    others = [s for s in around.services if s["metadata"]["name"] != routes.target.stable]
    try:
        return sibling.choose_label(deployment, routes.service, [*others, *around.neighbours], around.budgets)
    except sibling.Unlabelable as error:
        objections.append(str(error))
        return None

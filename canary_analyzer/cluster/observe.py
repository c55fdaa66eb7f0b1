"""What the cluster looks like now, as values that decisions are made of."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from canary_analyzer import routing
from canary_analyzer.cluster.autoscaling import autoscaler
from canary_analyzer.cluster.cache import Reads
from canary_analyzer.cluster.client import (
    AUTHORIZATION_POLICIES,
    DEPLOYMENTS,
    DESTINATION_RULES,
    DISRUPTION_BUDGETS,
    MANAGER,
    NETWORK_POLICIES,
    PEER_AUTHENTICATIONS,
    PODS,
    REFERENCE_GRANTS,
    SERVICES,
    Cluster,
    Kind,
)
from canary_analyzer.cluster.errors import NotFound
from canary_analyzer.cluster.rolling import rolling_view
from canary_analyzer.cluster.routes import ROUTE_KINDS, live, named, visible
from canary_analyzer.rollout import annotations, sibling
from canary_analyzer.rollout.phases import Phase
from canary_analyzer.rollout.plan import Surroundings
from canary_analyzer.rollout.rolling import RollingView
from canary_analyzer.rollout.run import RouteRef, Run
from canary_analyzer.rollout.traces import Traces, target_of, unmarked
from canary_analyzer.rollout.view import View, Wishes, Workload
from canary_analyzer.routing import Document

HOPELESS = frozenset(
    {"CrashLoopBackOff", "ImagePullBackOff", "InvalidImageName", "CreateContainerConfigError", "CreateContainerError"}
)
"""Waiting reasons (kubelet's) that do not pass by themselves."""


def surroundings(cluster: Cluster, deployment: Document, route_kind: str = "VirtualService") -> Surroundings:
    """Read what a plan depends on: everything around a Deployment that its canary will touch."""
    namespace = deployment["metadata"]["namespace"]
    selecting = (AUTHORIZATION_POLICIES, PEER_AUTHENTICATIONS, NETWORK_POLICIES)
    return Surroundings(
        workload=workload(deployment),
        services=cluster.list(SERVICES, namespace).items,
        route_kind=route_kind,
        routes=_routes(cluster, route_kind, namespace),
        destination_rules=_all(cluster, DESTINATION_RULES, namespace),
        neighbours=[document for kind in selecting for document in _all(cluster, kind, namespace)],
        budgets=_all(cluster, DISRUPTION_BUDGETS, namespace),
        deployments=cluster.list(DEPLOYMENTS, namespace).items,
    )


def _routes(cluster: Cluster, kind: str, namespace: str) -> list[Document]:
    """Read what may route to a namespace's Services, and for HTTPRoutes who permits it across namespaces."""
    routes = named(visible(cluster, ROUTE_KINDS[kind], namespace), kind)
    if kind != "HTTPRoute":
        return routes
    return [*routes, *named(visible(cluster, REFERENCE_GRANTS, namespace), "ReferenceGrant")]


def _all(cluster: Cluster, kind: Kind, namespace: str) -> Sequence[Document]:
    try:
        return cluster.list(kind, namespace).items
    except NotFound:
        return ()  # the cluster does not know this kind, so nothing of it can select a pod


def observe(cluster: Reads, run: Run) -> View | None:
    """Read everything that the next decision about a run depends on; None where stable is gone (or made anew).

    Pods are read only while their Deployment says that some are not Available: the others are in no trouble.
    """
    owner = cluster.find(DEPLOYMENTS, run.namespace, run.deployment)
    if owner is None or owner["metadata"]["uid"] != run.uid:
        return None
    stable = owner if run.stable == run.deployment else cluster.find(DEPLOYMENTS, run.namespace, run.stable)
    if stable is None:
        return None
    canary = _sibling(cluster, run, run.canary)
    fresh = _sibling(cluster, run, run.fresh.name) if run.fresh is not None else None
    rolling = rolling_view(cluster, stable, run) if run.rolling is not None else None
    serving = _all_serve(canary, fresh if run.fresh is not None else canary, rolling)
    pods = canary_pods(cluster, run) if not serving else []
    services = [cluster.find(SERVICES, run.namespace, name) for name in Traces.of(run).services]
    routes = live(cluster, run)
    return View(
        stable=workload(stable),
        wishes=wishes(owner, run),
        canary=canary,
        fresh=fresh,
        canary_pods=len(pods),
        canary_trouble=trouble(pods),
        canary_unready=unready(pods) if not serving else "",
        canary_services=bool(services) and all(each is not None and not _is_deleted(each) for each in services),
        services_left=any(each is not None and not _is_given_up(each) for each in services),
        autoscaler=autoscaler(cluster, run.namespace, run.stable),
        weight=weight(routes, run),
        reached=run.traffic if reached(routes, run) else None,
        routed=any(_weight(route, run) is not None for route in routes),
        missing_routes=tuple(set(run.routes) - {RouteRef.of(route) for route in routes}),
        marked=any(unmarked(route, Traces.of(run)) != route for route in routes),
        owned=any(routing.disowned(route, MANAGER) != route for route in routes),
        rolling=rolling,
    )


def _all_serve(canary: Workload | None, fresh: Workload | None, rolling: RollingView | None) -> bool:
    """Whether every pod beside stable's old ones is Available (Ready, for those of a rolling update)."""
    if rolling is not None:
        return 0 < rolling.new.total == rolling.new.ready
    return canary is not None and canary.settled and fresh is not None and fresh.settled


def _sibling(cluster: Reads, run: Run, name: str) -> Workload | None:
    found = cluster.find(DEPLOYMENTS, run.namespace, name) if name else None
    return workload(found) if found is not None else None


def canary_pods(cluster: Reads, run: Run) -> list[Document]:
    """Read the pods that are, or are to be, another version than stable's; those of a fresh baseline as well."""
    key, value = run.label
    values = {value} | ({run.fresh.label} if run.fresh is not None else set())
    if not key:
        return []
    found = cluster.list(PODS, run.namespace, f"{key} in ({','.join(sorted(values))})").items
    owners = Traces.of(run).siblings or (run.canary or run.stable,)
    return [pod for pod in found if any(_owned_by_replicaset_of(pod, name) for name in owners)]


def _router(route: Document) -> routing.Router:
    return routing.ROUTERS[route["kind"]]


def _weight(route: Document, run: Run) -> int | None:
    return _router(route).canary_weight(route, target_of(run))


def weight(routes: Sequence[Document], run: Run) -> int | None:
    """Return the canary's weight in percent where all routes agree on one, else None."""
    weights = {_weight(route, run) for route in routes}
    return weights.pop() if len(weights) == 1 else None


def reached(routes: Sequence[Document], run: Run) -> bool:
    """Return whether the canary is in all routes and setting the wanted traffic would change none of them."""
    placed = all(_weight(route, run) is not None for route in routes)
    return bool(routes) and placed and all(_is_set(route, run) for route in routes)


def _is_set(route: Document, run: Run) -> bool:
    return _router(route).with_traffic(route, target_of(run), run.traffic) == route


def workload(deployment: Document) -> Workload:
    """Take from a Deployment what decisions need."""
    metadata, spec, status = deployment["metadata"], deployment["spec"], deployment.get("status", {})
    return Workload(
        replicas=spec.get("replicas", 1),
        updated=status.get("updatedReplicas", 0),
        available=status.get("availableReplicas", 0),
        total=status.get("replicas", 0),
        current=status.get("observedGeneration", 0) >= metadata.get("generation", 1),
        template=sibling.template_hash(deployment),
        revision=annotations.revision_of(deployment),
        images=sibling.container_images(deployment),
        deleted=_is_deleted(deployment),
        failure=_stuck(status.get("conditions") or []),
    )


def _is_deleted(document: Document) -> bool:
    return "deletionTimestamp" in document["metadata"]


def _is_given_up(document: Document) -> bool:
    """Whether it is deleted and held by others alone: when it goes is theirs to say."""
    return _is_deleted(document) and sibling.FINALIZER not in (document["metadata"].get("finalizers") or [])


def _stuck(conditions: Sequence[Mapping[str, Any]]) -> str:
    progressing = (c for c in conditions if c["type"] == "Progressing" and c["status"] == "False")
    return next((f"{c.get('reason')}: {c.get('message')}" for c in progressing), "")


def wishes(stable: Document, run: Run) -> Wishes:
    """Read the user's annotations on stable."""
    found = annotations.of(stable)
    status = annotations.status_of(stable)
    ended = status.get("phase") in (Phase.SUCCEEDED, Phase.ABORTED)
    return Wishes(
        trigger=found.get(annotations.BASELINE if run.baseline else annotations.IMAGE),
        hold=found.get(annotations.HOLD) == "true",
        approve=found.get(annotations.APPROVE, ""),
        promote=found.get(annotations.PROMOTE, ""),
        abort=found.get(annotations.ABORT, ""),
        told=(str(status.get("run")), str(status.get("phase")), str(status.get("waiting", ""))),
        closed=ended and status.get("run") == run.name,
    )


def trouble(pods: Sequence[Document]) -> str:
    """Say why pods cannot serve and will not by waiting; empty where none is so."""
    found = Counter(
        f"container {status['name']}: {reason}{_last_end(status)}"
        for pod in pods
        for status in _container_statuses(pod)
        if (reason := _waiting(status)) in HOPELESS and not _first_crash(status)
    )
    return _counted(found, len(pods))


def _first_crash(status: Mapping[str, Any]) -> bool:
    """Whether it has crashed once only, and is to be given another try."""
    return _waiting(status) == "CrashLoopBackOff" and status.get("restartCount", 0) == 0


def unready(pods: Sequence[Document]) -> str:
    """Say what pods that are not Ready wait for."""
    found = Counter(
        _unready_reason(status) for pod in pods for status in _container_statuses(pod) if not status["ready"]
    )
    return _counted(found, len(pods)) or ("no pods were made" if not pods else "")


def _unready_reason(status: Mapping[str, Any]) -> str:
    reason = _waiting(status) or "running, but its readiness probe fails"
    return f"container {status['name']}: {reason}{_last_end(status)}"


def _counted(found: Counter[str], pods: int) -> str:
    return "; ".join(f"{what} ({count} of {pods} pods)" for what, count in sorted(found.items()))


def _container_statuses(pod: Document) -> list[dict[str, Any]]:
    return pod.get("status", {}).get("containerStatuses") or []


def _waiting(status: Mapping[str, Any]) -> str:
    reason: str = status.get("state", {}).get("waiting", {}).get("reason", "")
    return reason


def _last_end(status: Mapping[str, Any]) -> str:
    ended = status.get("lastState", {}).get("terminated")
    if not ended:
        return ""
    return f", restarted {status.get('restartCount', 0)} times, last exit code {ended.get('exitCode')}"


def _owned_by_replicaset_of(pod: Document, deployment: str) -> bool:
    """Whether the pod's ReplicaSet carries the Deployment's name before its template hash."""
    owners = pod["metadata"].get("ownerReferences") or []
    return any(owner["kind"] == "ReplicaSet" and owner["name"].rpartition("-")[0] == deployment for owner in owners)

"""What the cluster looks like now, as values that decisions are made of."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from canary_analyzer import routing
from canary_analyzer.cluster.client import (
    AUTHORIZATION_POLICIES,
    DEPLOYMENTS,
    DESTINATION_RULES,
    DISRUPTION_BUDGETS,
    NETWORK_POLICIES,
    PEER_AUTHENTICATIONS,
    PODS,
    SERVICES,
    VIRTUAL_SERVICES,
    Cluster,
    Kind,
    NotFound,
)
from canary_analyzer.cluster.routes import live, target, visible
from canary_analyzer.rollout import annotations, sibling
from canary_analyzer.rollout.phases import Phase
from canary_analyzer.rollout.plan import Surroundings
from canary_analyzer.rollout.run import Run
from canary_analyzer.rollout.view import View, Wishes, Workload
from canary_analyzer.routing import Document

HOPELESS = frozenset(
    {"CrashLoopBackOff", "ImagePullBackOff", "InvalidImageName", "CreateContainerConfigError", "CreateContainerError"}
)
"""Waiting reasons (kubelet's) that do not pass by themselves."""


def surroundings(cluster: Cluster, deployment: Document) -> Surroundings:
    """Read what a plan depends on: everything around a Deployment that its canary will touch."""
    namespace = deployment["metadata"]["namespace"]
    selecting = (AUTHORIZATION_POLICIES, PEER_AUTHENTICATIONS, NETWORK_POLICIES, DISRUPTION_BUDGETS)
    return Surroundings(
        workload=workload(deployment),
        services=cluster.list(SERVICES, namespace).items,
        virtual_services=visible(cluster, VIRTUAL_SERVICES, namespace),
        destination_rules=_all(cluster, DESTINATION_RULES, namespace),
        neighbours=[document for kind in selecting for document in _all(cluster, kind, namespace)],
        deployments=frozenset(d["metadata"]["name"] for d in cluster.list(DEPLOYMENTS, namespace).items),
    )


def _all(cluster: Cluster, kind: Kind, namespace: str) -> Sequence[Document]:
    try:
        return cluster.list(kind, namespace).items
    except NotFound:
        return ()  # the cluster does not know this kind, so nothing of it can select a pod


def observe(cluster: Cluster, run: Run) -> View | None:
    """Read everything that the next decision about a run depends on; None where stable is gone (or made anew)."""
    stable = cluster.find(DEPLOYMENTS, run.namespace, run.deployment)
    if stable is None or stable["metadata"]["uid"] != run.uid:
        return None
    canary = cluster.find(DEPLOYMENTS, run.namespace, run.canary)
    pods = cluster.list(PODS, run.namespace, f"{run.label[0]}={run.label[1]}").items
    pods = [pod for pod in pods if _owned_by_replicaset_of(pod, run.canary)]
    routes = live(cluster, run)
    return View(
        stable=workload(stable),
        wishes=wishes(stable, run),
        canary=workload(canary) if canary is not None else None,
        canary_pods=len(pods),
        canary_trouble=trouble(pods),
        canary_unready=unready(pods),
        canary_services=cluster.find(SERVICES, run.namespace, run.canary_service) is not None,
        weight=weight(routes, target(run)),
        reached=run.weight if at_weight(routes, target(run), run.weight) else None,
        routed=any(routing.canary_weight(route, target(run)) is not None for route in routes),
    )


def weight(routes: Sequence[Document], between: routing.Target) -> int | None:
    """Return the canary's weight in percent where all routes agree on one, else None."""
    weights = {routing.canary_weight(route, between) for route in routes}
    return weights.pop() if len(weights) == 1 else None


def at_weight(routes: Sequence[Document], between: routing.Target, wanted: int) -> bool:
    """Return whether the canary is in all routes and setting the wanted weight would change none of them."""
    placed = all(routing.canary_weight(route, between) is not None for route in routes)
    return bool(routes) and placed and all(routing.with_weight(each, between, wanted) == each for each in routes)


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
        images=sibling.container_images(deployment),
        failure=_stuck(status.get("conditions") or []),
    )


def _stuck(conditions: Sequence[Mapping[str, Any]]) -> str:
    progressing = (c for c in conditions if c["type"] == "Progressing" and c["status"] == "False")
    return next((f"{c.get('reason')}: {c.get('message')}" for c in progressing), "")


def wishes(stable: Document, run: Run) -> Wishes:
    """Read the user's annotations on stable."""
    found = annotations.of(stable)
    status = annotations.status_of(stable)
    ended = status.get("phase") in (Phase.SUCCEEDED, Phase.ABORTED)
    return Wishes(
        trigger=found.get(annotations.IMAGE),
        hold=found.get(annotations.HOLD) == "true",
        approve=found.get(annotations.APPROVE, ""),
        abort=found.get(annotations.ABORT, ""),
        told=(str(status.get("run")), str(status.get("phase"))),
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

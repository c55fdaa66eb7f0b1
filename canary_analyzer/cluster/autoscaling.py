"""The HorizontalPodAutoscaler of a stable Deployment, read and kept from shrinking it."""

from collections.abc import Callable

from canary_analyzer import routing
from canary_analyzer.cluster.cache import Reads
from canary_analyzer.cluster.client import AUTOSCALERS, MANAGER, Cluster
from canary_analyzer.cluster.routes import retried
from canary_analyzer.rollout import floor
from canary_analyzer.rollout.view import Autoscaler
from canary_analyzer.routing import Document


def autoscaler(cluster: Reads, namespace: str, deployment: str) -> Autoscaler | None:
    """Return what sizes a Deployment; None where nothing does."""
    found = _of(cluster, namespace, deployment)
    if found is None:
        return None
    return Autoscaler(minimum=floor.minimum(found), maximum=found["spec"]["maxReplicas"], held=_is_held(found))


def hold(cluster: Cluster, namespace: str, deployment: str, replicas: int) -> None:
    """Let a Deployment's autoscaler, if there is one, not go below so many pods."""
    _edit(cluster, namespace, deployment, lambda live: floor.held(live, replicas))


def release(cluster: Cluster, namespace: str, deployment: str) -> None:
    """Give a Deployment's autoscaler its own minimum back, and its former owners the field."""
    _edit(cluster, namespace, deployment, floor.released)
    # A last write of its own: one that changed fields would make us their owner again.
    _edit(cluster, namespace, deployment, lambda live: routing.disowned(live, MANAGER))


def held(cluster: Cluster, namespace: str) -> set[tuple[str, str]]:
    """Return namespace and name of the Deployments of a namespace (of all, for "") whose autoscalers are held."""
    return {
        (each["metadata"]["namespace"], each["spec"]["scaleTargetRef"]["name"])
        for each in cluster.list(AUTOSCALERS, namespace).items
        if _is_held(each)
    }


def _is_held(found: Document) -> bool:
    return floor.floor_of(found) is not None or routing.disowned(found, MANAGER) != found


def _edit(cluster: Cluster, namespace: str, deployment: str, change: Callable[[Document], Document]) -> None:
    def write() -> None:
        live = _of(cluster, namespace, deployment)
        if live is not None and (patch := routing.json_patch(live, change(live))):
            cluster.patch(AUTOSCALERS, namespace, live["metadata"]["name"], patch)

    retried(write)


def _of(cluster: Reads, namespace: str, deployment: str) -> Document | None:
    listed = cluster.list(AUTOSCALERS, namespace).items
    return next((each for each in listed if floor.sizes(each, deployment)), None)

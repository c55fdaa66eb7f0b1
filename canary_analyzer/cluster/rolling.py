"""A Deployment that rolls out by itself: its old and new pods as seen, and the few fields of it that a run changes."""

from collections.abc import Sequence
from copy import deepcopy

from canary_analyzer import routing
from canary_analyzer.cluster.cache import Reads
from canary_analyzer.cluster.client import DEPLOYMENTS, REPLICASETS, Cluster
from canary_analyzer.cluster.routes import retried
from canary_analyzer.rollout import rolling_spec
from canary_analyzer.rollout.actions import RollStable
from canary_analyzer.rollout.rolling import POD_HASH, PodSet, RollingView
from canary_analyzer.rollout.run import Run
from canary_analyzer.rollout.sibling import template_hash
from canary_analyzer.routing import Document


def rolling_view(cluster: Reads, stable: Document, run: Run) -> RollingView:
    """Read the ReplicaSets of the Deployment `stable` and tell those of the run's old and of its present template."""
    listed = cluster.list(REPLICASETS, run.namespace).items
    own = [each for each in listed if _owner(each) == run.uid]
    now = template_hash(stable)
    return RollingView(
        old=_pods_of(own, run.stable_template),
        new=_pods_of(own, now) if now != run.stable_template else PodSet(),
        min_ready_seconds=stable["spec"].get("minReadySeconds"),
        paused=bool(stable["spec"].get("paused")),
        marked=rolling_spec.is_marked(stable),
    )


def roll(cluster: Cluster, run: Run, shape: RollStable) -> None:
    """Change the Deployment, guarded by the version that was read; no write where nothing changes."""
    retried(lambda: _roll(cluster, run, shape))


def _roll(cluster: Cluster, run: Run, shape: RollStable) -> None:
    if run.rolling is None:
        raise ValueError(f"{run.name} does not roll out {run.deployment} by itself")
    stable = cluster.get(DEPLOYMENTS, run.namespace, run.deployment)
    _write(cluster, stable, rolling_spec.shaped(stable, shape, run.rolling))


def slowed(cluster: Cluster, namespace: str) -> set[tuple[str, str]]:
    """Return namespace and name of the Deployments of a namespace (of all, for "") that a run slows down or pauses."""
    return {
        (each["metadata"]["namespace"], each["metadata"]["name"])
        for each in cluster.list(DEPLOYMENTS, namespace).items
        if rolling_spec.is_marked(each)
    }


def release(cluster: Cluster, namespace: str, name: str) -> None:
    """Give a Deployment its own pace back, as it says itself, guarded by the version that was read."""

    def write() -> None:
        if (stable := cluster.find(DEPLOYMENTS, namespace, name)) is not None:
            _write(cluster, stable, rolling_spec.released(stable))

    retried(write)


def _write(cluster: Cluster, stable: Document, wanted: Document) -> None:
    metadata = stable["metadata"]
    if patch := routing.json_patch(stable, wanted):
        cluster.patch(DEPLOYMENTS, metadata["namespace"], metadata["name"], patch)


def _owner(replicaset: Document) -> str | None:
    owners = replicaset["metadata"].get("ownerReferences") or []
    return next((owner["uid"] for owner in owners if owner.get("controller")), None)


def _pods_of(replicasets: Sequence[Document], template: str) -> PodSet:
    """Return the pods of the ReplicaSet that has a template; more than one would be a race of controllers."""
    found = next((each for each in replicasets if template_hash(_as_deployed(each)) == template), None)
    if found is None:
        return PodSet()
    status = found.get("status") or {}
    return PodSet(
        hash=(found["metadata"].get("labels") or {}).get(POD_HASH, ""),
        total=max(status.get("replicas", 0), found["spec"].get("replicas", 0)),
        ready=status.get("readyReplicas", 0),
    )


def _as_deployed(replicaset: Document) -> Document:
    """Return the ReplicaSet with its template as the Deployment has it: without the hash among the labels."""
    copied = deepcopy(replicaset)
    copied["spec"]["template"]["metadata"]["labels"].pop(POD_HASH, None)
    return copied

"""The user's Deployment: its images, and the annotations by which we and its owner talk."""

from collections.abc import Mapping

from canary_analyzer import routing
from canary_analyzer.cluster.client import DEPLOYMENTS, Cluster
from canary_analyzer.cluster.errors import REFUSED, ClusterError
from canary_analyzer.cluster.routes import retried
from canary_analyzer.rollout import annotations, sibling
from canary_analyzer.rollout.advice import in_sight
from canary_analyzer.rollout.phases import Event, next_phase
from canary_analyzer.rollout.run import Run
from canary_analyzer.routing import Document


def patch_images(cluster: Cluster, run: Run, images: Mapping[str, str]) -> None:
    """Give stable's containers these images, guarded by the version that was read."""

    def write() -> None:
        stable = cluster.get(DEPLOYMENTS, run.namespace, run.stable)
        if patch := routing.json_patch(stable, sibling.with_images(stable, images)):
            cluster.patch(DEPLOYMENTS, run.namespace, run.stable, patch)

    retried(write)


def admitted(cluster: Cluster, deployment: Document, images: Mapping[str, str]) -> Mapping[str, str]:
    """Return these images as the API server would keep them: admission may pin a tag to a digest, or name a mirror.

    They are compared with what is seen later on. Where the server does not tell, they are as given.

    Raises:
        ClusterError: it did not answer, or somebody else wrote in between.
    """
    metadata = deployment["metadata"]
    patch = routing.json_patch(deployment, sibling.with_images(deployment, images))
    try:
        kept = cluster.patch(DEPLOYMENTS, metadata["namespace"], metadata["name"], patch, dry_run=True)
    except ClusterError as error:
        if error.status not in REFUSED:
            raise
        return images
    return {name: sibling.container_images(kept)[name] for name in images}


def close_request(cluster: Cluster, run: Run) -> None:
    """Take the consumed trigger away and write the outcome, in one guarded write."""
    owner = cluster.get(DEPLOYMENTS, run.namespace, run.deployment)
    outcome = in_sight(run.model_copy(update={"phase": next_phase(run.phase, Event.FINISH), "weight": 0}))
    taken = dict.fromkeys(consumed(annotations.of(owner), run))
    annotate(cluster, owner, {**taken, annotations.STATUS: outcome})


def consumed(found: Mapping[str, str], run: Run) -> list[str]:
    """Name the annotations that this run has used up; a trigger that was changed in the meantime is a new wish."""
    told = (annotations.APPROVE, annotations.PROMOTE, annotations.ABORT)
    spent = {annotations.IMAGE: run.trigger, **dict.fromkeys(told, run.name)}
    keys = [key for key, value in spent.items() if found.get(key) == value]
    return [*keys, annotations.REQUEST] if annotations.IMAGE in keys and annotations.REQUEST in found else keys


def take_approval(cluster: Cluster, run: Run) -> None:
    """Take the approval of this run away."""
    owner = cluster.get(DEPLOYMENTS, run.namespace, run.deployment)
    if annotations.of(owner).get(annotations.APPROVE) == run.name:
        annotate(cluster, owner, {annotations.APPROVE: None})


def annotate(cluster: Cluster, deployment: Document, changes: Mapping[str, str | None]) -> None:
    """Set annotations (None takes one away), guarded by the version that was read."""
    metadata = deployment["metadata"]
    patch = {"metadata": {"resourceVersion": metadata["resourceVersion"], "annotations": changes}}
    cluster.merge(DEPLOYMENTS, metadata["namespace"], metadata["name"], patch)


def set_status(cluster: Cluster, run: Run) -> None:
    """Write the run's phase, and what goes with it, as the status annotation."""
    annotate(cluster, cluster.get(DEPLOYMENTS, run.namespace, run.deployment), {annotations.STATUS: in_sight(run)})

"""The writes to a cluster; each looks first and is safe to repeat."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from canary_analyzer import routing
from canary_analyzer.cluster import routes
from canary_analyzer.cluster.client import (
    DEPLOYMENTS,
    DESTINATION_RULES,
    MANAGER,
    SERVICES,
    Cluster,
    Conflict,
    Kind,
)
from canary_analyzer.cluster.routes import target
from canary_analyzer.rollout import actions, annotations, sibling
from canary_analyzer.rollout.phases import Event, next_phase
from canary_analyzer.rollout.run import RouteRef, Run
from canary_analyzer.routing import Document


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What a write is about: the run, and its routes as the user had them."""

    run: Run
    snapshot: Sequence[Document]


def act(cluster: Cluster, action: actions.Action, subject: Subject) -> None:
    """Carry out one action.

    Raises:
        Conflict: somebody else wrote in between; decide anew.
        ClusterError: the API server refused or did not answer.
    """
    run = subject.run
    match action:
        case actions.CreateCanary(replicas=replicas):
            create_canary(cluster, run, replicas)
        case actions.ScaleCanary(replicas=replicas):
            cluster.merge(DEPLOYMENTS, run.namespace, run.canary, {"spec": {"replicas": replicas}})
        case actions.SetWeight(weight=weight):
            routes.edit(cluster, run, lambda live: routing.with_weight(live, target(run), weight))
        case actions.RestoreRoutes():
            routes.edit(cluster, run, lambda live: _restored(live, subject))
            # A last write of its own: one that changed fields would make us their owner again.
            routes.edit(cluster, run, lambda live: routing.disowned(live, MANAGER))
        case actions.PatchStable(images=images):
            patch_stable(cluster, run, dict(images))
        case actions.DeleteCanary():
            _delete(cluster, DEPLOYMENTS, run, run.canary)
        case actions.DeleteCanaryServices():
            _delete(cluster, DESTINATION_RULES, run, run.canary_service)
            _delete(cluster, SERVICES, run, run.canary_service)
        case actions.CloseRequest():
            close_request(cluster, run)


def create_canary(cluster: Cluster, run: Run, replicas: int) -> None:
    """Make the sibling: first what routes to it, last the Deployment, which is what tells that all is there."""
    stable = cluster.get(DEPLOYMENTS, run.namespace, run.deployment)
    label = sibling.LabelChange(key=run.label[0], value=run.label[1])
    service = cluster.get(SERVICES, run.namespace, run.service)
    _create(cluster, SERVICES, run, sibling.canary_service(service, label, run.canary_service, stable))
    rules = cluster.list(DESTINATION_RULES, run.namespace).items
    rule = routing.canary_destination_rule(rules, target(run))
    if rule is not None:
        rule["metadata"]["ownerReferences"] = [sibling.owner_reference(stable)]
        _create(cluster, DESTINATION_RULES, run, rule)
    _create(cluster, DEPLOYMENTS, run, sibling.canary_deployment(stable, run.images, label, replicas))


def abandon(cluster: Cluster, subject: Subject) -> None:
    """Tidy up after a run whose Deployment was deleted: give its routes back, delete what is left of the canary."""
    act(cluster, actions.RestoreRoutes(), subject)
    act(cluster, actions.DeleteCanary(), subject)
    act(cluster, actions.DeleteCanaryServices(), subject)


def patch_stable(cluster: Cluster, run: Run, images: dict[str, str]) -> None:
    """Give stable's containers these images, guarded by the version that was read."""
    routes.retried(lambda: _patch_images(cluster, run, images))


def _patch_images(cluster: Cluster, run: Run, images: dict[str, str]) -> None:
    stable = cluster.get(DEPLOYMENTS, run.namespace, run.deployment)
    patch = routing.json_patch(stable, sibling.with_images(stable, images))
    if patch:
        cluster.patch(DEPLOYMENTS, run.namespace, run.deployment, patch)


def close_request(cluster: Cluster, run: Run) -> None:
    """Take the consumed trigger away and write the outcome, in one guarded write."""
    stable = cluster.get(DEPLOYMENTS, run.namespace, run.deployment)
    found = annotations.of(stable)
    outcome = annotations.status_line(
        run=run.name, phase=next_phase(run.phase, Event.FINISH), weight=0, verdict=run.verdict, reason=run.reason
    )
    taken = dict.fromkeys(consumed(found, run))
    annotate(cluster, stable, {**taken, annotations.STATUS: outcome})


def consumed(found: Mapping[str, str], run: Run) -> list[str]:
    """Name the annotations that this run has used up; a trigger that was changed in the meantime is a new wish."""
    spent = {annotations.IMAGE: run.trigger, annotations.ABORT: run.name, annotations.APPROVE: run.name}
    keys = [key for key, value in spent.items() if found.get(key) == value]
    return [*keys, annotations.REQUEST] if annotations.IMAGE in keys and annotations.REQUEST in found else keys


def annotate(cluster: Cluster, deployment: Document, changes: Mapping[str, str | None]) -> None:
    """Set annotations (None takes one away), guarded by the version that was read."""
    metadata = deployment["metadata"]
    patch = {"metadata": {"resourceVersion": metadata["resourceVersion"], "annotations": changes}}
    cluster.merge(DEPLOYMENTS, metadata["namespace"], metadata["name"], patch)


def set_status(cluster: Cluster, run: Run) -> None:
    """Write the run's phase, and what goes with it, as the status annotation."""
    line = annotations.status_line(
        run=run.name, phase=run.phase, weight=run.weight, verdict=run.verdict, reason=run.reason
    )
    patch = {"metadata": {"annotations": {annotations.STATUS: line}}}
    cluster.merge(DEPLOYMENTS, run.namespace, run.deployment, patch)


def _restored(live: Document, subject: Subject) -> Document:
    between = target(subject.run)
    snapshot = next(document for document in subject.snapshot if RouteRef.of(document) == RouteRef.of(live))
    weight = routing.canary_weight(live, between)
    written = routing.with_weight(snapshot, between, weight) if weight is not None else snapshot
    return routing.restored(live, snapshot, written, between)


def _create(cluster: Cluster, kind: Kind, run: Run, document: Document) -> None:
    try:
        cluster.create(kind, document)
    except Conflict:
        # An earlier pass made it, or somebody else has the name: theirs is not ours to use.
        if not _ours(cluster.find(kind, run.namespace, document["metadata"]["name"]), run):
            raise


def _delete(cluster: Cluster, kind: Kind, run: Run, name: str) -> None:
    if _ours(cluster.find(kind, run.namespace, name), run):
        cluster.delete(kind, run.namespace, name)


def _ours(document: Document | None, run: Run) -> bool:
    """Whether a document was made for this run's Deployment."""
    owners = document["metadata"].get("ownerReferences", []) if document is not None else []
    return any(owner["uid"] == run.uid for owner in owners)

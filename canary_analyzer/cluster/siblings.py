"""The Deployments and Services that a run makes beside stable: created, scaled, deleted."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from canary_analyzer import routing
from canary_analyzer.cluster import records
from canary_analyzer.cluster.cache import Version, version_of
from canary_analyzer.cluster.client import DEPLOYMENTS, DESTINATION_RULES, SERVICES, Cluster, Kind
from canary_analyzer.cluster.errors import ClusterError, Conflict
from canary_analyzer.rollout import sibling
from canary_analyzer.rollout.run import Run
from canary_analyzer.rollout.traces import Traces, target_of
from canary_analyzer.routing import Document, ServiceName


def create(cluster: Cluster, run: Run, replicas: int) -> None:
    """Make the siblings: first what routes to each, then its Deployment; the canary's comes last and says all is there.

    Raises:
        Conflict: somebody else has a name that we need.
    """
    stable = cluster.get(DEPLOYMENTS, run.namespace, run.stable)
    service = cluster.get(SERVICES, run.namespace, run.service)
    rules = cluster.list(DESTINATION_RULES, run.namespace).items
    for kind, document in documents(run, Originals(stable=stable, service=service, rules=rules), replicas):
        _create(cluster, kind, run, document)


@dataclass(frozen=True, kw_only=True)
class Originals:
    """What siblings are copies of."""

    stable: Document
    """The Deployment."""
    service: Document
    rules: Sequence[Document]
    """DestinationRules of the namespace."""


def documents(run: Run, of: Originals, replicas: int) -> Iterator[tuple[Kind, Document]]:
    """Yield what a run makes, in this order, each with its kind; every sibling is to have so many replicas."""
    if run.fresh is not None:
        label = sibling.LabelChange(key=run.label[0], value=run.fresh.label)
        fresh = sibling.Copy(name=run.fresh.name, images=run.stable_images, label=label, replicas=replicas)
        yield from _of_one(run, of, fresh, run.fresh.service)
    label = sibling.LabelChange(key=run.label[0], value=run.label[1])
    canary = sibling.Copy(name=run.canary, images=run.images, label=label, replicas=replicas)
    yield from _of_one(run, of, canary, run.canary_service)


def scale(cluster: Cluster, run: Run, replicas: int) -> None:
    """Give every sibling so many replicas, guarded by the version that was read."""
    for name in Traces.of(run).siblings:
        version = cluster.get(DEPLOYMENTS, run.namespace, name)["metadata"]["resourceVersion"]
        patch = {"metadata": {"resourceVersion": version}, "spec": {"replicas": replicas}}
        cluster.merge(DEPLOYMENTS, run.namespace, name, patch)


def delete(cluster: Cluster, traces: Traces, check: Callable[[], None] = lambda: None) -> None:
    """Delete the Deployments that were made for a run; their pods drain.

    Args:
        cluster: where.
        traces: of the run.
        check: asked before a Deployment that serves as long as we hold it; where it raises, that one goes on serving.
    """
    for name in traces.siblings:
        found = cluster.find(DEPLOYMENTS, traces.namespace, name)
        if found is not None and _ours(found, traces.uid):
            if _is_held(found):
                check()
            dispose(cluster, DEPLOYMENTS, found)


def delete_services(cluster: Cluster, traces: Traces) -> None:
    """Delete the Services and DestinationRules that were made for a run."""
    for name in traces.services:
        _delete(cluster, DESTINATION_RULES, traces, name)
        _delete(cluster, SERVICES, traces, name)


def _of_one(run: Run, of: Originals, copy: sibling.Copy, service: str) -> Iterator[tuple[Kind, Document]]:
    yield SERVICES, sibling.canary_service(of.service, copy.label, service, of.stable)
    rule = routing.canary_destination_rule(of.rules, replace(target_of(run), canary=service))
    if rule is not None:
        rule["metadata"]["ownerReferences"] = [sibling.owner_reference(of.stable)]
        yield DESTINATION_RULES, rule
    yield DEPLOYMENTS, sibling.sibling_deployment(of.stable, copy)


def _create(cluster: Cluster, kind: Kind, run: Run, document: Document) -> None:
    try:
        cluster.create(kind, document)
    except Conflict:
        # An earlier pass made it, or somebody else has the name: theirs is not ours to use.
        if not _ours(cluster.find(kind, run.namespace, document["metadata"]["name"]), run.uid):
            raise


Made = tuple[Kind, Document]
"""Something that a run has made."""


def abandoned(cluster: Cluster, namespace: str) -> list[Made]:
    """Return what runs have made and no run will delete, in the order in which it can go: there is no record of it.

    Records are read last: whatever was made for a run that has just begun has one by then.
    """
    kinds = (DEPLOYMENTS, SERVICES)
    made = [(kind, each) for kind in kinds for each in cluster.list(kind, namespace).items if _is_held(each)]
    if not made:
        return []
    active = {uid for record in records.documents(cluster, namespace) for uid in _owners(record)}
    left = [(kind, each) for kind, each in made if not active & _owners(each)]
    rules = [(DESTINATION_RULES, rule) for kind, each in left if kind == SERVICES for rule in _rules(cluster, each)]
    return [*rules, *left]


def unrouted(made: Sequence[Made], routed: Collection[ServiceName]) -> list[Made]:
    """Return what can go of what runs have made: nothing of a run to whose Services requests are sent."""
    serving = {whose for kind, each in made if kind == SERVICES and _name(each) in routed for whose in _whose(each)}
    return [(kind, each) for kind, each in made if not serving & _whose(each)]


def _name(service: Document) -> ServiceName:
    return ServiceName(service["metadata"]["name"], service["metadata"]["namespace"])


def condemn(cluster: Cluster, deployment: Document) -> Version:
    """Delete a Deployment that we hold, whose pods serve as long as we do; return its version from then on, 0: gone.

    Raises:
        ClusterError: it was read as it was before that.
    """
    metadata = deployment["metadata"]
    cluster.delete(DEPLOYMENTS, metadata["namespace"], metadata["name"], uid=metadata["uid"])
    left = cluster.find(DEPLOYMENTS, metadata["namespace"], metadata["name"])
    if left is not None and "deletionTimestamp" not in left["metadata"]:
        raise ClusterError(f"Deployment {metadata['namespace']}/{metadata['name']} was read as it was some time ago")
    return version_of(left)


def _rules(cluster: Cluster, service: Document) -> Iterator[Document]:
    """Yield the DestinationRule that was made with a Service."""
    metadata = service["metadata"]
    rule = _found(cluster, DESTINATION_RULES, metadata["namespace"], metadata["name"])
    if rule is not None and _whose(rule) & _whose(service):
        yield rule


def dispose(cluster: Cluster, kind: Kind, document: Document) -> None:
    """Delete what was made for a run, and hold it no longer; what is held is what a sweep finds, so that comes last.

    Raises:
        Conflict: somebody else wrote in between.
    """
    metadata = document["metadata"]
    cluster.delete(kind, metadata["namespace"], metadata["name"], uid=metadata["uid"])
    left = cluster.find(kind, metadata["namespace"], metadata["name"])
    if left is not None and "deletionTimestamp" in left["metadata"] and _is_held(left):
        cluster.patch(kind, metadata["namespace"], metadata["name"], routing.json_patch(left, sibling.released(left)))


def _found(cluster: Cluster, kind: Kind, namespace: str, name: str) -> Document | None:
    """Read what a run may have made; a cluster that knows no DestinationRules (another mesh) has none."""
    try:
        return cluster.find(kind, namespace, name)
    except ClusterError as error:
        if kind != DESTINATION_RULES or error.status != 404:
            raise
        return None


def _is_held(document: Document) -> bool:
    return sibling.FINALIZER in (document["metadata"].get("finalizers") or [])


def _delete(cluster: Cluster, kind: Kind, traces: Traces, name: str) -> None:
    found = _found(cluster, kind, traces.namespace, name)
    if found is not None and _ours(found, traces.uid):
        dispose(cluster, kind, found)


def _ours(document: Document | None, uid: str) -> bool:
    """Whether a document was made for the Deployment with this uid; what belongs to anything else is others' work.

    Whoever may write a route may forge a mark, which must not have an operator's Deployments deleted.
    """
    owners = (document["metadata"].get("ownerReferences") or []) if document is not None else []
    return any((owner["kind"], owner["uid"]) == ("Deployment", uid) for owner in owners)


def _owners(document: Document) -> set[str]:
    return {owner["uid"] for owner in document["metadata"].get("ownerReferences") or []}


def _whose(document: Document) -> set[str]:
    """Return who owns what a run made; of what was orphaned (`kubectl delete --cascade=orphan`), all in a namespace."""
    return _owners(document) or {document["metadata"]["namespace"]}

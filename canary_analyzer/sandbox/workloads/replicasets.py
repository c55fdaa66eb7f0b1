"""ReplicaSet: keep so many pods of one template, and say how many are ready."""

from collections.abc import Sequence
from datetime import datetime

from canary_analyzer.sandbox.client import PODS, REPLICASETS, Document
from canary_analyzer.sandbox.workloads import pods as podview
from canary_analyzer.sandbox.workloads.objects import controller_reference, selects, terminating
from canary_analyzer.sandbox.workloads.writes import Create, Write, delete, patch


def plan(replicaset: Document, pods: Sequence[Document], now: datetime) -> list[Write]:
    """Writes that bring the pods which the ReplicaSet controls to its number, and its status up to date."""
    replicas = [pod for pod in pods if podview.active(pod)]
    status = _status(replicaset, replicas, now)
    writes = [] if terminating(replicaset) else _scale(replicaset, replicas)
    known = replicaset.get("status") or {}
    # A count that has gone stays out of a comparison by `get`, as the API leaves out zeros.
    if any(known.get(name, 0) != value for name, value in status.items()):
        writes.append(patch(REPLICASETS, replicaset, {"status": status}, status=True))
    return writes


def _scale(replicaset: Document, replicas: Sequence[Document]) -> list[Write]:
    missing = replicaset["spec"].get("replicas", 1) - len(replicas)
    if missing >= 0:
        return [Create(resource=PODS, document=_pod(replicaset)) for _ in range(missing)]
    return [delete(PODS, pod) for pod in sorted(replicas, key=podview.deletion_order)[:-missing]]


def _pod(replicaset: Document) -> Document:
    template = replicaset["spec"]["template"]
    metadata = {
        "generateName": f"{replicaset['metadata']['name']}-",
        "namespace": replicaset["metadata"]["namespace"],
        "ownerReferences": [controller_reference(replicaset)],
    }
    inherited = {name: template.get("metadata", {}).get(name) for name in ("labels", "annotations")}
    metadata |= {name: value for name, value in inherited.items() if value}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}


def _status(replicaset: Document, replicas: Sequence[Document], now: datetime) -> Document:
    spec = replicaset["spec"]
    labels = spec["template"].get("metadata", {}).get("labels")
    return {
        "replicas": len(replicas),
        "fullyLabeledReplicas": sum(selects(labels, pod["metadata"].get("labels")) for pod in replicas),
        "readyReplicas": sum(podview.ready_since(pod) is not None for pod in replicas),
        "availableReplicas": sum(podview.available(pod, spec.get("minReadySeconds", 0), now) for pod in replicas),
        "observedGeneration": replicaset["metadata"].get("generation", 0),
    }

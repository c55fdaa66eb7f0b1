"""The scale subresource: autoscaling/v1 Scale as a view of a workload."""

from __future__ import annotations

from typing import Any

from canary_analyzer.sandbox.api.errors import Cause, bad_request, invalid
from canary_analyzer.sandbox.api.requests import Target

Document = dict[str, Any]

_SHARED = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")


def scale_of(target: Target, workload: Document) -> Document:
    """The Scale of a Deployment or ReplicaSet."""
    labels = (workload["spec"].get("selector") or {}).get("matchLabels") or {}
    metadata = {key: workload["metadata"][key] for key in _SHARED if key in workload["metadata"]}
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {**metadata, "namespace": target.namespace},
        "spec": {"replicas": workload["spec"].get("replicas", 0)},
        "status": {
            "replicas": (workload.get("status") or {}).get("replicas", 0),
            "selector": ",".join(f"{key}={value}" for key, value in sorted(labels.items())),
        },
    }


def scaled(workload: Document, scale: Document) -> Document:
    """The workload with the replicas of the Scale, and nothing else of it but its resourceVersion.

    Raises:
        ApiError: 400 or 422 for replicas that are no count.
    """
    replicas = (scale.get("spec") or {}).get("replicas", 0)
    if not isinstance(replicas, int):
        raise bad_request("json: cannot unmarshal into Go struct field ScaleSpec.spec.replicas of type int32")
    if replicas < 0:
        cause = Cause(
            field="spec.replicas",
            reason="FieldValueInvalid",
            message=f"Invalid value: {replicas}: must be greater than or equal to 0",
        )
        raise invalid("Scale", "autoscaling", workload["metadata"]["name"], [cause])
    version = (scale.get("metadata") or {}).get("resourceVersion") or workload["metadata"]["resourceVersion"]
    metadata = {**workload["metadata"], "resourceVersion": version}
    return {**workload, "metadata": metadata, "spec": {**workload["spec"], "replicas": replicas}}

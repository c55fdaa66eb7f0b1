"""HorizontalPodAutoscaler without metrics: somebody says how many replicas, the autoscaler keeps to its bounds.

Follows pkg/controller/podautoscaler/horizontal.go: no scaling of what has no replicas, and bounds before metrics.
"""

from collections.abc import Mapping

from canary_analyzer.sandbox.client import DEPLOYMENTS, HORIZONTALPODAUTOSCALERS, Document, Key
from canary_analyzer.sandbox.workloads.view import size
from canary_analyzer.sandbox.workloads.writes import Write, patch

# What real metrics would ask for; on the autoscaler.
DESIRED_REPLICAS = "sandbox.canary-analyzer.io/desired-replicas"


def plan(autoscaler: Document, deployments: Mapping[Key, Document]) -> list[Write]:
    """Writes that bring the autoscaler's Deployment to the number wished for, within the autoscaler's bounds."""
    metadata, spec = autoscaler["metadata"], autoscaler["spec"]
    target = spec["scaleTargetRef"]
    deployment = deployments.get((metadata["namespace"], target["name"])) if target["kind"] == "Deployment" else None
    if deployment is None or not size(deployment):
        return []
    wish = (metadata.get("annotations") or {}).get(DESIRED_REPLICAS, "")
    asked = int(wish) if wish.isdigit() else size(deployment)
    wanted = min(max(asked, spec.get("minReplicas", 1)), spec["maxReplicas"])
    writes: list[Write] = []
    if wanted != size(deployment):
        writes.append(patch(DEPLOYMENTS, deployment, {"spec": {"replicas": wanted}}))
    status = {"currentReplicas": (deployment.get("status") or {}).get("replicas", 0), "desiredReplicas": wanted}
    known = autoscaler.get("status") or {}
    if any(known.get(name) != value for name, value in status.items()):
        writes.append(patch(HORIZONTALPODAUTOSCALERS, autoscaler, {"status": status}, status=True))
    return writes

"""Pods that an earlier sandbox left in the API: they say that they are ready, but their processes have died with it."""

from datetime import UTC, datetime
from typing import Any

from canary_analyzer.sandbox.client import PODS, KubeClient

Document = dict[str, Any]


async def disown(client: KubeClient, node: str) -> None:
    """Say of every pod of this node that it is not ready; the node agent starts it again. Raises ApiError."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    message = "the sandbox that ran it has ended"
    condition = {"status": "False", "reason": "SandboxEnded", "message": message, "lastTransitionTime": now}
    conditions = [{"type": kind, **condition} for kind in ("Ready", "ContainersReady")]
    pods = await client.list(PODS, selectors={"fieldSelector": f"spec.nodeName={node}"})
    for metadata in (pod["metadata"] for pod in pods["items"]):
        patch = {"status": {"conditions": conditions}}
        await client.patch_status(PODS, metadata["namespace"], metadata["name"], patch)

"""The Node object: without one, a kube-controller-manager takes pods for lost and deletes them.

Source: https://kubernetes.io/docs/concepts/architecture/nodes/#node-heartbeats (by status; there are few nodes here).
"""

import asyncio
import logging
import os
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import aiohttp

from canary_analyzer.sandbox.client import NODES, ApiError, KubeClient

Document = dict[str, Any]
log = logging.getLogger(__name__)

# A node that is silent for 40 s counts as lost.
HEARTBEAT_SECONDS = 10.0
MOST_PODS = 250
_FAILURES = (ApiError, aiohttp.ClientError, TimeoutError)


async def keep_registered(client: KubeClient, name: str, port: int) -> None:
    """Register the node, whose logs are served at the port, and renew its heartbeat until cancelled; then delete it."""
    ready_since = _now()
    try:
        while True:
            try:
                await _beat(client, name, _status(ready_since, port))
            except _FAILURES as error:
                log.warning("heartbeat of node %s: %s", name, error)
            await asyncio.sleep(HEARTBEAT_SECONDS)
    finally:
        with suppress(*_FAILURES):
            await client.delete(NODES, "", name)


async def _beat(client: KubeClient, name: str, status: Document) -> None:
    try:
        await client.create(NODES, _node(name))
    except ApiError as error:
        if error.reason != "AlreadyExists":
            raise
    await client.patch_status(NODES, "", name, {"status": status})


def _node(name: str) -> Document:
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}}}


def _status(ready_since: str, port: int) -> Document:
    room = {"cpu": str(os.cpu_count()), "pods": str(MOST_PODS)}
    condition = {
        "type": "Ready",
        "status": "True",
        "reason": "SandboxReady",
        "message": "pods run as processes of this machine",
        "lastHeartbeatTime": _now(),
        "lastTransitionTime": ready_since,
    }
    return {
        "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
        "capacity": room,
        "allocatable": room,
        "conditions": [condition],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
    }


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

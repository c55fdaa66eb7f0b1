"""Warning Events about a pod, as a kubelet records them: the same one again only raises its count."""

import asyncio
import hashlib
import logging
import time
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import aiohttp

from canary_analyzer.sandbox.client import EVENTS, ApiError, KubeClient

Document = dict[str, Any]
log = logging.getLogger(__name__)

QUIET_SECONDS = 5.0
"""A warning is not written again before so long; what came meanwhile is counted."""


class Warnings:
    """Those of one pod; `warn` never waits, `run` writes."""

    def __init__(self, client: KubeClient, pod: Document) -> None:
        self._client, self._pod = client, pod
        self._waiting: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
        self._counts: Counter[tuple[str, str]] = Counter()
        self._written: dict[tuple[str, str], float] = {}

    def warn(self, reason: str, message: str) -> None:
        """Record one."""
        self._waiting.put_nowait((reason, message))

    async def run(self) -> None:
        """Write until cancelled; a warning that cannot be written is logged here."""
        while True:
            warning = await self._waiting.get()
            self._counts[warning] += 1
            if time.monotonic() - self._written.get(warning, -QUIET_SECONDS) < QUIET_SECONDS:
                continue
            try:
                await self._write(*warning)
            except (ApiError, aiohttp.ClientError, TimeoutError) as error:
                log.warning("event of pod %s: %s", self._pod["metadata"]["name"], error)
            self._written[warning] = time.monotonic()

    async def _write(self, reason: str, message: str) -> None:
        event = _event(self._pod, reason, message)
        metadata, count = event["metadata"], self._counts[reason, message]
        if (reason, message) not in self._written:
            await self._client.create(EVENTS, event)
            return
        newer = {"count": count, "lastTimestamp": event["lastTimestamp"]}
        await self._client.patch(EVENTS, metadata["namespace"], metadata["name"], newer)


def _event(pod: Document, reason: str, message: str) -> Document:
    metadata, now = pod["metadata"], datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    identity = hashlib.sha256(f"{metadata['uid']}{reason}{message}".encode()).hexdigest()[:16]
    about = {key: metadata[key] for key in ("name", "namespace", "uid")}
    return {
        "metadata": {"name": f"{metadata['name']}.{identity}", "namespace": metadata["namespace"]},
        "involvedObject": {"apiVersion": "v1", "kind": "Pod", **about},
        "type": "Warning",
        "reason": reason,
        "message": message,
        "source": {"component": "kubelet", "host": pod["spec"].get("nodeName", "")},
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
    }

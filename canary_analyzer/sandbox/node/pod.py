"""One pod: its containers, its status in the API, and its end."""

import asyncio
import logging
from datetime import UTC, datetime
from typing import Any

import aiohttp

from canary_analyzer.sandbox.client import PODS, ApiError, KubeClient
from canary_analyzer.sandbox.node.container import Container, Place, Reports
from canary_analyzer.sandbox.node.records import pod_status
from canary_analyzer.sandbox.node.warnings import Warnings
from canary_analyzer.sandbox.podnetwork import published

Document = dict[str, Any]
log = logging.getLogger(__name__)

# Between leaving the Endpoints and being told to stop: by then every proxy has heard of it.
DRAIN_SECONDS = 1.0
RETRY_SECONDS = 0.2


class Pod:
    """Runs one pod to its end; `observe` and `vanish` bring news from the API."""

    def __init__(self, client: KubeClient, document: Document, place: Place) -> None:
        self.address = place.address
        self._client = client
        self._document = document
        self._dirty = asyncio.Event()
        self._deleted = asyncio.Event()
        self._vanished = asyncio.Event()
        self._warnings = Warnings(client, document)
        self._containers = [
            Container(document, spec, place, Reports(changed=self._dirty.set, warn=self._warnings.warn))
            for spec in document["spec"]["containers"]
        ]

    @property
    def name(self) -> tuple[str, str]:
        """Its namespace and name."""
        return self._document["metadata"]["namespace"], self._document["metadata"]["name"]

    def observe(self, document: Document) -> None:
        """The API has another version."""
        self._document = document | {"status": self._document.get("status") or {}}
        if "deletionTimestamp" in document["metadata"]:
            self._deleted.set()

    def vanish(self) -> None:
        """The API has it no more: a forced deletion, nothing is to be waited for."""
        self._vanished.set()
        self._deleted.set()
        for container in self._containers:
            container.kill()

    async def run(self) -> None:
        """Start the containers, report, and take the pod away when it is deleted."""
        if not self._deleted.is_set():
            await self._live()
        if not self._vanished.is_set():
            await self._publish()
            await self._remove()

    async def _live(self) -> None:
        publishers = [asyncio.create_task(each) for each in (self._publish_changes(), self._warnings.run())]
        containers = [asyncio.create_task(container.run()) for container in self._containers]
        self._dirty.set()
        try:
            await self._deleted.wait()
            await self._terminate(containers)
        finally:
            for task in (*publishers, *containers):
                task.cancel()

    async def _terminate(self, containers: list[asyncio.Task[None]]) -> None:
        stopping = asyncio.create_task(self._stop())
        grace = self._document["metadata"].get("deletionGracePeriodSeconds", 30)
        # A forced deletion in the meantime ends the processes, and with them this wait.
        _, late = await asyncio.wait([stopping, *containers], timeout=grace)
        stopping.cancel()
        if late:
            for container in self._containers:
                container.kill()
            await asyncio.wait(containers)

    async def _stop(self) -> None:
        if not any(container.has_pre_stop for container in self._containers):
            await _wait(self._vanished, DRAIN_SECONDS)
        await asyncio.gather(*(container.stop() for container in self._containers))

    async def _publish_changes(self) -> None:
        while True:
            await self._dirty.wait()
            self._dirty.clear()
            await self._publish()

    async def _publish(self) -> None:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        records = [container.record for container in self._containers]
        status = pod_status(self._document, records, published(self.address), now)
        if status == self._document.get("status"):
            return
        metadata = self._document["metadata"]
        try:
            await self._client.patch_status(PODS, metadata["namespace"], metadata["name"], {"status": status})
        except ApiError as error:
            if error.status != 404:
                log.warning("status of pod %s/%s: %s", metadata["namespace"], metadata["name"], error)
        except (aiohttp.ClientError, TimeoutError):
            self._dirty.set()
            await asyncio.sleep(RETRY_SECONDS)
        else:
            self._document = self._document | {"status": status}

    async def _remove(self) -> None:
        metadata = self._document["metadata"]
        options = {"gracePeriodSeconds": 0, "preconditions": {"uid": metadata["uid"]}}
        while not self._vanished.is_set():
            try:
                await self._client.delete(PODS, metadata["namespace"], metadata["name"], options)
                return
            except ApiError as error:
                if error.status in (404, 409):
                    return
                log.warning("removal of pod %s/%s: %s", metadata["namespace"], metadata["name"], error)
            except (aiohttp.ClientError, TimeoutError):
                log.warning("removal of pod %s/%s: no answer", metadata["namespace"], metadata["name"])
            await asyncio.sleep(RETRY_SECONDS)


async def _wait(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return

"""The mesh agent: watches the cluster and keeps Envoy in step with it."""

import asyncio
import logging
from collections import deque

from canary_analyzer.sandbox.client import (
    DESTINATIONRULES,
    ENDPOINTS,
    GATEWAYS,
    PODS,
    SERVICES,
    VIRTUALSERVICES,
    KubeClient,
    Mirror,
)
from canary_analyzer.sandbox.mesh.envoy import Envoy, EnvoyError
from canary_analyzer.sandbox.mesh.translate import Snapshot, translate
from canary_analyzer.sandbox.mesh.world import World

DEBOUNCE_SECONDS = 0.01  # one rollout step writes several objects; one translation does for all
_KINDS = {
    "services": SERVICES,
    "endpoints": ENDPOINTS,
    "pods": PODS,
    "virtual_services": VIRTUALSERVICES,
    "destination_rules": DESTINATIONRULES,
    "gateways": GATEWAYS,
}
log = logging.getLogger(__name__)


class MeshAgent:
    """Feeds one Envoy from one API server.

    `delay_seconds` holds clusters and routes back, as a busy control plane does; it may be changed at any time.
    Endpoints are never held back: they are discovery, not configuration.
    """

    def __init__(self, client: KubeClient, proxy: Envoy) -> None:
        self.delay_seconds = 0.0
        self._proxy = proxy
        self._mirrors = {field: Mirror(client, resource) for field, resource in _KINDS.items()}
        self._changed = asyncio.Event()
        self._pending: deque[tuple[float, Snapshot]] = deque()
        self._added = asyncio.Event()

    async def run(self) -> None:
        """Keep Envoy in step until cancelled."""
        for mirror in self._mirrors.values():
            mirror.on_change(self._changed.set)
        async with asyncio.TaskGroup() as group:
            for mirror in self._mirrors.values():
                group.create_task(mirror.run())
            group.create_task(self._translate())
            group.create_task(self._deliver())

    async def _translate(self) -> None:
        # Half a picture would take clusters away that are in use.
        for mirror in self._mirrors.values():
            await mirror.synced()
        while True:
            await self._changed.wait()
            await asyncio.sleep(DEBOUNCE_SECONDS)
            self._changed.clear()
            try:
                snapshot = translate(self._world())
            except (KeyError, TypeError, ValueError, AttributeError):
                log.exception("the mesh keeps its last configuration: a document cannot be translated")
                continue
            self._proxy.publish_endpoints(snapshot.endpoints)
            self._pending.append((_now() + self.delay_seconds, snapshot))
            self._added.set()

    def _world(self) -> World:
        return World(**{field: tuple(mirror.objects.values()) for field, mirror in self._mirrors.items()})

    async def _deliver(self) -> None:
        while True:
            await self._added.wait()
            while self._pending:
                snapshot = await self._next_due()
                try:
                    await self._proxy.publish(snapshot.clusters, snapshot.routes)
                except EnvoyError as error:
                    log.error("the mesh keeps its last configuration: %s", error)
            self._added.clear()

    async def _next_due(self) -> Snapshot:
        """Wait until the oldest snapshot is due; of all that are due by then, only the newest counts."""
        due, snapshot = self._pending.popleft()
        await asyncio.sleep(max(0.0, due - _now()))
        while self._pending and self._pending[0][0] <= _now():
            _, snapshot = self._pending.popleft()
        return snapshot


def _now() -> float:
    return asyncio.get_running_loop().time()

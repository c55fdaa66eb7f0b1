"""The mesh agent: watches the cluster and keeps Envoy in step with it."""

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass
from random import Random

from canary_analyzer.sandbox.client import (
    API_GATEWAYS,
    DESTINATIONRULES,
    ENDPOINTS,
    GATEWAYS,
    HTTPROUTES,
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
    "http_routes": HTTPROUTES,
    "api_gateways": API_GATEWAYS,
}
log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Delay:
    """How late the mesh hears of a change: seconds from `least` to `most`, drawn anew for every change from `seed`.

    Raises:
        ValueError: These are no such seconds.
    """

    least: float = 0.0
    most: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        """A delay has a beginning and an end."""
        if not 0 <= self.least <= self.most < float("inf"):
            raise ValueError(f"seconds from {self.least} to {self.most} are no delay: give a number, or two as 0.1-10")


def parse_delay(text: str, seed: int = 0) -> Delay:
    """Read `2`, or `0.1-10` for another delay with every change; raises ValueError."""
    least, _, most = text.partition("-")
    return Delay(least=float(least), most=float(most or least), seed=seed)


class MeshAgent:
    """Feeds one Envoy from one API server; `problems` says what of the documents has no effect.

    Clusters and routes may be held back, as by a busy control plane, but never out of order: what is older than what is
    in force is dropped. Endpoints are never held back: they are discovery, not configuration.
    """

    def __init__(self, client: KubeClient, proxy: Envoy, delay: Delay) -> None:
        self.problems: tuple[str, ...] = ()
        self.delay = delay
        self._chance = Random(delay.seed)  # noqa: S311  (drawn again by whoever knows the seed)
        self._proxy = proxy
        self._mirrors = {field: Mirror(client, resource) for field, resource in _KINDS.items()}
        self._changed = asyncio.Event()
        self._pending: list[tuple[float, Snapshot]] = []
        self._latest: Snapshot | None = None
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

    def set_delay(self, delay: Delay) -> None:
        """From the next change on; the seed begins anew."""
        self.delay = delay
        self._chance = Random(delay.seed)  # noqa: S311  (drawn again by whoever knows the seed)

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
            self._report(snapshot.problems)
            self._proxy.publish_endpoints(snapshot.endpoints)
            self._hold_back(snapshot)

    def _report(self, problems: tuple[str, ...]) -> None:
        for problem in problems:
            if problem not in self.problems:
                log.warning("%s", problem)
        self.problems = problems

    def _hold_back(self, snapshot: Snapshot) -> None:
        last, self._latest = self._latest, snapshot
        if last and (last.clusters, last.routes) == (snapshot.clusters, snapshot.routes):
            return  # endpoints changed, not the configuration
        seconds = self._chance.uniform(self.delay.least, self.delay.most)
        self._pending.append((_now() + seconds, snapshot))
        self._added.set()

    def _world(self) -> World:
        return World(**{field: tuple(mirror.objects.values()) for field, mirror in self._mirrors.items()})

    async def _deliver(self) -> None:
        while True:
            snapshot = await self._next_due()
            try:
                await self._proxy.publish(snapshot.clusters, snapshot.routes)
            except EnvoyError as error:
                log.error("the mesh keeps its last configuration: %s", error)

    async def _next_due(self) -> Snapshot:
        """Wait until a snapshot is due; of all that are due by then, only the newest counts."""
        while True:
            ready = [index for index, (due, _) in enumerate(self._pending) if due <= _now()]
            if ready:
                _, snapshot = self._pending[ready[-1]]
                del self._pending[: ready[-1] + 1]
                return snapshot
            first = min((due for due, _ in self._pending), default=None)
            self._added.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout_at(first):
                    await self._added.wait()


def _now() -> float:
    return asyncio.get_running_loop().time()

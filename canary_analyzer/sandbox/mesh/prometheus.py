"""A Prometheus process that can be stopped and started again with the same address and data."""

import asyncio
import json
import logging
import shutil
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self

import aiohttp
import yaml

from canary_analyzer.sandbox.mesh import processes
from canary_analyzer.sandbox.mesh.dialects import DIALECTS, Metrics
from canary_analyzer.sandbox.mesh.telemetry import OTHER_TARGETS, prometheus_config

START_SECONDS = 20.0
POLL_SECONDS = 0.02
LOOK_SECONDS = 0.5
ATTEMPTS = 5

log = logging.getLogger(__name__)


class PrometheusError(Exception):
    """Prometheus is not installed or did not start; the message says which and what to do."""


class Prometheus:
    """A server that scrapes one Envoy; `url` stays the same over a stop and a start."""

    def __init__(self, folder: Path, http: aiohttp.ClientSession) -> None:
        self.url = ""
        self._program = program()
        self._folder = folder
        self._http = http
        self._process: asyncio.subprocess.Process | None = None

    @classmethod
    @asynccontextmanager
    async def running(
        cls, folder: Path, http: aiohttp.ClientSession, envoy_admin: str, metrics: Metrics
    ) -> AsyncIterator[Self]:
        """A server with its data in `folder`, for as long as the block lasts; raises PrometheusError."""
        server = cls(folder, http)
        folder.mkdir(parents=True)
        (folder / "prometheus.yml").write_text(yaml.safe_dump(prometheus_config(envoy_admin, DIALECTS[metrics])))
        await server._start_on_free_port()
        try:
            yield server
        finally:
            await server.stop()

    async def start(self) -> None:
        """Start and wait until it answers queries; nothing when it runs. Raises PrometheusError."""
        if self._process is not None:
            return
        self._process = await processes.spawn(self._command(), self._folder, self._log)
        try:
            async with asyncio.timeout(START_SECONDS):
                while not await self._is_ready():
                    await asyncio.sleep(POLL_SECONDS)
        except BaseException:
            await self.stop()
            raise

    async def keep_running(self) -> None:
        """Start it again whenever it has ended by itself, until cancelled; raises PrometheusError when it does not."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if self._process is not None and self._process.returncode is not None:
                log.warning("Prometheus ended with code %d and is started again", self._process.returncode)
                self._process = None
                await self.start()

    async def stop(self) -> None:
        """Stop as on a normal shutdown; nothing when it does not run."""
        process, self._process = self._process, None
        if process is not None:
            await processes.stop(process)

    def scrape(self, targets: Sequence[str]) -> None:
        """Scrape these too from now on (`host:port` each, path `/metrics`), instead of those given before."""
        file = self._folder / OTHER_TARGETS
        draft = file.with_suffix(".draft")
        draft.write_text(json.dumps([{"targets": list(targets)}]))
        draft.replace(file)  # at once: Prometheus watches the file

    @property
    def _log(self) -> Path:
        return self._folder / "prometheus.log"

    async def _start_on_free_port(self) -> None:
        """Prometheus cannot say which port it took, so a port is proposed; somebody may be faster."""
        for attempt in range(1, ATTEMPTS + 1):
            self.url = f"http://127.0.0.1:{_free_port()}"
            try:
                await self.start()
            except (PrometheusError, TimeoutError) as error:
                if attempt == ATTEMPTS:
                    raise PrometheusError(f"Prometheus did not start: {error}") from error
            else:
                return

    async def _is_ready(self) -> bool:
        if self._process is None or self._process.returncode is not None:
            raise PrometheusError(f"it ended at its start:\n{processes.last_lines(self._log)}")
        try:
            async with self._http.get(f"{self.url}/-/ready") as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False

    def _command(self) -> list[str]:
        return [
            self._program,
            "--config.file=prometheus.yml",
            "--storage.tsdb.path=data",
            f"--web.listen-address={self.url.removeprefix('http://')}",
            "--log.level=warn",
        ]


def program() -> str:
    """Path of the prometheus program: on PATH, or beside the Python that runs this; raises PrometheusError."""
    beside = Path(sys.executable).with_name("prometheus")
    found = shutil.which("prometheus") or (str(beside) if beside.exists() else None)
    if found is None:
        raise PrometheusError(
            f"prometheus: not found on PATH nor at {beside}: run `make setup`, or install Prometheus 2.40 or newer"
        )
    return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

"""One container of a pod: start, probe, restart with back-off, stop."""

import asyncio
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp

from canary_analyzer.sandbox.images import Images
from canary_analyzer.sandbox.node import probes
from canary_analyzer.sandbox.node.launch import ConfigurationError, Launch, launch
from canary_analyzer.sandbox.node.logs import log_file
from canary_analyzer.sandbox.node.process import Process, tail
from canary_analyzer.sandbox.node.records import Record, Running, Terminated, Waiting, Why

Document = dict[str, Any]

FIRST_BACK_OFF_SECONDS, LONGEST_BACK_OFF_SECONDS = 1.0, 10.0
# A process that has lived this long is not in a crash loop.
HEALTHY_SECONDS = 30.0
PULL_BACK_OFF_AFTER_SECONDS = 1.0
CANNOT_RUN_CODE = 128


@dataclass(frozen=True, kw_only=True)
class Place:
    """What a node gives to a container: images, the pod's address, a directory for logs, a mark for the environment."""

    images: Images
    address: str
    directory: Path
    mark: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Reports:
    """Whom a container tells: that its record has changed, and what is worth a warning (reason and message)."""

    changed: Callable[[], None]
    warn: Callable[[str, str], None]


def back_off_seconds(failures: int) -> float:
    """How long to wait after so many failures in a row: one second, doubling up to ten."""
    return float(min(LONGEST_BACK_OFF_SECONDS, FIRST_BACK_OFF_SECONDS * 2 ** (failures - 1)))


def restarts(policy: str, exit_code: int) -> bool:
    """Whether a pod's restartPolicy starts a container again."""
    return policy == "Always" or (policy == "OnFailure" and exit_code != 0)


class Container:
    """Runs until its policy or `stop` ends it; `record` is its state."""

    def __init__(self, pod: Document, spec: Document, place: Place, reports: Reports) -> None:
        self.record = Record(name=spec["name"], image=spec["image"])
        self._pod, self._spec, self._place, self._reports = pod, spec, place, reports
        self._log = log_file(place.directory, pod["metadata"]["uid"], spec["name"])
        self._process: Process | None = None
        self._environment: dict[str, str] = {}
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Start, and start again, until there is nothing more to do."""
        try:
            prepared = await self._prepare()
        except ConfigurationError as error:
            self._change(state=Waiting(reason=Why.CONFIGURATION, message=str(error)))
            self._reports.warn("Failed", f"Error: {error}")
            return
        if prepared is None:
            return
        failures, policy = 0, self._pod["spec"].get("restartPolicy", "Always")
        while True:
            began = time.monotonic()
            ended = await self._once(prepared)
            self._change(state=ended, ready=False, started=False)
            if self._stopping.is_set() or not restarts(policy, ended.exit_code):
                return
            failures = 1 if time.monotonic() - began > HEALTHY_SECONDS else failures + 1
            if await self._backs_off(ended, back_off_seconds(failures)):
                return

    async def stop(self) -> None:
        """Run the preStop hook if there is one, then ask the process to end; it is not started again."""
        self._stopping.set()
        await self._pre_stop()
        if self._process:
            self._process.terminate()

    @property
    def has_pre_stop(self) -> bool:
        """Whether the container wants to do something before it is told to end."""
        return bool((self._spec.get("lifecycle") or {}).get("preStop"))

    def kill(self) -> None:
        """End it at once."""
        self._stopping.set()
        if self._process:
            self._process.kill()

    async def _prepare(self) -> Launch | None:
        image = self._place.images.get(self.record.image)
        if image is None:
            await self._cannot_pull()
            return None
        prepared = launch(self._pod, self._spec, image, self._place.address)
        self._environment = {**os.environ, **prepared.environment, **self._place.mark}
        for kind in ("startupProbe", "livenessProbe", "readinessProbe"):
            self._probe(kind)
        return prepared

    async def _cannot_pull(self) -> None:
        known = ", ".join(sorted(self._place.images))
        message = f'image "{self.record.image}" is not among the sandbox\'s images: {known}'
        self._change(state=Waiting(reason=Why.PULL, message=message))
        self._reports.warn("Failed", message)
        await asyncio.sleep(PULL_BACK_OFF_AFTER_SECONDS)
        self._change(state=Waiting(reason=Why.PULL_BACK_OFF, message=f"Back-off pulling image: {message}"))

    async def _once(self, prepared: Launch) -> Terminated:
        started = _now()
        try:
            self._process = await Process.start(prepared.command, self._environment, self._log)
        except OSError as error:
            return _terminated(CANNOT_RUN_CODE, started, str(error))
        if self._stopping.is_set():
            self._process.kill()
        self._change(state=Running(started=started))
        watch = asyncio.create_task(self._watch())
        try:
            code = await self._process.ended()
        finally:
            watch.cancel()
        wants_log = self._spec.get("terminationMessagePolicy") == "FallbackToLogsOnError"
        return _terminated(code, started, tail(self._log) if code and wants_log else "")

    async def _backs_off(self, ended: Terminated, seconds: float) -> bool:
        """Wait before the next start; True when told to stop meanwhile."""
        name, pod = self.record.name, self._pod["metadata"]
        message = f"back-off {seconds:g}s restarting failed container={name} pod={pod['name']}_{pod['namespace']}"
        self._change(state=Waiting(reason=Why.CRASH_LOOP, message=message), last=ended)
        self._reports.warn("BackOff", f"Back-off restarting failed container {name} in pod {pod['name']}")
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            self._change(restarts=self.record.restarts + 1)
            return False
        return True

    async def _watch(self) -> None:
        if startup := self._probe("startupProbe"):
            async for passed in probes.outcomes(startup, self._check):
                if passed:
                    break
                await self._fail()
        self._change(started=True)
        await asyncio.gather(self._watch_readiness(), self._watch_liveness())

    async def _watch_readiness(self) -> None:
        probe = self._probe("readinessProbe")
        if probe is None:
            self._change(ready=True)
            return
        async for passed in probes.outcomes(probe, self._check):
            self._change(ready=passed)
            if not passed:
                self._reports.warn("Unhealthy", f"Readiness probe of container {self.record.name} failed")

    async def _watch_liveness(self) -> None:
        if probe := self._probe("livenessProbe"):
            async for alive in probes.outcomes(probe, self._check):
                if not alive and not self._stopping.is_set():
                    self._reports.warn("Unhealthy", f"Liveness probe of container {self.record.name} failed")
                    await self._fail()

    async def _fail(self) -> None:
        """End a process that its probes have given up; the end cancels the task that runs this."""
        assert self._process
        self._process.terminate()
        await asyncio.sleep(self._pod["spec"].get("terminationGracePeriodSeconds", 30))
        self._process.kill()

    def _probe(self, kind: str) -> probes.Probe | None:
        document = self._spec.get(kind)
        if not document:
            return None
        impatient = kind == "readinessProbe"
        return probes.parse(document, self._spec, self._place.address, impatient=impatient)

    async def _check(self, action: probes.Action) -> bool:
        return await probes.perform(action, self._environment)

    async def _pre_stop(self) -> None:
        hook = (self._spec.get("lifecycle") or {}).get("preStop") or {}
        if "sleep" in hook:
            await asyncio.sleep(hook["sleep"]["seconds"])
        elif hook:
            await self._hook(hook)

    async def _hook(self, hook: Document) -> None:
        try:
            await self._check(probes.parse_action(hook, self._spec, self._place.address))
        except (OSError, aiohttp.ClientError, ConfigurationError):
            # As with a kubelet: a hook that fails does not keep the container alive.
            return

    def _change(self, **fields: Any) -> None:
        changed = replace(self.record, **fields)
        if changed != self.record:
            self.record = changed
            self._reports.changed()


def _terminated(code: int, started: str, message: str) -> Terminated:
    reason = Why.CANNOT_RUN if code == CANNOT_RUN_CODE else Why.ERROR if code else Why.COMPLETED
    return Terminated(exit_code=code, reason=reason, started=started, finished=_now(), message=message)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

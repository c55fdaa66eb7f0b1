"""Probes: what to ask a container, how often, and how many answers in a row decide.

Source: https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp

from canary_analyzer.sandbox.node.launch import ConfigurationError

Document = dict[str, Any]
# A probe that has never succeeded is asked more often than its period says: pods of a sandbox start within a second.
IMPATIENT_SECONDS = 0.2


@dataclass(frozen=True, kw_only=True)
class HttpGet:
    """Success is a status from 200 to 399."""

    url: str
    headers: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class TcpSocket:
    """Success is an accepted connection."""

    host: str
    port: int


@dataclass(frozen=True, kw_only=True)
class Exec:
    """Success is exit code 0."""

    command: tuple[str, ...]


Action = HttpGet | TcpSocket | Exec
Check = Callable[[Action], Awaitable[bool]]


@dataclass(frozen=True, kw_only=True)
class Probe:
    """An action and its rhythm, in seconds; `impatient` probes do not wait a whole period for their first success."""

    action: Action
    initial_delay: float = 0.0
    period: float = 10.0
    timeout: float = 1.0
    success_threshold: int = 1
    failure_threshold: int = 3
    impatient: bool = False


@dataclass(frozen=True, kw_only=True)
class Streak:
    """The latest outcome, and how many times in a row it has come."""

    outcome: bool | None = None
    length: int = 0

    def after(self, outcome: bool) -> "Streak":
        """The streak with one more outcome."""
        return Streak(outcome=outcome, length=self.length + 1 if outcome == self.outcome else 1)

    def decides(self, probe: Probe) -> bool:
        """Whether the outcome has come often enough to count."""
        return self.length >= (probe.success_threshold if self.outcome else probe.failure_threshold)


def parse(document: Document, container: Document, address: str, *, impatient: bool = False) -> Probe:
    """Read a probe of a pod's spec.

    Raises:
        ConfigurationError: the probe is of a kind that a sandbox node cannot do, or names an unknown port.
    """
    return Probe(
        action=parse_action(document, container, address),
        initial_delay=document.get("initialDelaySeconds", 0),
        period=document.get("periodSeconds", 10),
        timeout=document.get("timeoutSeconds", 1),
        success_threshold=document.get("successThreshold", 1),
        failure_threshold=document.get("failureThreshold", 3),
        impatient=impatient,
    )


def parse_action(document: Document, container: Document, address: str) -> Action:
    """Read the action of a probe or of a lifecycle hook; raises ConfigurationError as `parse` does."""
    if get := document.get("httpGet"):
        scheme, host = get.get("scheme", "HTTP").lower(), get.get("host", address)
        path = "/" + get.get("path", "/").lstrip("/")
        headers = {each["name"]: each["value"] for each in get.get("httpHeaders") or ()}
        return HttpGet(url=f"{scheme}://{host}:{_port(get['port'], container)}{path}", headers=headers)
    if tcp := document.get("tcpSocket"):
        return TcpSocket(host=tcp.get("host", address), port=_port(tcp["port"], container))
    if execution := document.get("exec"):
        return Exec(command=tuple(execution["command"]))
    raise ConfigurationError(f"container {container['name']}: only httpGet, tcpSocket and exec work in the sandbox")


def _port(port: int | str, container: Document) -> int:
    if isinstance(port, int) or port.isdigit():
        return int(port)
    for each in container.get("ports") or ():
        if each.get("name") == port:
            return int(each["containerPort"])
    raise ConfigurationError(f"container {container['name']} has no port named {port!r}")


async def outcomes(probe: Probe, check: Check) -> AsyncIterator[bool]:
    """Ask for ever; yields whenever so many answers in a row agree that they count."""
    await asyncio.sleep(probe.initial_delay)
    streak, ever = Streak(), not probe.impatient
    while True:
        streak = streak.after(await _ask(probe, check))
        ever = ever or streak.outcome is True
        if streak.decides(probe):
            yield bool(streak.outcome)
        await asyncio.sleep(probe.period if ever else min(probe.period, IMPATIENT_SECONDS))


async def _ask(probe: Probe, check: Check) -> bool:
    try:
        async with asyncio.timeout(probe.timeout):
            return await check(probe.action)
    except (TimeoutError, OSError, aiohttp.ClientError):
        return False


async def perform(action: Action, environment: Mapping[str, str]) -> bool:
    """Do it once; `environment` is that of the container, for commands.

    Raises:
        OSError, aiohttp.ClientError: nobody answers.
    """
    match action:
        case HttpGet():
            # No connection is kept: a probe shall see whether new ones are accepted.
            async with (
                aiohttp.ClientSession() as session,
                session.get(action.url, headers=action.headers, ssl=False) as response,
            ):
                return response.status < 400
        case TcpSocket():
            _, writer = await asyncio.open_connection(action.host, action.port)
            writer.close()
            return True
        case Exec():
            return await _execute(action.command, environment)


async def _execute(command: Sequence[str], environment: Mapping[str, str]) -> bool:
    quiet = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(*command, env=environment, stdin=quiet, stdout=quiet, stderr=quiet)
    try:
        return await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()

"""Sandbox and service as two processes, with their logs."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

CLI = (sys.executable, "-m", "canary_analyzer.cli")
POLL_SECONDS = 0.1
STOP_SECONDS = 20


class DemoFailed(Exception):
    """The demo cannot go on; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Started:
    """A running process: its name for people, its handle, where its standard output and its log go."""

    name: str
    process: asyncio.subprocess.Process
    output: Path
    log: Path

    def must_live(self) -> None:
        """Raise DemoFailed if it has ended."""
        if self.process.returncode is not None:
            raise DemoFailed(f"the {self.name} ended with code {self.process.returncode}")


@asynccontextmanager
async def started(name: str, command: Sequence[str], folder: Path) -> AsyncIterator[Started]:
    """Run a command until the block ends; it is asked to end (SIGTERM) and, if it does not, killed.

    The process gets a session of its own: Ctrl-C is for the demo, which then ends its processes in order.
    """
    output, log = folder / f"{name}.out", folder / f"{name}.log"
    with output.open("wb") as out, log.open("wb") as err:
        process = await asyncio.create_subprocess_exec(*command, stdout=out, stderr=err, start_new_session=True)
    try:
        yield Started(name=name, process=process, output=output, log=log)
    finally:
        await _stop(process)


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


async def first_line(process: Started, seconds: float) -> Mapping[str, str]:
    """Return the JSON of the first line on standard output.

    Raises:
        DemoFailed: There is none after `seconds`, it is not JSON, or the process ended.
    """
    try:
        async with asyncio.timeout(seconds):
            while "\n" not in (text := process.output.read_text()):
                process.must_live()
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError:
        raise DemoFailed(f"the {process.name} was not ready after {seconds:.0f} s") from None
    line = text.splitlines()[0]
    try:
        fields: Mapping[str, str] = json.loads(line)
    except ValueError as error:
        raise DemoFailed(f"the {process.name} said {line!r} where JSON was expected") from error
    return fields


async def answers(process: Started, http: aiohttp.ClientSession, url: str, seconds: float) -> None:
    """Return as soon as `url` answers 200.

    Raises:
        DemoFailed: It has not after `seconds`, or the process ended.
    """
    try:
        async with asyncio.timeout(seconds):
            while not await _ok(http, url):
                process.must_live()
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError:
        raise DemoFailed(f"the {process.name} was not ready after {seconds:.0f} s: {url} does not answer 200") from None


async def _ok(http: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with http.get(url) as response:
            return response.ok
    except aiohttp.ClientError:
        return False


def free_port() -> int:
    """Return a TCP port on which nobody listens at the moment."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def tail(file: Path, lines: int = 25) -> str:
    """Return the last lines of a log, or nothing where there is none."""
    return "\n".join(file.read_text(errors="replace").splitlines()[-lines:]) if file.exists() else ""

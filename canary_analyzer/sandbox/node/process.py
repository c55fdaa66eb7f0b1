"""One operating system process with its log file."""

import asyncio
import os
import signal
from collections.abc import Mapping
from pathlib import Path

from canary_analyzer.sandbox.node.logs import previous

TAIL_BYTES = 2048


class Process:
    """A started process; it leads a session, so that its descendants can be killed with it."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self._process = process
        self._log = log

    @classmethod
    async def start(cls, command: tuple[str, ...], environment: Mapping[str, str], log: Path) -> "Process":
        """Start; the log begins anew, the one before is kept.

        Raises:
            OSError: there is no such program, or it may not be executed.
        """
        if log.exists():
            log.replace(previous(log))
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *command,
                env=environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        return cls(process, log)

    async def ended(self) -> int:
        """Wait for the end: exit code, or 128 + n for signal n. What it started ends with it."""
        code = await self._process.wait()
        self.kill()
        return 128 - code if code < 0 else code

    def terminate(self) -> None:
        """Ask it to end."""
        if self._process.returncode is None:
            self._process.terminate()

    def kill(self) -> None:
        """End it, and all of its session."""
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            return


def tail(log: Path) -> str:
    """The end of a log, at most 2 KiB: what a kubelet puts into a termination message."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - TAIL_BYTES))
        return file.read().decode(errors="replace").strip()

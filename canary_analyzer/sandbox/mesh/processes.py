"""Processes that do not outlive the sandbox, however it ends."""

import asyncio
import ctypes
import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1
STOP_SECONDS = 5.0


def dying_with(parent: int) -> Callable[[], None]:
    """What a child calls before it becomes another program, so that the kernel kills it when `parent` dies."""

    def prepare() -> None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the kernel knew of our wish
            os.kill(os.getpid(), signal.SIGKILL)

    return prepare


async def spawn(command: Sequence[str], folder: Path, log: Path) -> asyncio.subprocess.Process:
    """Start a program in `folder`, both outputs appended to `log`, in a session of its own (Ctrl-C is not for it)."""
    with log.open("ab") as output:
        return await asyncio.create_subprocess_exec(
            *command,
            cwd=folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            preexec_fn=dying_with(os.getpid()),
        )


async def ended(process: asyncio.subprocess.Process, what: str, log: Path) -> None:
    """Wait for a program that is to run as long as the sandbox; raises OSError when it has ended."""
    code = await process.wait()
    raise OSError(f"{what} ended with code {code}, so the sandbox ends too; the end of its log:\n{last_lines(log)}")


async def stop(process: asyncio.subprocess.Process) -> None:
    """Ask a program to end, and kill it when it does not."""
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


def last_lines(log: Path, count: int = 5) -> str:
    """The end of a log, for an error message."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-count:]) if log.exists() else ""

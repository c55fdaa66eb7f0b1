"""Leave nothing behind: a small process outlives its owner by a moment, kills what it started and removes its files.

Every process of the sandbox carries a mark in its environment, and so do its descendants. The reaper holds the reading
end of a pipe whose writing end only its owner has: when the owner ends, also by SIGKILL, the pipe closes.
"""

import asyncio
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Self

MARK = "CANARY_ANALYZER_SANDBOX"
PAUSE_SECONDS = 0.02
# A child forked a moment before its owner died shows the mark only after its exec.
QUIET_ROUNDS = 5


class Reaper:
    """Owner's side: an async context manager with a scratch directory and a mark for the environment of children."""

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="canary-analyzer-"))
        self._token = secrets.token_hex(16)
        # A session of its own: Ctrl-C in a terminal goes to the whole foreground group. `-I` and `-S` make it light.
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__, self._token, str(self.directory)],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )

    @property
    def mark(self) -> Mapping[str, str]:
        """Variables that every child must have in its environment."""
        return {MARK: self._token}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Kill what is left and remove the directory; both are done when this returns."""
        assert self._process.stdin
        self._process.stdin.close()
        await asyncio.to_thread(self._process.wait)


def marked(token: str) -> Iterator[int]:
    """Process ids whose environment carries the mark (Linux: /proc)."""
    wanted = f"{MARK}={token}".encode()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            environment = (entry / "environ").read_bytes()
        except OSError:
            continue
        if wanted in environment.split(b"\0"):
            yield int(entry.name)


def kill_marked(token: str) -> None:
    """Kill until no marked process has been seen for a while."""
    quiet = 0
    while quiet < QUIET_ROUNDS:
        found = list(marked(token))
        for pid in found:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        quiet = 0 if found else quiet + 1
        time.sleep(PAUSE_SECONDS)


def main(token: str, directory: str) -> None:
    """Wait for the owner's end, then clean up."""
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    sys.stdin.buffer.read()
    kill_marked(token)
    shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main(*sys.argv[1:])

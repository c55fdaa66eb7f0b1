"""Leave nothing behind: a small process outlives its owner by a moment, kills what it started and removes its files.

Every process of the sandbox carries a mark in its environment, and so do its descendants. The small process (`reap.py`)
holds the reading end of a pipe whose writing end only its owner has: when the owner ends, also by SIGKILL, it closes.
"""

import asyncio
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from canary_analyzer.sandbox.node import reap


class Reaper:
    """Owner's side: an async context manager with a scratch directory and a mark for the environment of children."""

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="canary-analyzer-"))
        self._token = secrets.token_hex(16)
        # A session of its own: Ctrl-C in a terminal goes to the whole foreground group. `-I` and `-S` make it light.
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", reap.__file__, self._token, str(self.directory)],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )

    @property
    def mark(self) -> Mapping[str, str]:
        """Variables that every child must have in its environment."""
        return {reap.MARK: self._token}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Kill what is left and remove the directory; both are done when this returns."""
        assert self._process.stdin
        self._process.stdin.close()
        await asyncio.to_thread(self._process.wait)

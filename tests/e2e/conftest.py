"""A whole sandbox as a user starts it."""

import json
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest

READY_SECONDS = 60
STOP_SECONDS = 30
Addresses = dict[str, str]
Started = tuple[subprocess.Popen[bytes], Addresses]


@contextmanager
def _sandbox(load: float, *options: str) -> Iterator[Started]:
    command = [sys.executable, "-m", "canary_analyzer.cli", "sandbox", "up", "--json", "--load", str(load), *options]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, start_new_session=True)
        try:
            yield process, json.loads(_first_line(process, log))
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(STOP_SECONDS)


def _first_line(process: subprocess.Popen[bytes], log: Any) -> bytes:
    assert process.stdout
    ready, _, _ = select.select([process.stdout], [], [], READY_SECONDS)
    line = process.stdout.readline() if ready else b""
    log.seek(0)
    assert line, f"the sandbox did not come up:\n{log.read().decode()}"
    return line


@pytest.fixture(scope="session")
def start_sandbox() -> Callable[..., AbstractContextManager[Started]]:
    """Start a sandbox of one's own with so many requests per second and options: its process and addresses."""
    return _sandbox


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Addresses]:
    """The addresses of a sandbox with 100 requests per second that all tests share: leave it as you found it."""
    with _sandbox(load=100) as (_, addresses):
        yield addresses

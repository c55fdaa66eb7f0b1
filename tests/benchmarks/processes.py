"""Commands of ours as processes that can be killed and started again."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

POLL_SECONDS, STOP_SECONDS = 0.1, 30


class Program:
    """`canary-analyzer ...`, up when it has written a line with `says`; its log grows with each start."""

    def __init__(self, arguments: Sequence[str], log: Path, says: str) -> None:
        self.log = log
        self._arguments, self._says = arguments, says
        self._running: subprocess.Popen[bytes] | None = None

    def start(self) -> str:
        """Start, and return the line that says that it is up."""
        began = self.log.stat().st_size if self.log.exists() else 0
        command = [sys.executable, "-m", "canary_analyzer.cli", *self._arguments]
        with self.log.open("ab") as output:
            self._running = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
        while not (lines := [line for line in self.log.read_text()[began:].splitlines() if self._says in line]):
            if self._running.poll() is not None:
                raise SystemExit(f"{' '.join(self._arguments)} did not come up:\n{self.log.read_text()[began:]}")
            time.sleep(POLL_SECONDS)
        return lines[0]

    def kill(self) -> None:
        """End it as a crash does."""
        if self._running is not None:
            self._running.kill()
            self._running.wait()
            self._running = None

    def stop(self) -> None:
        """End it as an administrator does; one that does not run stays as it is."""
        if self._running is not None:
            self._running.send_signal(signal.SIGTERM)
            self._running.wait(STOP_SECONDS)
            self._running = None


@contextmanager
def process(arguments: Sequence[str], log: Path, says: str) -> Iterator[str]:
    """Run a command of ours until the end of the block; gives the line with which it says that it is up."""
    program = Program(arguments, log, says)
    try:
        yield program.start()
    finally:
        program.stop()

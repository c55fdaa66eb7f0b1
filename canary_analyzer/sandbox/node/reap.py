"""Wait for the end of the owner, then kill every process that carries its mark and remove its directory.

Run as a script by `reaper`; it imports little, for it stays in memory. Linux only: it reads /proc.
"""

import os
import shutil
import signal
import sys
import time

MARK = "CANARY_ANALYZER_SANDBOX"
PAUSE_SECONDS = 0.02
# A child forked a moment before its owner died shows the mark only after its exec.
QUIET_ROUNDS = 5


def marked(token: str) -> list[int]:
    """Process ids whose environment carries the mark."""
    wanted = f"{MARK}={token}".encode()
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and wanted in _environment(name)]


def _environment(pid: str) -> list[bytes]:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return file.read().split(b"\0")
    except OSError:
        return []


def kill_marked(token: str) -> None:
    """Kill until no marked process has been seen for a while."""
    quiet = 0
    while quiet < QUIET_ROUNDS:
        found = marked(token)
        for pid in found:
            _kill(pid)
        quiet = 0 if found else quiet + 1
        time.sleep(PAUSE_SECONDS)


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def main(token: str, directory: str) -> None:
    """Clean up when standard input ends."""
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    sys.stdin.buffer.read()
    kill_marked(token)
    shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main(*sys.argv[1:])

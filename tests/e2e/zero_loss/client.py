"""One steady client of one app: what became of its requests."""

import http.client
import json
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

REQUESTS_PER_SECOND = 100
DRAIN_SECONDS = 12.0
"""Longer than the client's own patience: after that every request's fate is known."""
IN_FLIGHT_ON_KILLED = "in_flight_on_killed_pod"


class Client:
    """The sandbox's load client as a process of its own, for one host."""

    def __init__(self, at: Path, url: str, host: str) -> None:
        self._socket = at
        command = [sys.executable, "-m", "canary_analyzer.sandbox.load", "--socket", str(at)]
        self._running = subprocess.Popen([*command, "--url", f"{url}/work", "--host", host, "--rps", "0"])

    def up(self) -> bool:
        """Whether it listens; its socket is there a little earlier."""
        try:
            return bool(self.counts())
        except OSError:
            return False

    def load(self, **options: float) -> None:
        """Ask for another rate (`rps`), or for slow requests (`slow_every`, `slow_seconds`)."""
        self._ask("POST", "/load?" + "&".join(f"{key}={value:g}" for key, value in options.items()))

    def killed(self, pod: str) -> None:
        """Let it know of a pod that was ended by force."""
        self._ask("POST", f"/load/killed?pod={pod}")

    def counts(self) -> dict[str, Any]:
        return dict(self._ask("GET", "/load"))

    def losses(self) -> Sequence[dict[str, Any]]:
        """The first of them, with pod, cause and kind."""
        return list(self._ask("GET", "/load/lost"))

    def drained(self) -> dict[str, Any]:
        """Send no more, wait for what is in flight, and return the counts."""
        self.load(rps=0)
        until = time.monotonic() + DRAIN_SECONDS
        while (counts := self.counts())["in_flight"] and time.monotonic() < until:
            time.sleep(0.1)
        return counts

    def stop(self) -> None:
        self._running.terminate()
        self._running.wait()

    def _ask(self, method: str, path: str) -> Any:
        connection = http.client.HTTPConnection("client")
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(str(self._socket))
        connection.request(method, path)
        answer = connection.getresponse()
        body = json.loads(answer.read())
        connection.close()
        assert answer.status == 200, body
        return body

"""The service as a process of its own, and what it costs, as the kernel and Prometheus' text say."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import requests
import yaml
from prometheus_client.parser import text_string_to_metric_families

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
START_SECONDS, STOP_SECONDS = 60.0, 60.0


class Service:
    """One replica; `kill`, `freeze` and `thaw` do to it what can happen to a pod."""

    def __init__(self, folder: Path, name: str, kubeconfig: Path, config: Mapping[str, Any]) -> None:
        self.name = name
        self._log = folder / f"{name}.log"
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(dict(config)))
        command = [sys.executable, "-m", "canary_analyzer.cli", "serve", "--http-port", "0"]
        command += ["--kubeconfig", str(kubeconfig), "--config", str(folder / f"{name}.yaml")]
        with self._log.open("w") as log:
            self._process = subprocess.Popen(command, stderr=log, env=os.environ | {"POD_NAME": name})
        self.url = self._announced()

    @property
    def lives(self) -> bool:
        """Whether the process is there."""
        return self._process.poll() is None

    def lines(self) -> list[dict[str, Any]]:
        """Return what it has logged; a line that is being written is not one yet."""
        whole, _, _ = self._log.read_text().rpartition("\n")
        return [json.loads(line) for line in whole.splitlines() if line.startswith("{")]

    def cpu_seconds(self) -> float:
        """Return the processor time it has used."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND

    def rss_bytes(self) -> int:
        """Return the memory it holds."""
        pages = int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def descriptors(self) -> int:
        """Return how many files and sockets it has open."""
        return len(os.listdir(f"/proc/{self._process.pid}/fd"))

    def metrics(self) -> dict[tuple[str, ...], float]:
        """Return its own metrics: value by name and label values."""
        text = requests.get(f"{self.url}/metrics", timeout=30).text
        return {
            (sample.name, *sample.labels.values()): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def kill(self) -> None:
        """End it as a node that fails does."""
        self._process.kill()
        self._process.wait()

    def freeze(self) -> None:
        """Stop it in the middle of whatever it does."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on as if no time had passed."""
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> int:
        """End it as Kubernetes does, and return its exit code."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        return self._process.wait(STOP_SECONDS)

    def _announced(self) -> str:
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            for line in self.lines():
                if line["event"] == "serving":
                    return str(line["http"])
            if self._process.poll() is not None:
                break
            time.sleep(0.1)
        raise SystemExit(f"the service did not start:\n{self._log.read_text()}")

"""Copies of the sample app, each with its own client, that are rolled out side by side."""

import http.client
import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from canary_analyzer.cluster.client import CONFIGMAPS, DEPLOYMENTS, SERVICES, VIRTUAL_SERVICES, Cluster
from canary_analyzer.rollout import annotations

NAMESPACE, SAMPLE, STABLE_IMAGE = "default", "flask-app", "flask-app:v1"
REQUESTS_PER_SECOND = 50
PATIENCE_SECONDS, POLL_SECONDS = 600.0, 0.5
ENDED = ("Succeeded", "Aborted", "Refused")
Document = dict[str, Any]


def eventually(check: Callable[[], bool], what: str) -> None:
    """Wait until it is so; raises TimeoutError."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not check():
        if time.monotonic() > end:
            raise TimeoutError(f"not within {PATIENCE_SECONDS:.0f} s: {what}")
        time.sleep(POLL_SECONDS)


@dataclass(frozen=True, kw_only=True)
class Place:
    """A sandbox: its API, its ingress, and a folder for what clients need."""

    kubeconfig: Path
    ingress: str
    folder: Path

    @classmethod
    def of(cls, addresses: dict[str, str], folder: Path) -> Self:
        """Return the place at the addresses that the sandbox announces."""
        return cls(kubeconfig=Path(addresses["kubeconfig"]), ingress=addresses["ingress"], folder=folder)

    @contextmanager
    def app(self, name: str) -> Iterator["App"]:
        """Make a copy of the sample app with a steady client, for as long as the block lasts."""
        cluster, listening = Cluster.connect(self.kubeconfig), self.folder / f"{name}.sock"
        for kind in (SERVICES, VIRTUAL_SERVICES, DEPLOYMENTS):
            cluster.create(kind, renamed(cluster.get(kind, NAMESPACE, SAMPLE), name))
        app = App(name=name, cluster=cluster, client=listening)
        eventually(app.is_rolled_out, f"the rollout of {name}")
        command = [sys.executable, "-m", "canary_analyzer.sandbox.load", "--socket", str(listening)]
        target = ["--url", f"{self.ingress}/work", "--host", host_of(name), "--rps", str(REQUESTS_PER_SECOND)]
        running = subprocess.Popen([*command, *target])
        try:
            eventually(listening.exists, f"the client of {name}")
            yield app
        finally:
            running.terminate()
            running.wait()


@dataclass(frozen=True, kw_only=True)
class App:
    """A Deployment behind a VirtualService, and the socket of its client."""

    name: str
    cluster: Cluster
    client: Path

    def roll_out(self, version: str) -> dict[str, Any]:
        """Roll an image out on top of v1; return how it ended, when, and what clients saw of it."""
        self._back_to_stable()
        before, run, began = self._seen(version), self._status().get("run"), time.monotonic()
        self._merge({"metadata": {"annotations": {annotations.IMAGE: f"{SAMPLE}:{version}"}}})
        eventually(lambda: self._status().get("run") != run, f"a run of {version} on {self.name}")
        eventually(lambda: self._status().get("phase") in ENDED and not self._busy(), f"the end of {version}")
        status, after = self._status(), self._seen(version)
        return {
            "image": version,
            "phase": status["phase"],
            "reason": status["reason"],
            "seconds": time.monotonic() - began,
            "requests": after[0] - before[0],
            "failed": after[1] - before[1],
        }

    def is_rolled_out(self) -> bool:
        """Return whether all pods are of the present template and Available."""
        deployment = self._deployment()
        status, replicas = deployment.get("status", {}), deployment["spec"]["replicas"]
        seen = status.get("observedGeneration", 0) >= deployment["metadata"]["generation"]
        return seen and all(status.get(key) == replicas for key in ("replicas", "updatedReplicas", "availableReplicas"))

    def _back_to_stable(self) -> None:
        template = self._deployment()["spec"]["template"]
        containers = [container | {"image": STABLE_IMAGE} for container in template["spec"]["containers"]]
        self._merge({"spec": {"template": {"spec": {"containers": containers}}}})
        eventually(self.is_rolled_out, f"{self.name} to be {STABLE_IMAGE} again")

    def _seen(self, version: str) -> tuple[int, int]:
        """Return how many answers of a version the client has had, and how many of them were failures."""
        connection = http.client.HTTPConnection("client")
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(str(self.client))
        connection.request("GET", "/load")
        counts = json.loads(connection.getresponse().read())["by_version"].get(version, {})
        return sum(counts.values()), sum(count for status, count in counts.items() if status >= "500")

    def _deployment(self) -> Document:
        return self.cluster.get(DEPLOYMENTS, NAMESPACE, self.name)

    def _merge(self, patch: Document) -> None:
        self.cluster.merge(DEPLOYMENTS, NAMESPACE, self.name, patch)

    def _status(self) -> Document:
        return dict(annotations.status_of(self._deployment()))

    def _busy(self) -> bool:
        active = self.cluster.list(CONFIGMAPS, NAMESPACE, "canary-analyzer.io/active=true").items
        return any(record["metadata"]["name"].startswith(f"canary-run-{self.name}-") for record in active)


def host_of(name: str) -> str:
    """Return what clients call an app; with a dot, since Istio takes a short name for a Service's."""
    return f"{name}.example.com"


def renamed(document: Document, name: str) -> Document:
    """Return a copy under another name: metadata anew, and the app's name replaced wherever it is a whole value."""

    def rename(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: rename(each) for key, each in value.items()}
        if isinstance(value, list):
            return [rename(each) for each in value]
        return name if value == SAMPLE else value

    kept = {key: document[key] for key in ("apiVersion", "kind")}
    spec = rename({key: value for key, value in document["spec"].items() if key not in ("clusterIP", "clusterIPs")})
    if "gateways" in spec:  # the sample's gateway serves all, each by a host of its own
        spec |= {"hosts": [host_of(name)], "gateways": document["spec"]["gateways"]}
    return kept | {"metadata": {"name": name, "namespace": NAMESPACE}, "spec": spec}

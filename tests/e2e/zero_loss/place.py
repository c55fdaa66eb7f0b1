"""A sandbox for many apps, each in a namespace of its own with its own service and client."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from canary_analyzer.cluster.client import DEPLOYMENTS, Cluster
from tests.benchmarks.processes import process


@dataclass(frozen=True, kw_only=True)
class Place:
    """The addresses that the sandbox announces, and a folder for what processes need."""

    addresses: dict[str, str]
    folder: Path

    @property
    def cluster(self) -> Cluster:
        return Cluster.connect(Path(self.addresses["kubeconfig"]))

    def control(self, path: str) -> None:
        """Do something to the sandbox."""
        requests.post(f"{self.addresses['control']}/{path}", timeout=10).raise_for_status()

    def namespace(self, name: str) -> None:
        self.write("POST", "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})

    def write(self, method: str, path: str, body: Mapping[str, Any]) -> None:
        """Write as kubectl does: create with POST, merge with PATCH. Our own client would sign as the service."""
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        url, headers = self.addresses["api"] + path, {"content-type": kind}
        answer = requests.request(method, url, data=json.dumps(body), headers=headers, timeout=10)
        assert answer.ok, f"{method} {path}: {answer.text}"

    def empty(self) -> None:
        """Make room: the sample app is not called here."""
        self.cluster.merge(DEPLOYMENTS, "default", "flask-app", {"spec": {"replicas": 0}})


@contextmanager
def sandbox(folder: Path, *options: str) -> Iterator[Place]:
    """Run a sandbox until the end of the block."""
    up = ["sandbox", "up", "--json", "--load", "0", *options]
    with process(up, folder / "sandbox.log", says='"kubeconfig"') as line:
        place = Place(addresses=json.loads(line), folder=folder)
        place.empty()
        yield place

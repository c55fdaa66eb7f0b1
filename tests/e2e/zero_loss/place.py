"""A sandbox for many apps, each in a namespace of its own with its own service and client."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

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
        document = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        requests.post(f"{self.addresses['api']}/api/v1/namespaces", json=document, timeout=10).raise_for_status()

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

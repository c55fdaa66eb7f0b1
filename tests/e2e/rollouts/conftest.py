"""The service as a process of its own beside the sandbox, and the few things a user does to a Deployment."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from canary_analyzer.cluster.client import (
    CONFIGMAPS,
    DEPLOYMENTS,
    DESTINATION_RULES,
    EVENTS,
    SERVICES,
    VIRTUAL_SERVICES,
    Cluster,
    Kind,
)
from canary_analyzer.rollout import annotations
from canary_analyzer.rollout.phases import ENDED

CONFIG = """
prometheus: {staleness_seconds: 5}
profiles:
  standard:
    tick_seconds: 2
    settle_seconds: 2
    start_seconds: 12
    promote_seconds: 60
    deadline_seconds: 150
    steps:
      - {weight: 10, seconds: 6, requests: 20}
      - {weight: 25, seconds: 8, requests: 100}
      - {weight: 50, seconds: 10, requests: 200}
"""
NAMESPACE, APP = "default", "flask-app"
PATIENCE = 200.0
"""Seconds after which something that was awaited is taken never to come."""


def eventually(check: Callable[[], Any], what: str, patience: float = PATIENCE) -> Any:
    """Return the first truthy answer."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        if found := check():
            return found
        time.sleep(0.2)
    raise AssertionError(f"not within {patience:.0f} s: {what}")


class Service:
    """`canary-analyzer serve` as a process that can be killed and started again."""

    def __init__(self, addresses: dict[str, str], folder: Path) -> None:
        self._addresses = addresses
        self._config = folder / "config.yaml"
        self._config.write_text(CONFIG)
        self.log = folder / "service.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        places = ["--kubeconfig", self._addresses["kubeconfig"], "--prometheus-url", self._addresses["prometheus"]]
        command = [sys.executable, "-m", "canary_analyzer.cli", "serve", *places, "--config", self._config]
        began = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self._process = subprocess.Popen([*command, "--http-port", "0"], stderr=log)
        try:
            eventually(lambda: self._ready(began), "the service to be ready", patience=120)
        except AssertionError:
            self.kill()
            raise

    def _ready(self, began: int) -> bool:
        """Whether it says so, at the address that it logs first."""
        lines = self.log.read_text()[began:].splitlines()
        serving = next((line for line in map(json.loads, lines) if line["event"] == "serving"), None)
        return serving is not None and requests.get(f"{serving['http']}/readyz", timeout=5).ok

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        assert self._process is not None
        self._process.terminate()
        assert self._process.wait(timeout=30) == 0


class User:
    """What a user sees of the flask-app and does to it."""

    def __init__(self, addresses: dict[str, str]) -> None:
        self.cluster = Cluster.connect(Path(addresses["kubeconfig"]))
        self._control = addresses["control"]

    eventually = staticmethod(eventually)

    def deployment(self, name: str = APP) -> dict[str, Any]:
        return self.cluster.get(DEPLOYMENTS, NAMESPACE, name)

    def route(self, kind: Kind = VIRTUAL_SERVICES) -> dict[str, Any]:
        """What is the user's own of the route: all but what the API server keeps about it."""
        live = self.cluster.get(kind, NAMESPACE, APP)
        metadata = live["metadata"]
        return {"spec": live["spec"]} | {key: metadata.get(key) for key in ("labels", "annotations")}

    def weights(self) -> list[int]:
        return [each.get("weight", 100) for each in self.route()["spec"]["http"][0]["route"]]

    def annotate(self, deployment: str = APP, /, **values: str | None) -> None:
        named = {annotations.PREFIX + key: value for key, value in values.items()}
        self.cluster.merge(DEPLOYMENTS, NAMESPACE, deployment, {"metadata": {"annotations": named}})

    def status(self, deployment: str = APP) -> dict[str, Any]:
        return dict(annotations.status_of(self.deployment(deployment)))

    def phase(self, name: str, deployment: str = APP) -> Callable[[], bool]:
        return lambda: self.status(deployment).get("phase") == name

    def second_app(self, name: str) -> None:
        """Make another app like the first, with a name of its own."""
        self.copy(VIRTUAL_SERVICES, name)
        self.sibling(name)

    def sibling(self, name: str, /, **container: str) -> None:
        """Make a Service and a Deployment like the app's, with fields of the container's own, and no route to them."""
        self.copy(SERVICES, name)
        deployment = _renamed(self.deployment(), name)
        deployment["spec"]["template"]["spec"]["containers"][0] |= container
        self.cluster.create(DEPLOYMENTS, deployment)
        eventually(lambda: self.rolled_out(name), f"the rollout of {name}")

    def copy(self, kind: Kind, name: str) -> None:
        """Make an object like the app's, with a name of its own."""
        self.cluster.create(kind, _renamed(self.cluster.get(kind, NAMESPACE, APP), name))

    def delete_app(self, name: str) -> None:
        for kind in (DEPLOYMENTS, VIRTUAL_SERVICES, SERVICES):
            self.cluster.delete(kind, NAMESPACE, name)

    def canary(self, image: str, **companions: str) -> None:
        """Annotate, and return when the service has taken it in."""
        before = self.status().get("run")
        self.annotate(image=image, **companions)
        eventually(lambda: self.status().get("run") != before, f"a run of {image}")

    def ended(self) -> dict[str, Any]:
        """Return the status of the run at its end, and check that nothing of it was left behind."""
        eventually(lambda: self.status().get("phase") in ENDED and not self._active(), "the end of the run")
        for kind, name in (
            (DEPLOYMENTS, "flask-app-canary"),
            (SERVICES, "flask-app-canary"),
            (DESTINATION_RULES, "flask-app-canary"),
        ):
            assert self.cluster.find(kind, NAMESPACE, name) is None
        assert annotations.IMAGE not in annotations.of(self.deployment())
        return self.status()

    def tidy(self) -> None:
        """Take every wish back and wait until nothing of a run is left."""
        self.annotate(**dict.fromkeys(("image", "strategy", "profile", "config", "hold", "abort")))
        eventually(lambda: not self._active(), "the end of what a test left")

    def _active(self) -> bool:
        return bool(self.cluster.list(CONFIGMAPS, NAMESPACE, "canary-analyzer.io/active=true").items)

    def image(self) -> str:
        image: str = self.deployment()["spec"]["template"]["spec"]["containers"][0]["image"]
        return image

    def warnings(self) -> list[str]:
        return [event["message"] for event in self.cluster.list(EVENTS, NAMESPACE).items if event["type"] == "Warning"]

    def load(self) -> dict[str, Any]:
        answer: dict[str, Any] = requests.get(f"{self._control}/load", timeout=5).json()
        return answer

    def answered(self) -> dict[str, int]:
        """Answers so far by version, whatever their status."""
        return {version: sum(counts.values()) for version, counts in self.load()["by_version"].items()}

    def control(self, path: str) -> None:
        requests.post(f"{self._control}/{path}", timeout=10).raise_for_status()

    def back_to(self, image: str) -> None:
        """Give stable this image the plain way, as before any canary."""
        container = {"name": self.deployment()["spec"]["template"]["spec"]["containers"][0]["name"], "image": image}
        patch = [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": container["image"]}]
        self.cluster.patch(DEPLOYMENTS, NAMESPACE, APP, patch)
        eventually(self.rolled_out, f"the rollout of {image}")

    def rolled_out(self, name: str = APP) -> bool:
        deployment = self.deployment(name)
        status, replicas = deployment.get("status", {}), deployment["spec"]["replicas"]
        seen = status.get("observedGeneration", 0) >= deployment["metadata"]["generation"]
        sizes = (status.get("replicas"), status.get("updatedReplicas"), status.get("availableReplicas"))
        return seen and sizes == (replicas, replicas, replicas)


def _renamed(document: dict[str, Any], name: str) -> dict[str, Any]:
    """Return a copy under another name: metadata anew, and the app's name replaced wherever it is a whole value."""

    def rename(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: rename(each) for key, each in value.items()}
        if isinstance(value, list):
            return [rename(each) for each in value]
        return name if value == APP else value

    kept = {key: document[key] for key in ("apiVersion", "kind")}
    spec = {key: value for key, value in document["spec"].items() if key not in ("clusterIP", "clusterIPs")}
    return kept | {"metadata": {"name": name, "namespace": NAMESPACE}, "spec": rename(spec)}


@pytest.fixture
def make_user() -> type[User]:
    """A user of a sandbox of one's own."""
    return User


@pytest.fixture
def make_service() -> type[Service]:
    """A service of one's own."""
    return Service


@pytest.fixture
def user(sandbox):
    """A user of the sandbox whose app runs v1."""
    user = User(sandbox)
    if user.image() != "flask-app:v1":
        user.back_to("flask-app:v1")
    return user


@pytest.fixture
def service(sandbox, user, tmp_path):
    """A running service; its log is shown where a test fails. A run that a failed test left is ended for the next."""
    service = Service(sandbox, tmp_path)
    service.start()
    yield service
    user.tidy()
    service.stop()
    sys.stderr.write(service.log.read_text())


@pytest.fixture(scope="module")
def kubectl(addresses):
    """Type a kubectl command at the module's sandbox, and return what it prints."""
    if not shutil.which("kubectl"):
        pytest.skip("kubectl is not on PATH")

    def run(*arguments):
        command = ["kubectl", "--kubeconfig", addresses["kubeconfig"], *map(str, arguments)]
        answer = subprocess.run(command, capture_output=True, text=True, timeout=90)
        assert answer.returncode == 0, answer.stderr
        return answer.stdout

    return run

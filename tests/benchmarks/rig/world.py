"""A cluster without pods: the API emulator, and a controller that says at once that everything is rolled out."""

import asyncio
import json
import re
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from aiohttp import web

from canary_analyzer.cluster.client import DEPLOYMENTS, SERVICES, VIRTUAL_SERVICES, Cluster, Kind
from canary_analyzer.cluster.errors import ClusterError
from canary_analyzer.sandbox.api import ApiServer, identities
from canary_analyzer.sandbox.api.kubeconfig import write

HOME = "canary-system"
ACCOUNTS = identities.service_account(HOME, "").name
NAMESPACE = Kind(api="v1", plural="namespaces")
NAMESPACES = 10
IMAGE = "registry.example/shop/app"
READS = frozenset({"get", "list", "watch"})
Document = dict[str, Any]
Key = tuple[str, str]


def app_of(number: int) -> Key:
    """Return namespace and name of an app."""
    return f"team-{number % NAMESPACES}", f"app-{number:04}"


def images_of(deployment: Document) -> set[str]:
    """Return the images of a Deployment's containers."""
    return {container["image"] for container in deployment["spec"]["template"]["spec"]["containers"]}


@dataclass(frozen=True, kw_only=True)
class Write:
    """A replica of the service wrote something that belongs to an app; `at` in seconds since the epoch."""

    at: float
    replica: str
    app: Key


class _Server(ApiServer):
    """Keeps who wrote to which app, and when; a write that was refused is none."""

    def __init__(self) -> None:
        super().__init__(history=50_000)
        self.writes: list[Write] = []

    async def answer(self, request: web.Request) -> web.StreamResponse:
        response = await super().answer(request)
        if request.method != "GET" and response.status < 400:
            self._keep(request, await request.read())
        return response

    def _keep(self, request: web.Request, body: bytes) -> None:
        """Note a write; of what is made the name is in the body alone."""
        name = json.loads(body).get("metadata", {}).get("name", "") if request.method == "POST" else request.path
        app = re.search(r"app-\d+", name)
        writer = self.tokens.holder(request.headers.get("Authorization", ""))
        if app and writer is not None and writer.name.startswith(ACCOUNTS):
            namespace = request.path.partition("/namespaces/")[2].partition("/")[0]
            replica = writer.name.removeprefix(ACCOUNTS)
            self.writes.append(Write(at=time.time(), replica=replica, app=(namespace, app.group())))


class World:
    """An API server with apps in it; `kubeconfig` leads a replica there, as a ServiceAccount whose requests count."""

    def __init__(self, server: _Server, folder: Path) -> None:
        self._server, self._folder = server, folder
        self.writes: Sequence[Write] = server.writes
        server.write_kubeconfig(folder / "admin.kubeconfig")
        self.cluster = Cluster.connect(folder / "admin.kubeconfig")
        for number in range(NAMESPACES):
            self._make_namespace(app_of(number)[0])
        self._make_namespace(HOME)

    def _make_namespace(self, name: str) -> None:
        metadata = {"name": name, "namespace": ""}
        self.cluster.create(NAMESPACE, {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})

    def kubeconfig(self, name: str) -> Path:
        """Write a kubeconfig for a replica of the service, by whose name its requests are told from others'."""
        file = self._folder / f"{name}.kubeconfig"
        account = identities.service_account(HOME, name)
        write(file, self._server.url, self._server.tokens.issue(account))
        return file

    def add(self, key: Key) -> None:
        """Make an app: Deployment, Service, VirtualService; as a user does, for our own client signs as the service."""
        for kind, document in zip((DEPLOYMENTS, SERVICES, VIRTUAL_SERVICES), _app(*key), strict=True):
            requests.post(self._server.url + kind.path(key[0]), json=document, timeout=10).raise_for_status()

    def annotate(self, key: Key, **values: str | None) -> None:
        """Do what a user does."""
        named = {f"canary-analyzer.io/{name}": value for name, value in values.items()}
        self.cluster.merge(DEPLOYMENTS, *key, {"metadata": {"annotations": named}})

    def requests(self) -> dict[str, int]:
        """Return how many requests the service has made, by verb, those for its Leases left out."""
        counts: dict[str, int] = {}
        for row in self._server.audit.document():
            if row["identity"].startswith(ACCOUNTS) and row["resource"] != "leases":
                counts[row["verb"]] = counts.get(row["verb"], 0) + row["count"]
        return counts


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """Run a world until the end of the block."""
    loop, server = asyncio.new_event_loop(), _Server()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result(10)
    made, over = World(server, folder), threading.Event()
    controller = threading.Thread(target=_control, args=(made.cluster, over), name="controller", daemon=True)
    controller.start()
    try:
        yield made
    finally:
        over.set()
        asyncio.run_coroutine_threadsafe(server.close(), loop).result(10)
        controller.join()  # another server may get the port, and its Deployments are none of ours
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


def _control(cluster: Cluster, over: threading.Event) -> None:
    """Roll every Deployment out, until it is over."""
    while not over.is_set():
        try:
            listing = cluster.list(DEPLOYMENTS)
            for deployment in listing.items:
                _roll_out(cluster, deployment)
            for change, deployment in cluster.watch(DEPLOYMENTS, listing.version):
                if change in ("ADDED", "MODIFIED"):
                    _roll_out(cluster, deployment)
        except ClusterError:
            over.wait(0.5)


def _roll_out(cluster: Cluster, deployment: Document) -> None:
    metadata, replicas = deployment["metadata"], deployment["spec"].get("replicas", 1)
    counts = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), replicas)
    status = {"observedGeneration": metadata["generation"], **counts}
    if {name: (deployment.get("status") or {}).get(name) for name in status} != status:
        try:
            cluster.merge(DEPLOYMENTS, metadata["namespace"], f"{metadata['name']}/status", {"status": status})
        except ClusterError:
            return  # it changed, or is gone: the next event tells


def _app(namespace: str, name: str) -> tuple[Document, Document, Document]:
    labels = {"app": name, "app.kubernetes.io/name": name, "app.kubernetes.io/part-of": "shop", "team": namespace}
    metadata = {"name": name, "namespace": namespace, "labels": labels}
    probe = {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 5, "failureThreshold": 3}
    container = {
        "name": "app",
        "image": f"{IMAGE}:v1",
        "ports": [{"containerPort": 8080, "name": "http"}],
        "env": [{"name": f"SETTING_{number}", "value": f"value of setting {number}"} for number in range(12)],
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}},
        "readinessProbe": probe,
        "livenessProbe": probe,
    }
    template = {
        "metadata": {"labels": labels, "annotations": {"prometheus.io/scrape": "true"}},
        "spec": {"serviceAccountName": "default", "terminationGracePeriodSeconds": 30, "containers": [container]},
    }
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": deepcopy(metadata),
        "spec": {"replicas": 4, "selector": {"matchLabels": {"app": name}}, "template": template},
    }
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": deepcopy(metadata),
        "spec": {"selector": {"app": name}, "ports": [{"name": "http", "port": 80, "targetPort": 8080}]},
    }
    routes = {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": deepcopy(metadata),
        "spec": {"hosts": [name], "http": [{"timeout": "10s", "route": [{"destination": {"host": name}}]}]},
    }
    return deployment, service, routes

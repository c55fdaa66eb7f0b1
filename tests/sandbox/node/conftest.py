"""A small cluster of real parts: API emulator, workload controllers, node agent."""

import asyncio
from collections import Counter
from contextlib import asynccontextmanager
from itertools import count

import aiohttp
import pytest

from canary_analyzer.sandbox import api, images, node, workloads
from canary_analyzer.sandbox.client import DEPLOYMENTS, ENDPOINTS, PODS, SERVICES, KubeClient, Mirror
from canary_analyzer.sandbox.podnetwork import local

PATIENCE = 30
READINESS = {"httpGet": {"path": "/readyz", "port": "http"}, "periodSeconds": 1}


def make_deployment(name, image, replicas=1, **container):
    labels = {"app": name}
    port = {"name": "http", "containerPort": 8080}
    app = {"name": "app", "image": image, "ports": [port], "readinessProbe": READINESS, **container}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [app], "terminationGracePeriodSeconds": 10}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template},
    }


def make_service(name):
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"selector": {"app": name}, "ports": [{"name": "http", "port": 80, "targetPort": "http"}]},
    }


class Box:
    """The cluster as a test sees it."""

    make_deployment = staticmethod(make_deployment)

    def __init__(self, client):
        self.client = client
        self.mirrors = {resource: Mirror(client, resource) for resource in (DEPLOYMENTS, PODS, ENDPOINTS)}

    async def deploy(self, deployment):
        await self.client.create(SERVICES, make_service(deployment["metadata"]["name"]))
        return await self.client.create(DEPLOYMENTS, deployment)

    def pods(self, name):
        pods = self.mirrors[PODS].objects.values()
        return [pod for pod in pods if (pod["metadata"].get("labels") or {}).get("app") == name]

    def container(self, name):
        """The first container's status of the first pod that has one."""
        statuses = [
            pod["status"]["containerStatuses"][0] for pod in self.pods(name) if "podIP" in pod.get("status", {})
        ]
        return statuses[0] if statuses else {"state": {}, "restartCount": 0, "lastState": {}, "ready": False}

    def addresses(self, name):
        endpoints = self.mirrors[ENDPOINTS].objects.get(("default", name), {})
        subsets = endpoints.get("subsets") or []
        return [(local(each["ip"]), one["ports"][0]["port"]) for one in subsets for each in one.get("addresses", [])]

    def rolled_out(self, name):
        document = self.mirrors[DEPLOYMENTS].objects.get(("default", name))
        if document is None:
            return False
        status, desired = document.get("status", {}), document["spec"]["replicas"]
        current = status.get("observedGeneration") == document["metadata"]["generation"]
        return current and all(
            status.get(field, 0) == desired for field in ("replicas", "updatedReplicas", "availableReplicas")
        )

    async def until(self, condition):
        async with asyncio.timeout(PATIENCE):
            while not condition():
                await asyncio.sleep(0.02)

    @asynccontextmanager
    async def load(self, name, rps):
        """Requests over the Endpoints in turn; yields the counter of (version, status), and of errors."""
        counts, turns, sent = Counter(), count(), set()

        async def send(session):
            addresses = self.addresses(name)
            ip, port = addresses[next(turns) % len(addresses)]
            async with session.get(f"http://{ip}:{port}/work") as response:
                counts[response.headers.get("x-app-version"), response.status] += 1

        async def steady(session):
            while True:
                sent.add(asyncio.create_task(send(session)))
                await asyncio.sleep(1 / rps)

        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=30)
        async with aiohttp.ClientSession(connector=connector) as session:
            client = asyncio.create_task(steady(session))
            try:
                yield counts
            finally:
                client.cancel()
                for failure in await asyncio.gather(*sent, return_exceptions=True):
                    if failure is not None:
                        counts[repr(failure)] += 1


@pytest.fixture
async def api_url(tmp_path):
    async with api.ApiServer() as server:
        server.write_kubeconfig(tmp_path / "kubeconfig")
        yield server.url


@pytest.fixture
async def box(api_url, tmp_path):
    async with KubeClient.from_kubeconfig(tmp_path / "kubeconfig") as client:
        cluster = Box(client)
        parts = [workloads.run(client), node.run(client, images.load())]
        tasks = [asyncio.create_task(part) for part in (*parts, *(each.run() for each in cluster.mirrors.values()))]
        try:
            yield cluster
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

"""What the sandbox puts into an API server and takes out of it again."""

import asyncio

import pytest

from canary_analyzer.sandbox import api, manifests, workloads
from canary_analyzer.sandbox.client import (
    DEPLOYMENTS,
    GATEWAYS,
    PODS,
    REPLICASETS,
    SERVICES,
    VIRTUALSERVICES,
    KubeClient,
)

KINDS = (DEPLOYMENTS, REPLICASETS, PODS, SERVICES, GATEWAYS, VIRTUALSERVICES)


@pytest.fixture
async def client(tmp_path):
    async with api.ApiServer() as server:
        server.write_kubeconfig(tmp_path / "kubeconfig")
        async with KubeClient.from_kubeconfig(tmp_path / "kubeconfig") as client:
            controllers = asyncio.create_task(workloads.run(client))
            yield client
            controllers.cancel()
            await asyncio.gather(controllers, return_exceptions=True)


async def names(client, resource):
    return [item["metadata"]["name"] for item in (await client.list(resource, "default"))["items"]]


async def until_pods(client, number):
    async with asyncio.timeout(10):
        while len(await names(client, PODS)) != number:
            await asyncio.sleep(0.02)


async def test_what_was_created_goes_again_with_all_that_it_owns(client):
    before = {kind: await names(client, kind) for kind in KINDS}
    async with manifests.installed(client, keep=False):
        await until_pods(client, 3)
    assert {kind: await names(client, kind) for kind in KINDS} == before


async def test_what_was_there_before_stays(client):
    async with manifests.installed(client, keep=True):
        pass
    async with manifests.installed(client, keep=False):
        await until_pods(client, 3)
    assert manifests.NAME in await names(client, DEPLOYMENTS)
    assert len(await names(client, PODS)) == 3

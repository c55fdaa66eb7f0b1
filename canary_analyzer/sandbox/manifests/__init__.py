"""What is in the sandbox's cluster from the start: the sample app as a plain user would deploy it behind Istio."""

import asyncio
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from canary_analyzer.sandbox.client import (
    CUSTOMRESOURCEDEFINITIONS,
    DEPLOYMENTS,
    GATEWAYS,
    SERVICES,
    VIRTUALSERVICES,
    ApiError,
    KubeClient,
    Resource,
)

FOLDER = Path(__file__).parent
NAMESPACE, NAME = "default", "flask-app"
_APPLICATION = ("flask-app.yaml", "gateway.yaml", "virtualservice.yaml")
_RESOURCES: Mapping[str, Resource] = {
    "CustomResourceDefinition": CUSTOMRESOURCEDEFINITIONS,
    "Deployment": DEPLOYMENTS,
    "Gateway": GATEWAYS,
    "Service": SERVICES,
    "VirtualService": VIRTUALSERVICES,
}
_NOT_FOUND, _CONFLICT = 404, 409
_POLL_SECONDS = 0.1


async def install(client: KubeClient) -> None:
    """Create whatever is not there yet; what is there stays as it is. Raises ApiError."""
    if not await _knows_istio(client):
        await _create(client, "crds.yaml")
        while not await _knows_istio(client):
            await asyncio.sleep(_POLL_SECONDS)
    for file in _APPLICATION:
        await _create(client, file)


async def wait_until_available(client: KubeClient) -> None:
    """Wait until every replica of the sample app is available; raises ApiError."""
    while True:
        deployment = await client.get(DEPLOYMENTS, NAMESPACE, NAME)
        if (deployment.get("status") or {}).get("availableReplicas", 0) >= deployment["spec"]["replicas"]:
            return
        await asyncio.sleep(_POLL_SECONDS)


async def _knows_istio(client: KubeClient) -> bool:
    try:
        for resource in (VIRTUALSERVICES, GATEWAYS):
            await client.list(resource)
    except ApiError as error:
        if error.status != _NOT_FOUND:
            raise
        return False
    return True


async def _create(client: KubeClient, file: str) -> None:
    for document in _documents(file):
        try:
            await client.create(_RESOURCES[document["kind"]], document)
        except ApiError as error:
            if error.status != _CONFLICT:
                raise


def _documents(file: str) -> Iterator[dict[str, Any]]:
    yield from yaml.safe_load_all((FOLDER / file).read_text())

"""What is in the sandbox's cluster from the start: the sample app as a plain user would deploy it behind Istio."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import yaml

from canary_analyzer.sandbox.client import (
    API_GATEWAYS,
    CONFIGMAPS,
    CUSTOMRESOURCEDEFINITIONS,
    DEPLOYMENTS,
    ENDPOINTSLICES,
    GATEWAYS,
    HTTPROUTES,
    PODS,
    REPLICASETS,
    SERVICES,
    VIRTUALSERVICES,
    ApiError,
    KubeClient,
    Resource,
)
from canary_analyzer.sandbox.workloads.pods import ready_since

Document = dict[str, Any]

FOLDER = Path(__file__).parent
NAMESPACE, NAME = "default", "flask-app"
REMOVAL_SECONDS = 20.0
_APPLICATION = ("flask-app.yaml", "gateway.yaml", "virtualservice.yaml")
_RESOURCES: Mapping[str, Resource] = {
    "CustomResourceDefinition": CUSTOMRESOURCEDEFINITIONS,
    "Deployment": DEPLOYMENTS,
    "Gateway": GATEWAYS,
    "Service": SERVICES,
    "VirtualService": VIRTUALSERVICES,
}
# Kinds of what the application comes to own; owners before what they own.
_FAMILY = (DEPLOYMENTS, SERVICES, REPLICASETS, PODS, ENDPOINTSLICES, CONFIGMAPS)
_NOT_FOUND, _CONFLICT = 404, 409
_POLL_SECONDS = 0.1


@asynccontextmanager
async def installed(client: KubeClient, *, keep: bool) -> AsyncIterator[None]:
    """Create whatever is not there yet; what is there stays as it is, and is left at the end.

    At the end what was created goes again with all that it owns, unless `keep`; somebody must be there to collect it.
    The definitions of Istio's kinds stay: with them would go every route that a user has made since.

    Raises:
        ApiError: The API server refuses.
        TimeoutError: Something is not gone in time.
    """
    created: list[Document] = []
    try:
        await _define_kinds(client)
        for file in _APPLICATION:
            created += await _create(client, file)
        yield
    finally:
        if not keep:
            await _remove(client, created)


async def wait_until_available(client: KubeClient) -> None:
    """Wait until every replica of the sample app is available; raises ApiError."""
    while True:
        deployment = await client.get(DEPLOYMENTS, NAMESPACE, NAME)
        wanted = deployment["spec"]["replicas"]
        # Its status may date from an earlier sandbox: the pods know better.
        available = (deployment.get("status") or {}).get("availableReplicas", 0)
        if available >= wanted and await _ready(client, deployment["spec"]["selector"]["matchLabels"]) >= wanted:
            return
        await asyncio.sleep(_POLL_SECONDS)


async def _ready(client: KubeClient, labels: Mapping[str, str]) -> int:
    selector = ",".join(f"{name}={value}" for name, value in labels.items())
    pods = await client.list(PODS, NAMESPACE, {"labelSelector": selector})
    return sum(ready_since(pod) is not None for pod in pods["items"])


async def _define_kinds(client: KubeClient) -> None:
    if not await _knows_kinds(client):
        await _create(client, "crds.yaml")
        while not await _knows_kinds(client):
            await asyncio.sleep(_POLL_SECONDS)


async def _knows_kinds(client: KubeClient) -> bool:
    try:
        for resource in (VIRTUALSERVICES, GATEWAYS, API_GATEWAYS, HTTPROUTES):
            await client.list(resource)
    except ApiError as error:
        if error.status != _NOT_FOUND:
            raise
        return False
    return True


async def _create(client: KubeClient, file: str) -> list[Document]:
    created = []
    for document in _documents(file):
        try:
            created.append(await client.create(_RESOURCES[document["kind"]], document))
        except ApiError as error:
            if error.status != _CONFLICT:
                raise
    return created


def _documents(file: str) -> Iterator[Document]:
    yield from yaml.safe_load_all((FOLDER / file).read_text())


async def _remove(client: KubeClient, created: Sequence[Document]) -> None:
    uids = {document["metadata"]["uid"] for document in created}
    uids |= await _family(client, uids)
    for document in created:
        await _delete(client, document)
    try:
        async with asyncio.timeout(REMOVAL_SECONDS):
            while left := await _family(client, uids):
                uids |= left
                await asyncio.sleep(_POLL_SECONDS)
    except TimeoutError:
        raise TimeoutError(f"not all of {NAME} is gone after {REMOVAL_SECONDS:.0f} s: delete it yourself") from None


async def _delete(client: KubeClient, document: Document) -> None:
    metadata = document["metadata"]
    options = {"preconditions": {"uid": metadata["uid"]}, "propagationPolicy": "Background"}
    try:
        await client.delete(_RESOURCES[document["kind"]], metadata["namespace"], metadata["name"], options)
    except ApiError as error:
        # Gone, or another one has its name now.
        if error.status not in (_NOT_FOUND, _CONFLICT):
            raise


async def _family(client: KubeClient, uids: set[str]) -> set[str]:
    """Uids of what is left of these objects and of all that they own, directly or not."""
    found: set[str] = set()
    for resource in _FAMILY:
        for item in (await client.list(resource, NAMESPACE))["items"]:
            metadata = item["metadata"]
            owners = {owner["uid"] for owner in metadata.get("ownerReferences") or ()}
            if metadata["uid"] in uids or owners & (uids | found):
                found.add(metadata["uid"])
    return found

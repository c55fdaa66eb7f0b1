"""The loop: look at everything, plan, write, and look again when something changes."""

import asyncio
import logging
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

import aiohttp

from canary_analyzer.sandbox.client import (
    CONFIGMAPS,
    DEPLOYMENTS,
    DESTINATIONRULES,
    ENDPOINTS,
    ENDPOINTSLICES,
    HORIZONTALPODAUTOSCALERS,
    NAMESPACES,
    PODS,
    REPLICASETS,
    SERVICEACCOUNTS,
    SERVICES,
    VIRTUALSERVICES,
    ApiError,
    Document,
    KubeClient,
    Mirror,
    Resource,
)
from canary_analyzer.sandbox.workloads import accounts, autoscaler, deployments, endpoints, garbage, replicasets
from canary_analyzer.sandbox.workloads.objects import controlled
from canary_analyzer.sandbox.workloads.view import View
from canary_analyzer.sandbox.workloads.writes import Create, Delete, Patch, Write

log = logging.getLogger(__name__)

CONTROLLED = (DEPLOYMENTS, REPLICASETS, PODS, SERVICES, ENDPOINTS, ENDPOINTSLICES, NAMESPACES, SERVICEACCOUNTS)
# Also owned by workloads or Services, or looked at; nobody waits for these, for a server may not know them.
COLLECTED = (*CONTROLLED, CONFIGMAPS, DESTINATIONRULES, VIRTUALSERVICES, HORIZONTALPODAUTOSCALERS)
OWNERS: Mapping[garbage.Kind, Resource] = {
    ("apps", "Deployment"): DEPLOYMENTS,
    ("apps", "ReplicaSet"): REPLICASETS,
    ("", "Service"): SERVICES,
    ("", "ConfigMap"): CONFIGMAPS,
}
# Deadlines pass without an event; nothing else waits for this.
TICK_SECONDS = 0.5
# Another writer was faster, or the object is gone: the next pass sees it.
EXPECTED = (404, 409)


async def run(client: KubeClient) -> None:
    """Control all namespaces until cancelled."""
    controller = Controller(client)
    async with asyncio.TaskGroup() as group:
        for mirror in controller.mirrors.values():
            group.create_task(mirror.run())
        group.create_task(controller.run())


class Controller:
    """Mirrors of what is controlled, and the passes over them."""

    def __init__(self, client: KubeClient) -> None:
        self.mirrors = {resource: Mirror(client, resource) for resource in COLLECTED}
        self._client = client
        self._wake = asyncio.Event()

    async def run(self) -> None:
        """Pass after pass, one at a time."""
        for mirror in self.mirrors.values():
            mirror.on_change(self._wake.set)
        for resource in CONTROLLED:
            await self.mirrors[resource].synced()
        while True:
            self._wake.clear()
            try:
                await self._pass(datetime.now(UTC))
            except (aiohttp.ClientError, TimeoutError) as error:
                log.warning("the API server does not answer: %s", error)
                await asyncio.sleep(TICK_SECONDS)
            await self._changed_or_tick()

    async def _changed_or_tick(self) -> None:
        try:
            async with asyncio.timeout(TICK_SECONDS):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _pass(self, now: datetime) -> None:
        """Endpoints first: nobody shall be sent to a pod that is going."""
        await self._apply_all(self._plan_endpoints())
        known = self.mirrors[SERVICEACCOUNTS].objects.keys()
        await self._apply_all([accounts.plan(self._all(NAMESPACES), known)])
        scaled = self.mirrors[DEPLOYMENTS].objects
        await self._apply_all(autoscaler.plan(each, scaled) for each in self._all(HORIZONTALPODAUTOSCALERS))
        await self._apply_all(self._plan_deployments(now))
        await self._apply_all(replicasets.plan(each, self._pods_of(each), now) for each in self._all(REPLICASETS))
        await self._collect()

    def _all(self, resource: Resource) -> list[Document]:
        return list(self.mirrors[resource].objects.values())

    def _pods_of(self, replicaset: Document) -> list[Document]:
        return controlled(replicaset, self._all(PODS))

    def _plan_deployments(self, now: datetime) -> Iterable[list[Write]]:
        for deployment in self._all(DEPLOYMENTS):
            own = controlled(deployment, self._all(REPLICASETS))
            uids = {each["metadata"]["uid"] for each in own}
            namespace = deployment["metadata"]["namespace"]
            others = (each["metadata"] for each in self._all(REPLICASETS) if each["metadata"]["uid"] not in uids)
            taken = {each["name"] for each in others if each["namespace"] == namespace}
            yield deployments.plan(View(deployment=deployment, replicasets=own, pods=self._all(PODS), now=now), taken)

    def _plan_endpoints(self) -> Iterable[list[Write]]:
        for service in self._all(SERVICES):
            namespace, name = service["metadata"]["namespace"], service["metadata"]["name"]
            known = self.mirrors[ENDPOINTS].objects.get((namespace, name))
            parts = self.mirrors[ENDPOINTSLICES].objects.get((namespace, endpoints.slice_name(service)))
            yield endpoints.plan(service, self._all(PODS), known, parts)
        yield endpoints.leftovers(self.mirrors[SERVICES].objects.keys(), self._all(ENDPOINTS))

    async def _apply_all(self, plans: Iterable[list[Write]]) -> None:
        # The writes of one object keep their order; different objects do not wait for each other.
        await asyncio.gather(*(self._apply(plan) for plan in list(plans)))

    async def _apply(self, writes: Iterable[Write]) -> None:
        for write in writes:
            try:
                answer = await self._write(write)
            except ApiError as error:
                if error.status not in EXPECTED:
                    log.warning("%s", error)
                return
            if "resourceVersion" in answer.get("metadata", {}):
                self.mirrors[write.resource].assume(answer)

    async def _write(self, write: Write) -> Document:
        match write:
            case Create():
                return await self._client.create(write.resource, write.document)
            case Patch(status=True):
                return await self._client.patch_status(write.resource, write.namespace, write.name, write.body)
            case Patch():
                return await self._client.patch(write.resource, write.namespace, write.name, write.body)
            case Delete():
                options = {"preconditions": {"uid": write.uid}, "propagationPolicy": "Background"}
                return await self._client.delete(write.resource, write.namespace, write.name, options)

    async def _collect(self) -> None:
        mirrors = {resource: mirror.objects.values() for resource, mirror in self.mirrors.items()}
        for suspect in list(garbage.suspects(mirrors, frozenset(OWNERS))):
            if all([await self._gone(owner, suspect.deletion.namespace) for owner in suspect.owners]):
                await self._apply([suspect.deletion])

    async def _gone(self, owner: Document, namespace: str) -> bool:
        # Mirrors of different kinds do not run in step: an owner just made may not be in its mirror yet.
        try:
            live = await self._client.get(OWNERS[garbage.kind_of(owner)], namespace, owner["name"])
        except ApiError as error:
            return error.status == 404
        return bool(live["metadata"]["uid"] != owner["uid"])

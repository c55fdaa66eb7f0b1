"""An asynchronous Kubernetes client on raw JSON documents, and a mirror of one kind of object kept by list and watch.

Concepts: https://kubernetes.io/docs/reference/using-api/api-concepts/
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import aiohttp

from canary_analyzer.sandbox import kubeconfig

Document = dict[str, Any]
Patch = Document | list[Document]
Key = tuple[str, str]

REQUEST_TIMEOUT = aiohttp.ClientTimeout(total=30)
WATCH_SECONDS = 240
# A cut network must not hang a watch: the server ends it before this client gives up.
WATCH_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=WATCH_SECONDS + 30)
RELIST_PAUSE_SECONDS = 0.2


@dataclass(frozen=True)
class Resource:
    """A kind of object as the API's URLs name it; the core group is the empty string."""

    group: str
    version: str
    plural: str
    namespaced: bool = True

    def path(self, namespace: str | None = None, name: str | None = None, subresource: str | None = None) -> str:
        """URL path of one object, or of the collection; without a namespace, of all namespaces."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        scope = f"namespaces/{namespace}" if self.namespaced and namespace else None
        return "/".join(part for part in (root, scope, self.plural, name, subresource) if part)


CONFIGMAPS = Resource("", "v1", "configmaps")
ENDPOINTS = Resource("", "v1", "endpoints")
EVENTS = Resource("", "v1", "events")
NAMESPACES = Resource("", "v1", "namespaces", namespaced=False)
NODES = Resource("", "v1", "nodes", namespaced=False)
PODS = Resource("", "v1", "pods")
SERVICEACCOUNTS = Resource("", "v1", "serviceaccounts")
SERVICES = Resource("", "v1", "services")
DEPLOYMENTS = Resource("apps", "v1", "deployments")
REPLICASETS = Resource("apps", "v1", "replicasets")
ENDPOINTSLICES = Resource("discovery.k8s.io", "v1", "endpointslices")
CUSTOMRESOURCEDEFINITIONS = Resource("apiextensions.k8s.io", "v1", "customresourcedefinitions", namespaced=False)
DESTINATIONRULES = Resource("networking.istio.io", "v1", "destinationrules")
GATEWAYS = Resource("networking.istio.io", "v1", "gateways")
API_GATEWAYS = Resource("gateway.networking.k8s.io", "v1", "gateways")
HTTPROUTES = Resource("gateway.networking.k8s.io", "v1", "httproutes")
HORIZONTALPODAUTOSCALERS = Resource("autoscaling", "v2", "horizontalpodautoscalers")
VIRTUALSERVICES = Resource("networking.istio.io", "v1", "virtualservices")


class ApiError(Exception):
    """The API server refused: HTTP status, machine-readable reason (`Conflict`, `NotFound`, ...) and message."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status = status
        self.reason = reason
        self.message = message


def key(document: Document) -> Key:
    """Namespace and name; the namespace of a cluster-wide object is the empty string."""
    return document["metadata"].get("namespace", ""), document["metadata"]["name"]


class KubeClient:
    """One connection pool to one API server; use it as an async context manager.

    All methods raise ApiError when the server refuses and aiohttp.ClientError when it cannot be reached.
    """

    def __init__(self, endpoint: kubeconfig.Endpoint) -> None:
        connector = aiohttp.TCPConnector(limit=0, ssl=endpoint.tls if endpoint.tls else True)
        self._session = aiohttp.ClientSession(
            endpoint.url, headers=endpoint.headers, connector=connector, timeout=REQUEST_TIMEOUT
        )

    @classmethod
    def from_kubeconfig(cls, path: str | Path) -> Self:
        """Connect as the file's current context says; raises what `kubeconfig.load` raises."""
        return cls(kubeconfig.load(Path(path)))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def get(self, resource: Resource, namespace: str, name: str) -> Document:
        """One object."""
        return await self._send("GET", resource.path(namespace, name))

    async def list(
        self, resource: Resource, namespace: str | None = None, selectors: Mapping[str, str] | None = None
    ) -> Document:
        """The whole list document; `selectors` may hold `labelSelector` and `fieldSelector`."""
        return await self._send("GET", resource.path(namespace), params=selectors)

    async def create(self, resource: Resource, document: Document) -> Document:
        """Create in the namespace that the document names."""
        return await self._send("POST", resource.path(document["metadata"].get("namespace")), document)

    async def replace(self, resource: Resource, document: Document) -> Document:
        """Replace the object that the document names; a stale resourceVersion is a Conflict."""
        return await self._send("PUT", resource.path(*key(document)), document)

    async def patch(self, resource: Resource, namespace: str, name: str, body: Patch) -> Document:
        """Apply a JSON Patch (a list) or a merge patch (a mapping)."""
        return await self._patch(resource.path(namespace, name), body)

    async def patch_status(self, resource: Resource, namespace: str, name: str, body: Patch) -> Document:
        """Like `patch`, on the status subresource."""
        return await self._patch(resource.path(namespace, name, "status"), body)

    async def delete(self, resource: Resource, namespace: str, name: str, options: Document | None = None) -> Document:
        """Delete; `options` are the fields of DeleteOptions (gracePeriodSeconds, preconditions, propagationPolicy)."""
        return await self._send("DELETE", resource.path(namespace, name), options)

    async def bind(self, namespace: str, pod: str, node: str) -> None:
        """Give a pod to a node, as a scheduler does."""
        target = {"apiVersion": "v1", "kind": "Node", "name": node}
        binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": pod}, "target": target}
        await self._send("POST", PODS.path(namespace, pod, "binding"), binding)

    async def token(self, namespace: str, account: str) -> str:
        """A token of a ServiceAccount."""
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        answer = await self._send("POST", SERVICEACCOUNTS.path(namespace, account, "token"), request)
        return str(answer["status"]["token"])

    async def watch(self, resource: Resource, resource_version: str) -> AsyncIterator[Document]:
        """Events after a version, in all namespaces, until the server ends the watch; a cut watch raises."""
        params = {
            "watch": "1",
            "resourceVersion": resource_version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(WATCH_SECONDS),
        }
        async with self._session.get(resource.path(), params=params, timeout=WATCH_TIMEOUT) as response:
            await _raise_for_status(response)
            rest = b""
            async for chunk in response.content.iter_any():
                *lines, rest = (rest + chunk).split(b"\n")
                for line in filter(None, lines):
                    yield json.loads(line)

    async def _patch(self, path: str, body: Patch) -> Document:
        kind = "application/json-patch+json" if isinstance(body, list) else "application/merge-patch+json"
        return await self._send("PATCH", path, body, content_type=kind)

    async def _send(
        self,
        method: str,
        path: str,
        body: Patch | None = None,
        *,
        params: Mapping[str, str] | None = None,
        content_type: str = "application/json",
    ) -> Document:
        data = None if body is None else json.dumps(body)
        headers = {} if body is None else {"Content-Type": content_type}
        async with self._session.request(method, path, data=data, params=params, headers=headers) as response:
            await _raise_for_status(response)
            document: Document = await response.json(content_type=None)
            return document


async def _raise_for_status(response: aiohttp.ClientResponse) -> None:
    if response.status < 400:
        return
    text = await response.text()
    try:
        status = json.loads(text)
    except ValueError:
        status = {}
    raise ApiError(response.status, status.get("reason") or response.reason or "", status.get("message") or text)


class Mirror:
    """A local copy of every object of one kind, kept current by list and watch; relists when a watch is cut or expires.

    `run()` must be running. `changed()` has one consumer; further ones call `on_change`.
    """

    def __init__(self, client: KubeClient, resource: Resource) -> None:
        self.objects: dict[Key, Document] = {}
        self._client = client
        self._resource = resource
        self._seen = -1
        self._changed = asyncio.Event()
        self._synced = asyncio.Event()
        self._callbacks: list[Callable[[], None]] = [self._changed.set]

    async def run(self) -> None:
        """Keep the copy current until cancelled; an unreachable server is tried again."""
        while True:
            try:
                await self._relist()
                await self._follow()
            except (aiohttp.ClientError, ApiError, OSError, TimeoutError):
                await asyncio.sleep(RELIST_PAUSE_SECONDS)

    async def changed(self) -> None:
        """Wait for a change since this method last returned."""
        await self._changed.wait()
        self._changed.clear()

    async def synced(self) -> None:
        """Wait for the first complete list."""
        await self._synced.wait()

    def on_change(self, callback: Callable[[], None]) -> None:
        """Call after every change."""
        self._callbacks.append(callback)

    def assume(self, document: Document) -> None:
        """Take over the answer of one's own write at once, so that the next look does not repeat it.

        Ignored when the watch has already told a later story.
        """
        if _version(document) > self._seen:
            self._store(document)

    async def _relist(self) -> None:
        answer = await self._client.list(self._resource)
        self._seen = int(answer["metadata"]["resourceVersion"])
        # Lists leave out what every item has in common; watches do not.
        common = {"apiVersion": answer["apiVersion"], "kind": str(answer["kind"]).removesuffix("List")}
        # An answer of our own that is newer than the list was on its way at the same time.
        newer = {name: known for name, known in self.objects.items() if _version(known) > self._seen}
        self.objects = {key(item): common | item for item in answer["items"]} | newer
        self._synced.set()
        self._announce()

    async def _follow(self) -> None:
        while True:
            async for event in self._client.watch(self._resource, str(self._seen)):
                if event["type"] == "ERROR":
                    status = event["object"]
                    raise ApiError(status.get("code", 500), status.get("reason", ""), status.get("message", ""))
                self._digest(event["type"], event["object"])

    def _digest(self, kind: str, document: Document) -> None:
        self._seen = _version(document)
        if kind == "BOOKMARK":
            return
        if kind == "DELETED":
            self.objects.pop(key(document), None)
            self._announce()
            return
        known = self.objects.get(key(document))
        if known is None or _version(known) <= self._seen:
            self._store(document)

    def _store(self, document: Document) -> None:
        self.objects[key(document)] = document
        self._announce()

    def _announce(self) -> None:
        for callback in self._callbacks:
            callback()


def _version(document: Document) -> int:
    # Comparable integers since KEP-5504; every server before it behaved so as well.
    return int(document["metadata"]["resourceVersion"])

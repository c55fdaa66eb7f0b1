"""The API emulator without a socket: a request is answered before the next line runs."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from multidict import CIMultiDict, MultiDict

from canary_analyzer.sandbox.api import ApiServer
from canary_analyzer.sandbox.client import Resource

Document = dict[str, Any]
MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
NAMESPACE = "default"


class Emulator:
    """An API server with the namespace `default`."""

    def __init__(self) -> None:
        self._server = ApiServer()
        self.store = self._server.cluster.store
        self.ask("POST", "/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})

    def answer(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        """Return status and body of the answer to one request."""
        answering = self._server.answer(_Request(method, url, headers, body))
        try:
            answering.send(None)
        except StopIteration as ended:
            return ended.value.status, ended.value.body
        raise AssertionError(f"{method} {url} waits for something that one thread cannot give")

    def ask(self, method: str, path: str, body: object = None, media_type: str = "application/json") -> Document:
        """Do as an administrator does, or say what the server has against it."""
        status, content = self.answer(method, path, {"Content-Type": media_type}, json.dumps(body or {}).encode())
        document: Document = json.loads(content)
        if status >= 300:
            raise Refused(status, document.get("message", ""))
        return document

    def all(self, resource: Resource) -> list[Document]:
        """Everything of a kind, ordered by namespace and name."""
        return list(self.store.all((resource.group, resource.plural)))

    def find(self, resource: Resource, name: str) -> Document | None:
        """One object of the namespace."""
        return self.store.get((resource.group, resource.plural), (NAMESPACE, name))

    def create(self, resource: Resource, document: Document) -> Document:
        """Create an object in the namespace."""
        return self.ask("POST", resource.path(NAMESPACE), document)

    def merge(self, resource: Resource, name: str, patch: Document, subresource: str | None = None) -> Document:
        """Apply a merge patch."""
        return self.ask("PATCH", resource.path(NAMESPACE, name, subresource), patch, MERGE)

    def patch(self, resource: Resource, name: str, operations: list[Document]) -> Document:
        """Apply a JSON Patch."""
        return self.ask("PATCH", resource.path(NAMESPACE, name), operations, JSON_PATCH)

    def delete(self, resource: Resource, name: str) -> None:
        """Delete an object; what it owns is the garbage collector's affair."""
        self.ask("DELETE", resource.path(NAMESPACE, name), {"propagationPolicy": "Background"})


class Refused(Exception):
    """The server does not do what an administrator asks."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status} {message}")
        self.status = status


class _Request:
    """As much of an aiohttp request as the emulator looks at."""

    def __init__(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> None:
        parts = urlsplit(url)
        self.method, self.path = method, parts.path
        self.query = MultiDict(parse_qsl(parts.query))
        self.headers = CIMultiDict(headers)
        self.content_type = self.headers.get("Content-Type", "application/json").partition(";")[0]
        self._body = body

    async def read(self) -> bytes:
        """The body."""
        return self._body

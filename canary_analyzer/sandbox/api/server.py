"""The HTTP side: from requests to the functions of this package, and from their results to answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Any, Self

from aiohttp import web

from canary_analyzer.sandbox.api import (
    discovery,
    kubeconfig,
    logs,
    namespaces,
    openapi,
    paths,
    rbac,
    reads,
    reviews,
    scale,
    table,
    watches,
    writes,
)
from canary_analyzer.sandbox.api.bodies import APPLY_PATCH, Body
from canary_analyzer.sandbox.api.errors import ApiError, method_not_allowed, unauthorized
from canary_analyzer.sandbox.api.identities import ADMIN, Identity, Tokens, named, service_account
from canary_analyzer.sandbox.api.lifecycle import Cluster
from canary_analyzer.sandbox.api.requests import Target, WriteOptions
from canary_analyzer.sandbox.api.resources import Registry
from canary_analyzer.sandbox.api.store import Store

Document = dict[str, Any]

_BODY_LIMIT = 8 * 1024 * 1024
_OPENAPI_V2 = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
_HEALTH = ("/healthz", "/livez", "/readyz")


class ApiServer:
    """A server on 127.0.0.1; use it as an async context manager, from one event loop.

    Args:
        port: 0 lets the system choose.
        history: changes kept for every resource; a watch from further back answers 410.
        bookmark_seconds: pause between the bookmarks of a quiet watch.
        enforce_rbac: refuse what no Role allows; otherwise everybody is let in and may do everything.
    """

    def __init__(
        self, *, port: int = 0, history: int = 5000, bookmark_seconds: float = 60.0, enforce_rbac: bool = False
    ) -> None:
        self.cluster = Cluster(store=Store(history), registry=Registry())
        self.pages = reads.Pages(self.cluster.store)
        self.tokens = Tokens()
        self.audit = rbac.Audit()
        self.url = ""
        self._enforce_rbac = enforce_rbac
        self._port = port
        self._bookmark_seconds = bookmark_seconds
        self._runner: web.AppRunner | None = None
        self._watches: set[asyncio.Task[Any]] = set()

    async def __aenter__(self) -> Self:
        for name in namespaces.INITIAL:
            target = paths.parse("/api/v1/namespaces", self.cluster.registry)
            self.cluster.create(target, {"metadata": {"name": name}}, WriteOptions(manager="kube-apiserver"))
        application = web.Application(client_max_size=_BODY_LIMIT)
        application.router.add_route("*", "/{path:.*}", self.answer)
        # Without cancellation the watch of a client that went away would go on until its time is over.
        self._runner = web.AppRunner(application, access_log=None, handler_cancellation=True, shutdown_timeout=1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Stop serving; watches end at once."""
        for watch in self._watches:
            watch.cancel()
        await asyncio.gather(*self._watches, return_exceptions=True)
        if self._runner:
            await self._runner.cleanup()

    def write_kubeconfig(self, path: Path | str) -> None:
        """Write a kubeconfig that leads the administrator here."""
        kubeconfig.write(Path(path), self.url, self.tokens.admin)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer one request, whoever brings it; only a watch waits for anything."""
        try:
            static = self._static(request)
            return static if static is not None else await self._resource(request)
        except ApiError as problem:
            return _json(problem.document(), problem.code)

    def _static(self, request: web.Request) -> web.Response | None:
        """Answers that do not concern a resource."""
        path = request.path.rstrip("/")
        if path in _HEALTH:
            return web.Response(text="ok")
        if path == "/version":
            return _json(discovery.VERSION)
        if path.startswith("/openapi/"):
            return self._openapi(path, request.headers.get("Accept", ""))
        return self._discovery(path.strip("/").split("/"))

    def _openapi(self, path: str, accept: str) -> web.Response:
        if path == "/openapi/v2" and "protobuf" in accept:
            return web.Response(body=openapi.v2_protobuf(), headers={"Content-Type": _OPENAPI_V2})
        if path == "/openapi/v2":
            return _json(openapi.v2())
        if path == "/openapi/v3":
            return _json(openapi.v3_index(self.cluster.registry))
        return _json(openapi.v3(self.cluster.registry, path.removeprefix("/openapi/v3/")))

    def _discovery(self, steps: list[str]) -> web.Response | None:
        registry = self.cluster.registry
        match steps:
            case ["api"]:
                return _json(discovery.versions())
            case ["apis"]:
                return _json(discovery.groups(registry))
            case ["api", version]:
                return _json(discovery.resources(registry, "", version))
            case ["apis", group]:
                return _json(discovery.group(registry, group))
            case ["apis", group, version]:
                return _json(discovery.resources(registry, group, version))
        return None

    async def _resource(self, request: web.Request) -> web.StreamResponse:
        body = Body(content=await request.read(), media_type=request.content_type)
        identity = self._identity(request)
        if reviews.is_review(request.path):
            review, wish = reviews.wish_of(body)
            return _json(reviews.answered(review, self._may(identity, wish)), 201)
        target = paths.parse(request.path, self.cluster.registry)
        self._authorize(identity, rbac.wish_of(request.method, target, request.query))
        if rbac.creates(body.media_type, target, self.cluster.store):
            self._authorize(identity, rbac.wish_of("POST", target, request.query))
        if request.method == "GET":
            return await self._read(request, target)
        if target.resource.namespaced and not target.namespace:
            raise method_not_allowed()
        if request.method == "DELETE":
            return self._delete(target, body, request.query)
        if request.method == "POST" and target.subresource in ("binding", "eviction"):
            return self._act_on_pod(target, body)
        if request.method == "POST" and target.subresource == "token":
            self.cluster.live(target)
            token = self.tokens.issue(service_account(target.namespace, target.name))
            return _json(reviews.token_request(body, token), 201)
        return self._write(request, target, body)

    def _identity(self, request: web.Request) -> Identity:
        """Who asks.

        Without a token it is the administrator, as on the insecure port that kube-apiserver once had: kubectl sends no
        token over plain HTTP. It does say whom it impersonates.
        """
        authorization = request.headers.get("Authorization", "")
        holder = self.tokens.holder(authorization) if authorization else ADMIN
        if holder is None and self._enforce_rbac:
            raise unauthorized()
        impersonated = request.headers.get("Impersonate-User", "")
        return named(impersonated) if impersonated and holder == ADMIN else holder or ADMIN

    def _may(self, identity: Identity, wish: rbac.Wish) -> bool:
        return not self._enforce_rbac or rbac.allowed(identity, wish, self.cluster.store)

    def _authorize(self, identity: Identity, wish: rbac.Wish) -> None:
        passed = self._may(identity, wish)
        self.audit.note(identity, wish, passed)
        if not passed:
            raise rbac.refusal(identity, wish)

    async def _read(self, request: web.Request, target: Target) -> web.StreamResponse:
        query = request.query
        if query.get("watch") in ("true", "1") and not target.subresource:
            return await self._watch(request, target)
        as_table = table.wants_table(request.headers.get("Accept", ""))
        if not target.name:
            page = self.pages.page(target, query)
            if as_table:
                items = [reads.present(target, item) for item in page.items]
                return _json(
                    table.table(target.resource, items, reads.list_metadata(page), query.get("includeObject", ""))
                )
            return _json(reads.list_document(target, page))
        if target.subresource == "log":
            return await self._log(request, target)
        document = reads.present(target, self.cluster.live(target))
        if as_table and not target.subresource:
            metadata = {"resourceVersion": document["metadata"]["resourceVersion"]}
            return _json(table.table(target.resource, [document], metadata, query.get("includeObject", "")))
        return _json(self._shown(target, document))

    async def _log(self, request: web.Request, target: Target) -> web.StreamResponse:
        pod = self.cluster.live(target)
        node = self.cluster.store.get(("", "nodes"), ("", pod["spec"].get("nodeName", "")))
        return await logs.relay(request, logs.source(pod, node, request.query.get("container", "")))

    async def _watch(self, request: web.Request, target: Target) -> web.StreamResponse:
        streaming = asyncio.create_task(self._stream(request, target))
        self._watches.add(streaming)
        streaming.add_done_callback(self._watches.discard)
        try:
            return await streaming
        finally:
            streaming.cancel()

    async def _stream(self, request: web.Request, target: Target) -> web.StreamResponse:
        events = watches.events(self.cluster.store, target, request.query, self._bookmark_seconds)
        as_table = table.wants_table(request.headers.get("Accept", ""))
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        watches.WatchRequest.parse(request.query)
        reads.selection(target, request.query)
        await response.prepare(request)
        async with aclosing(events):
            try:
                async for event in events:
                    await response.write(_line(_rendered(target, event, as_table, request.query)))
            except ApiError as problem:
                await response.write(_line(watches.gone(problem)))
            except ConnectionError:
                return response
        await response.write_eof()
        return response

    def _write(self, request: web.Request, target: Target, body: Body) -> web.Response:
        call = writes.Call.parse(target, body, request.query, request.headers.get("User-Agent", ""))
        document, created = self._written(request.method, call)
        response = _json(self._shown(target, reads.present(target, document)), 201 if created else 200)
        for warning in call.typing.warnings:
            quoted = warning.replace('"', '\\"')
            response.headers.add("Warning", f'299 - "{quoted}"')
        return response

    def _written(self, method: str, call: writes.Call) -> tuple[Document, bool]:
        """The object after the write, and whether it is new."""
        match method, bool(call.target.name):
            case "POST", False:
                return writes.create(self.cluster, call), True
            case "PUT", True:
                return writes.replace(self.cluster, call), False
            case "PATCH", True if call.body.media_type == APPLY_PATCH:
                return writes.apply(self.cluster, call)
            case "PATCH", True:
                return writes.patch(self.cluster, call), False
        raise method_not_allowed()

    def _shown(self, target: Target, document: Document) -> Document:
        return scale.scale_of(target, document) if target.subresource == "scale" else document

    def _delete(self, target: Target, body: Body, query: Mapping[str, str]) -> web.Response:
        options = writes.delete_options(body, query)
        if not target.name:
            deleted = writes.delete_collection(self.cluster, target, query, options)
            page = reads.Page(items=deleted, revision=self.cluster.store.revision)
            return _json(reads.list_document(target, page))
        document, gone = self.cluster.delete(target, options)
        # A real server answers the object itself where deletion takes time, for pods and services always.
        if not gone or target.resource.plural in ("pods", "services", "serviceaccounts"):
            return _json(reads.present(target, document))
        details = {"name": target.name, "kind": target.resource.plural, "uid": document["metadata"]["uid"]}
        if target.resource.group:
            details["group"] = target.resource.group
        return _json({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details})

    def _act_on_pod(self, target: Target, body: Body) -> web.Response:
        if target.subresource == "binding":
            writes.bind(self.cluster, target, body)
        else:
            self.cluster.delete(target, writes.delete_options(Body(content=b"", media_type=""), {}))
        return _json({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}, 201)


async def start(*, port: int = 0, history: int = 5000, bookmark_seconds: float = 60.0) -> ApiServer:
    """A running server; the caller closes it."""
    return await ApiServer(port=port, history=history, bookmark_seconds=bookmark_seconds).__aenter__()


def _json(document: Document, status: int = 200) -> web.Response:
    content = json.dumps(document, separators=(",", ":")).encode()
    return web.Response(body=content, status=status, content_type="application/json")


def _line(event: Document) -> bytes:
    return json.dumps(event, separators=(",", ":")).encode() + b"\n"


def _rendered(target: Target, event: Document, as_table: bool, query: Mapping[str, str]) -> Document:
    document = reads.present(target, event["object"])
    if as_table and event["type"] != "BOOKMARK":
        metadata = {"resourceVersion": document["metadata"]["resourceVersion"]}
        document = table.table(target.resource, [document], metadata, query.get("includeObject", ""))
    return {"type": event["type"], "object": document}

"""Documents as a plain user writes them, a real Envoy, and backends at addresses of their own."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from canary_analyzer.sandbox.mesh.envoy import Envoy

Document = dict[str, Any]


def metadata(name: str, **more: Any) -> Document:
    return {"name": name, "namespace": "default", **more}


def service(name: str, port: int = 80, **spec: Any) -> Document:
    ports = [{"name": "http", "port": port, "targetPort": 8080}]
    return {"metadata": metadata(name), "spec": {"ports": ports, **spec}}


def pod(name: str, deployment: str, **labels: str) -> Document:
    owner = {"kind": "ReplicaSet", "name": f"{deployment}-5d8f", "controller": True}
    return {"metadata": metadata(name, labels={"pod-template-hash": "5d8f", **labels}, ownerReferences=[owner])}


def endpoints(name: str, *addresses: tuple[str, int, str]) -> Document:
    """Addresses as (ip, port, pod name); all of one port."""
    ready = [{"ip": ip, "targetRef": {"kind": "Pod", "name": pod_name}} for ip, _, pod_name in addresses]
    ports = [{"name": "http", "port": addresses[0][1]}] if addresses else []
    return {"metadata": metadata(name), "subsets": [{"addresses": ready, "ports": ports}] if addresses else []}


def virtual_service(name: str, *http: Document, hosts: list[str], gateways: list[str] | None = None) -> Document:
    spec: Document = {"hosts": hosts, "http": list(http)}
    return {"metadata": metadata(name), "spec": spec if gateways is None else {**spec, "gateways": gateways}}


def gateway(name: str, *hosts: str) -> Document:
    server = {"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": list(hosts)}
    return {"metadata": metadata(name), "spec": {"servers": [server]}}


def destination_rule(name: str, host: str, **spec: Any) -> Document:
    return {"metadata": metadata(name), "spec": {"host": host, **spec}}


def to(host: str, weight: int | None = None, **more: Any) -> Document:
    entry: Document = {"destination": {"host": host}, **more}
    return entry if weight is None else {**entry, "weight": weight}


@pytest.fixture
def make() -> SimpleNamespace:
    """The builders of documents."""
    builders = (service, pod, endpoints, virtual_service, gateway, destination_rule, to)
    return SimpleNamespace(**{builder.__name__: builder for builder in builders})


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
async def envoy(tmp_path: Path, http: aiohttp.ClientSession) -> AsyncIterator[Envoy]:
    async with Envoy.running(tmp_path / "envoy", http) as proxy:
        yield proxy


@pytest.fixture
async def backend() -> AsyncIterator[Callable[..., Any]]:
    """Start a server that answers with its name, the path and the headers it saw; gives its port."""
    async with AsyncExitStack() as stack:

        async def start(name: str, status: int = 200) -> int:
            async def answer(request: web.Request) -> web.Response:
                seen = {"name": name, "path": request.path, "headers": dict(request.headers)}
                return web.json_response(seen, status=status, headers={"x-app-version": name})

            app = web.Application()
            app.router.add_route("*", "/{tail:.*}", answer)
            runner = web.AppRunner(app, access_log=None)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            return int(runner.addresses[0][1])

        yield start

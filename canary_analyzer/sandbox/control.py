"""The control API: what tests and the demo may ask of a running sandbox, and do to it.

GET /load, GET /load/lost, POST /load?rps=N&slow_every=N&slow_seconds=S; POST /prometheus/stop, /prometheus/start,
/prometheus/scrape?target=HOST:PORT (several, or none);
POST /pods/NAMESPACE/NAME/kill, /pods/NAMESPACE/NAME/delete?grace=N; GET /mesh, POST /mesh/delay?seconds=0.1-10&seed=N;
POST /hpa/NAMESPACE/NAME?replicas=N; GET /kubeconfig/NAMESPACE/SERVICEACCOUNT; GET /rbac, POST /rbac/forget.
"""

import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import aiohttp
from aiohttp import web

from canary_analyzer.sandbox import rights
from canary_analyzer.sandbox.api.rbac import Audit
from canary_analyzer.sandbox.client import HORIZONTALPODAUTOSCALERS, PODS, ApiError, KubeClient
from canary_analyzer.sandbox.mesh.agent import MeshAgent, parse_delay
from canary_analyzer.sandbox.mesh.prometheus import Prometheus, PrometheusError
from canary_analyzer.sandbox.podnetwork import local
from canary_analyzer.sandbox.workloads.autoscaler import DESIRED_REPLICAS


@dataclass(frozen=True, kw_only=True)
class Controls:
    """What the API reaches: the load client's socket, the running parts, and the cluster."""

    load_socket: Path
    prometheus: Prometheus
    mesh: MeshAgent
    client: KubeClient
    kubeconfig: Path
    audit: Audit | None


@asynccontextmanager
async def serving(controls: Controls) -> AsyncIterator[str]:
    """Serve on a free loopback port for as long as the block lasts; gives the URL."""
    connector = aiohttp.UnixConnector(path=str(controls.load_socket))
    async with aiohttp.ClientSession("http://load", connector=connector) as load:
        runner = web.AppRunner(_application(controls, load), access_log=None)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            host, port = runner.addresses[0][:2]
            yield f"http://{host}:{port}"
        finally:
            await runner.cleanup()


def _application(controls: Controls, load: aiohttp.ClientSession) -> web.Application:
    app = web.Application()
    app.add_routes(
        [
            web.get("/load", _forwarder(load)),
            web.get("/load/lost", _forwarder(load)),
            web.post("/load", _forwarder(load)),
            web.post("/prometheus/stop", _call(controls.prometheus.stop)),
            web.post("/prometheus/start", _call(controls.prometheus.start)),
            web.post("/prometheus/scrape", _scraper(controls.prometheus)),
            web.post("/pods/{namespace}/{name}/kill", _killer(controls.client, load)),
            web.post("/pods/{namespace}/{name}/delete", _deleter(controls.client, load)),
            web.post("/hpa/{namespace}/{name}", _autoscaler(controls.client)),
            web.get("/kubeconfig/{namespace}/{name}", rights.kubeconfig_of(controls.client, controls.kubeconfig)),
            web.get("/rbac", rights.asked(controls.audit)),
            web.post("/rbac/forget", rights.forget(controls.audit)),
            web.get("/mesh", _mesh(controls.mesh)),
            web.post("/mesh/delay", _delayer(controls.mesh)),
        ]
    )
    return app


Handler = Callable[[web.Request], Awaitable[web.Response]]


def _forwarder(load: aiohttp.ClientSession) -> Handler:
    async def forward(request: web.Request) -> web.Response:
        try:
            async with load.request(request.method, request.path, params=request.query) as answer:
                return web.Response(
                    status=answer.status, body=await answer.read(), content_type="application/json", charset="utf-8"
                )
        except aiohttp.ClientError as error:
            return _error(502, f"the load client does not answer: {error}")

    return forward


def _call(action: Callable[[], Awaitable[None]]) -> Handler:
    async def call(_: web.Request) -> web.Response:
        try:
            await action()
        except (PrometheusError, TimeoutError) as error:
            return _error(500, str(error))
        return web.json_response({})

    return call


def _scraper(prometheus: Prometheus) -> Handler:
    async def scrape(request: web.Request) -> web.Response:
        targets = request.query.getall("target", [])
        prometheus.scrape(targets)
        return web.json_response({"targets": targets})

    return scrape


def _killer(client: KubeClient, load: aiohttp.ClientSession) -> Handler:
    async def kill(request: web.Request) -> web.Response:
        namespace, name = request.match_info["namespace"], request.match_info["name"]
        try:
            pod = await client.get(PODS, namespace, name)
        except ApiError as error:
            return _error(error.status, error.message)
        began = time.time()
        killed = kill_children(f"HOST={local((pod.get('status') or {}).get('podIP', ''))}")
        if not killed:
            return _error(404, f"pod {namespace}/{name}: no process")
        await _tell(load, name, began)
        return web.json_response({"killed": killed})

    return kill


async def _tell(load: aiohttp.ClientSession, pod: str, at: float) -> None:
    """Let the load client know when a pod was ended by force: it tells its losses on that pod from others."""
    async with load.post("/load/killed", params={"pod": pod, "at": at}) as answer:
        answer.raise_for_status()


def _deleter(client: KubeClient, load: aiohttp.ClientSession) -> Handler:
    async def delete(request: web.Request) -> web.Response:
        namespace, name, grace = request.match_info["namespace"], request.match_info["name"], request.query.get("grace")
        began = time.time()
        try:
            options = {} if grace is None else {"gracePeriodSeconds": int(grace)}
            await client.delete(PODS, namespace, name, options)
        except ValueError:
            return _error(400, f"grace: {grace!r} is not a number of seconds: give 0 to end the pod by force")
        except ApiError as error:
            return _error(error.status, error.message)
        if grace == "0":
            await _tell(load, name, began)
        return web.json_response({"deleted": name})

    return delete


def _autoscaler(client: KubeClient) -> Handler:
    async def wish(request: web.Request) -> web.Response:
        namespace, name = request.match_info["namespace"], request.match_info["name"]
        patch = {"metadata": {"annotations": {DESIRED_REPLICAS: request.query.get("replicas", "")}}}
        try:
            await client.patch(HORIZONTALPODAUTOSCALERS, namespace, name, patch)
        except ApiError as error:
            return _error(error.status, error.message)
        return web.json_response({"replicas": request.query.get("replicas")})

    return wish


def kill_children(variable: str) -> int:
    """Kill, with all of their session, this process's children that have a variable; a pod has its address there."""
    killed = 0
    for pid in _children():
        with suppress(OSError):  # it has ended by itself
            if variable.encode() in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
                os.killpg(pid, signal.SIGKILL)
                killed += 1
    return killed


def _children() -> list[int]:
    """Return the processes that this one's threads have started; threads may end while they are being asked."""
    found: list[int] = []
    for children in Path("/proc/self/task").glob("*/children"):
        with suppress(OSError):
            found += map(int, children.read_text().split())
    return found


def _mesh(mesh: MeshAgent) -> Handler:
    async def show(_: web.Request) -> web.Response:
        return web.json_response({"delay": asdict(mesh.delay), "problems": mesh.problems})

    return show


def _delayer(mesh: MeshAgent) -> Handler:
    async def delay(request: web.Request) -> web.Response:
        query = request.query
        try:
            mesh.set_delay(parse_delay(query.get("seconds", ""), int(query.get("seed", 0))))
        except ValueError as error:
            return _error(400, f"seconds or seed: {error}")
        return web.json_response(asdict(mesh.delay))

    return delay


def _error(status: int, message: str) -> web.Response:
    return web.json_response({"error": message}, status=status)

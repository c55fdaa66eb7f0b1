"""`sandbox up`: all parts of the mesh in a box, each speaking to the others only through the Kubernetes API."""

import asyncio
import json
import logging
import signal
import sys
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from canary_analyzer.sandbox import control, images, kubeconfig, manifests, node, workloads
from canary_analyzer.sandbox.api import ApiServer
from canary_analyzer.sandbox.api.rbac import Audit
from canary_analyzer.sandbox.client import ApiError, KubeClient
from canary_analyzer.sandbox.mesh import processes
from canary_analyzer.sandbox.mesh.agent import Delay, MeshAgent
from canary_analyzer.sandbox.mesh.dialects import DIALECTS, Metrics
from canary_analyzer.sandbox.mesh.envoy import Envoy, EnvoyError
from canary_analyzer.sandbox.mesh.prometheus import Prometheus, PrometheusError
from canary_analyzer.sandbox.node.reaper import Reaper

READY_SECONDS = 60.0
POLL_SECONDS = 0.05


@dataclass(frozen=True, kw_only=True)
class SandboxOptions:
    """What a user may choose.

    `kubeconfig` leads to another API server than the sandbox's own, `images` adds images to the known ones, `load` is
    in requests per second, `json` asks for one line of JSON instead of text, `workload_controller` is off where a
    kube-controller-manager runs, `metrics` chooses the telemetry's dialect,
    `delay` is how late routes are, `enforce_rbac` lets ServiceAccounts do only what Roles allow.
    """

    kubeconfig: Path | None = None
    json: bool = False
    load: float = 0.0
    images: Path | None = None
    workload_controller: bool = True
    metrics: Metrics = Metrics.ISTIO
    delay: Delay = field(default_factory=Delay)
    enforce_rbac: bool = False


@dataclass(frozen=True, kw_only=True)
class Addresses:
    """Where everything is: a kubeconfig file, and URLs; `sidecar` is the way of a client inside the mesh."""

    kubeconfig: str
    api: str
    ingress: str
    sidecar: str
    prometheus: str
    control: str


def up(options: SandboxOptions) -> None:
    """Bring the sandbox up and keep it up until SIGINT or SIGTERM; no process and no file is left then.

    In an API server that was given, what was created there is deleted too, but for the definitions of Istio's kinds;
    after a SIGKILL it stays, and the next sandbox goes on with it.

    Raises:
        SystemExit: It cannot come up; the message says why.
    """
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    try:
        asyncio.run(_until_signal(_keep_up(options)))
    except* (EnvoyError, PrometheusError, ApiError, aiohttp.ClientError, OSError, ValueError) as group:
        raise SystemExit("\n".join(f"sandbox: {error}" for error in _leaves(group))) from group


def _leaves(group: BaseExceptionGroup[Any]) -> list[BaseException]:
    nested = (_leaves(error) if isinstance(error, BaseExceptionGroup) else [error] for error in group.exceptions)
    return [leaf for leaves in nested for leaf in leaves]


async def _until_signal(work: Coroutine[Any, Any, None]) -> None:
    """Run until it fails or a signal asks for the end; further signals do not disturb the tidying up."""
    task = asyncio.ensure_future(work)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    stopped = asyncio.ensure_future(stop.wait())
    await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        return


async def _keep_up(options: SandboxOptions) -> None:
    async with AsyncExitStack() as stack:
        addresses = await _bring_up(options, stack)
        print(_announcement(addresses, options), flush=True)
        await asyncio.Event().wait()


def _announcement(addresses: Addresses, options: SandboxOptions) -> str:
    if options.json:
        return json.dumps(asdict(addresses))
    lines = (f"{name:<12}{value}" for name, value in asdict(addresses).items())
    return "\n".join([*lines, f"\nkubectl --kubeconfig {addresses.kubeconfig} get deployments", "Ctrl-C ends it."])


async def _bring_up(options: SandboxOptions, stack: AsyncExitStack) -> Addresses:
    """Start every part; the stack ends them in the opposite order, the load first."""
    known = {**images.load(), **(images.load(options.images) if options.images else {})}
    folder = (await stack.enter_async_context(Reaper())).directory
    http = await stack.enter_async_context(aiohttp.ClientSession())
    proxy = await stack.enter_async_context(Envoy.running(folder / "envoy", http, options.metrics))
    # Early: Prometheus looks for its targets 5 s after its start, whatever the scrape interval.
    prometheus = await stack.enter_async_context(
        Prometheus.running(folder / "prometheus", http, proxy.admin, options.metrics)
    )
    api = _api(options.kubeconfig, folder / "kubeconfig", options.enforce_rbac)
    config, audit = await stack.enter_async_context(api)
    client = await stack.enter_async_context(KubeClient.from_kubeconfig(config))
    await node.disown(client, node.NODE_NAME)
    if options.kubeconfig:
        stack.push_async_callback(node.disown, client, node.NODE_NAME)
    mesh = MeshAgent(client, proxy, options.delay)
    parts = [mesh.run(), node.run(client, known), proxy.ended(), prometheus.keep_running()]
    parts += [workloads.run(client)] if options.workload_controller else []
    await stack.enter_async_context(_running(parts))
    # Only an API server of our own takes with it what is in it; elsewhere the parts are still there to clear away.
    await stack.enter_async_context(manifests.installed(client, keep=options.kubeconfig is None))
    ingress = f"http://{proxy.ingress}"
    await _until_served(client, http, ingress)
    socket = folder / "load.sock"
    await stack.enter_async_context(_load(socket, ingress, options.load, folder))
    controls = control.Controls(
        load_socket=socket, prometheus=prometheus, mesh=mesh, client=client, kubeconfig=config, audit=audit
    )
    control_url = await stack.enter_async_context(control.serving(controls))
    if options.load:
        await _until_first_sample(http, prometheus.url, options.metrics)
    return Addresses(
        kubeconfig=str(config),
        api=kubeconfig.load(config).url,
        ingress=ingress,
        sidecar=f"http://{proxy.sidecar}",
        prometheus=prometheus.url,
        control=control_url,
    )


@asynccontextmanager
async def _api(given: Path | None, file: Path, enforce_rbac: bool) -> AsyncIterator[tuple[Path, Audit | None]]:
    """A kubeconfig that leads to an API server: the given one, or one of our own, which notes who asks for what."""
    if given:
        yield given, None
        return
    async with ApiServer(enforce_rbac=enforce_rbac) as server:
        server.write_kubeconfig(file)
        yield file, server.audit


@asynccontextmanager
async def _running(parts: list[Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    """Run parts beside the block: one that fails ends the block, the end of the block ends them all."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(part) for part in parts]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()


@asynccontextmanager
async def _load(socket: Path, ingress: str, rate: float, folder: Path) -> AsyncIterator[None]:
    target = ["--url", f"{ingress}/work", "--host", manifests.NAME, "--rps", str(rate)]
    command = [sys.executable, "-m", "canary_analyzer.sandbox.load", "--socket", str(socket), *target]
    process = await processes.spawn(command, folder, folder / "load.log")
    try:
        while not socket.exists():
            if process.returncode is not None:
                raise OSError(f"the load client ended at its start:\n{processes.last_lines(folder / 'load.log')}")
            await asyncio.sleep(POLL_SECONDS)
        async with _running([processes.ended(process, "the load client", folder / "load.log")]):
            yield
    finally:
        await processes.stop(process)


async def _until_served(client: KubeClient, http: aiohttp.ClientSession, ingress: str) -> None:
    try:
        async with asyncio.timeout(READY_SECONDS):
            await manifests.wait_until_available(client)
            await _until_ok(http, ingress)
    except TimeoutError:
        where = f"deployment {manifests.NAMESPACE}/{manifests.NAME}"
        raise TimeoutError(f"{where} does not serve after {READY_SECONDS:.0f} s: look at its pods") from None


async def _until_ok(http: aiohttp.ClientSession, ingress: str) -> None:
    while True:
        async with http.get(ingress) as answer:
            if answer.status == 200:
                return
        await asyncio.sleep(POLL_SECONDS)


async def _until_first_sample(http: aiohttp.ClientSession, prometheus: str, metrics: Metrics) -> None:
    dialect = DIALECTS[metrics]
    query = {"query": f'{{__name__="{dialect.counter}",{dialect.service_label}="{manifests.NAME}"}}'}
    async with asyncio.timeout(READY_SECONDS):
        while True:
            async with http.get(f"{prometheus}/api/v1/query", params=query) as answer:
                if (await answer.json())["data"]["result"]:
                    return
            await asyncio.sleep(POLL_SECONDS)

"""One look at everything: a real API server, and HTTP answers as Prometheus, service and load client give them."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web

from canary_analyzer.sandbox.api import ApiServer
from canary_analyzer.sandbox.client import DEPLOYMENTS, KubeClient
from canary_analyzer.sandbox.demo.observe import DEPLOYMENT, NAMESPACE, Addresses, Observer
from canary_analyzer.sandbox.demo.outcome import Load
from canary_analyzer.sandbox.demo.parse import Status
from canary_analyzer.sandbox.demo.view import Arm

STATUS = {"run": "flask-app-1", "phase": "Analysing", "weight": 10, "verdict": "continue", "reason": "all is well"}
LABELS = {"app": "flask-app"}
STABLE = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {
        "name": DEPLOYMENT,
        "namespace": NAMESPACE,
        "annotations": {"canary-analyzer.io/status": json.dumps(STATUS)},
    },
    "spec": {
        "selector": {"matchLabels": LABELS},
        "template": {
            "metadata": {"labels": LABELS},
            "spec": {"containers": [{"name": "app", "image": "flask-app:v1"}]},
        },
    },
}


async def vector(request):
    """Answer every query with the same numbers, one per workload."""
    result = [
        {"metric": {"destination_workload": name}, "value": [0, value]}
        for name, value in (("flask-app", "90"), ("flask-app-canary", "10"))
    ]
    return web.json_response({"status": "success", "data": {"resultType": "vector", "result": result}})


async def load(request):
    return web.json_response({"sent": 100, "lost": 1, "by_version": {}})


async def metrics(request):
    return web.Response(text='canary_analyzer_weight{deployment="flask-app",kind="wanted"} 10\n')


@asynccontextmanager
async def observer(tmp_path, *routes):
    app = web.Application()
    app.add_routes(routes)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = "http://{}:{}".format(*runner.addresses[0])
    addresses = Addresses(prometheus=url, control=url, service=url)
    async with ApiServer() as api, aiohttp.ClientSession() as http:
        api.write_kubeconfig(tmp_path / "kubeconfig")
        async with KubeClient.from_kubeconfig(tmp_path / "kubeconfig") as kube:
            await kube.create(DEPLOYMENTS, STABLE)
            yield Observer(http, kube, addresses)
    await runner.cleanup()


async def test_a_look_sees_everything(tmp_path):
    routes = (web.get("/api/v1/query", vector), web.get("/load", load), web.get("/metrics", metrics))
    async with observer(tmp_path, *routes) as eyes:
        look = await eyes.look()
    assert look.status == Status(run="flask-app-1", phase="Analysing", reason="all is well")
    assert look.progress.wanted == 10
    assert (look.baseline, look.canary) == tuple(
        Arm(rate=number, error_rate=number, p50_ms=number, p99_ms=number) for number in (90, 10)
    )
    assert (look.canary_total, look.load) == (10, Load(sent=100, lost=1))


async def test_what_does_not_answer_is_left_out(tmp_path):
    async with observer(tmp_path) as eyes:
        look = await eyes.look()
    assert look.status.phase == "Analysing"
    assert (look.baseline, look.canary_total, look.load) == (Arm(), None, None)
    assert look.progress.wanted is None

"""Faults before a server that speaks like Prometheus, asked as its clients ask: by GET and by POST with a form."""

import json

import aiohttp
import pytest
from aiohttp import web

from canary_analyzer.sandbox.faults import Drop, Empty, FaultProxy, Rule, Warn

SERIES = {"metric": {"__name__": "istio_requests_total"}, "value": [0.0, "5"]}
ANSWER = {"status": "success", "data": {"resultType": "vector", "result": [SERIES]}}


@pytest.fixture
async def prometheus():
    async def answer(_):
        return web.json_response(ANSWER)

    app = web.Application()
    app.router.add_route("*", "/api/v1/query", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with FaultProxy(f"http://127.0.0.1:{runner.addresses[0][1]}") as proxy:
        yield proxy
    await runner.cleanup()


async def ask(proxy, method, query):
    how = {"params": {"query": query}} if method == "GET" else {"data": {"query": query}}
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, f"{proxy.url}/api/v1/query", **how) as answer,
    ):
        return json.loads(await answer.read())


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_rule_may_mean_certain_queries(prometheus, method):
    prometheus.play(Rule(action=Empty(), query="duration_milliseconds_bucket"))
    buckets = await ask(prometheus, method, "istio_request_duration_milliseconds_bucket[1m]")
    requests = await ask(prometheus, method, "istio_requests_total[1m]")
    assert (buckets["data"]["result"], requests) == ([], ANSWER)


async def test_faults_add_up(prometheus):
    prometheus.play(Rule(action=Empty()), Rule(action=Warn(text="partial")))
    answer = await ask(prometheus, "GET", "up")
    assert (answer["data"]["result"], answer["warnings"]) == ([], ["partial"])


async def test_a_server_that_is_down_answers_nobody(prometheus):
    prometheus.play(Rule(action=Drop()))
    with pytest.raises(aiohttp.ClientError):
        await ask(prometheus, "GET", "up")

"""The load client against a real server."""

import asyncio
from contextlib import asynccontextmanager, suppress

import pytest
from aiohttp import web

from canary_analyzer.sandbox.load.client import LoadClient, session


@asynccontextmanager
async def loaded(answer, rate=500.0):
    """A client that sends to a server with this answer."""
    app = web.Application()
    app.router.add_get("/work", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with session() as http:
        client = LoadClient(http, f"http://127.0.0.1:{runner.addresses[0][1]}/work", "flask-app", rate)
        running = asyncio.create_task(client.run())
        yield client
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
    await runner.cleanup()


async def until(condition):
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


async def test_answers_are_counted_by_version_and_status():
    async def answer(request):
        assert request.headers["Host"] == "flask-app"
        return web.Response(status=500, headers={"x-app-version": "v1"})

    async with loaded(answer) as client:
        await until(lambda: client.tally.summary()["sent"] >= 20)
    summary = client.tally.summary()
    assert summary["by_version"] == {"v1": {"500": summary["sent"]}}
    assert summary["lost"] == 0


async def test_an_answer_without_a_version_is_lost_and_remembered_with_its_cause():
    async def answer(_):
        return web.Response(status=503, text="no healthy upstream")

    async with loaded(answer) as client:
        await until(lambda: client.tally.lost >= 60)
    first = client.tally.remembered()[0]
    assert first["cause"] == "status 503 without x-app-version: no healthy upstream"
    assert len(client.tally.remembered()) == 50
    assert client.tally.summary()["sent"] == client.tally.lost


async def test_no_answer_at_all_is_lost_with_the_exception():
    async with session() as http:
        client = LoadClient(http, "http://127.0.0.1:1/work", "flask-app", 100)
        running = asyncio.create_task(client.run())
        await until(lambda: client.tally.lost)
        running.cancel()
    assert "ClientConnectorError" in client.tally.remembered()[0]["cause"]


async def test_requests_in_flight_count_only_when_their_fate_is_known():
    release = asyncio.Event()

    async def answer(_):
        await release.wait()
        return web.Response(headers={"x-app-version": "v1"})

    async with loaded(answer) as client:
        await until(lambda: client.tally.in_flight >= 10)
        assert client.tally.summary()["sent"] == 0
        client.set_rate(0)
        release.set()
        await until(lambda: client.tally.in_flight == 0)
        assert client.tally.summary()["sent"] >= 10


async def test_the_rate_can_be_changed_from_none_and_to_none():
    async def answer(_):
        return web.Response(headers={"x-app-version": "v1"})

    async with loaded(answer, rate=0) as client:
        assert client.tally.summary()["sent"] == 0
        client.set_rate(200)
        await until(lambda: client.tally.summary()["sent"] >= 20)


@pytest.mark.parametrize("rate", [-1, float("nan"), float("inf")])
async def test_a_rate_that_is_none_is_refused(rate):
    async with session() as http:
        with pytest.raises(ValueError, match="is not a rate"):
            LoadClient(http, "http://127.0.0.1:1", "x", 0).set_rate(rate)


async def test_every_so_many_th_request_asks_for_a_slow_answer():
    asked = []

    async def answer(request):
        asked.append(request.query.get("seconds"))
        return web.Response(headers={"x-app-version": "v1"})

    async with loaded(answer) as client:
        client.set_slow(5, 2.5)
        await until(lambda: len(asked) >= 20)
    assert asked[:20].count("2.5") in (3, 4)  # it had begun before it was told


async def test_what_the_proxy_says_of_a_loss_is_kept():
    async def answer(_):
        return web.Response(status=503, headers={"x-sandbox-pod": "web-1", "x-sandbox-cause": "UC"})

    async with loaded(answer) as client:
        await until(lambda: client.tally.lost)
    first = client.tally.remembered()[0]
    assert (first["pod"], first["flags"], first["kind"]) == ("web-1", "UC", "other")

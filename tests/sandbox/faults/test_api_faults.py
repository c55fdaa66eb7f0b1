"""Faults before the real API emulator: what its client gets, and what the server has done."""

import asyncio
import json
import time
from contextlib import suppress

import aiohttp
import pytest
import requests

from canary_analyzer.sandbox.api import ApiServer
from canary_analyzer.sandbox.faults import (
    CONFLICT,
    GONE,
    INTERNAL,
    TOO_MANY,
    UNAVAILABLE,
    CutWatch,
    Drop,
    DuplicateEvents,
    ExpireWatch,
    FaultProxy,
    ReorderEvents,
    Rule,
    Slow,
    Stale,
    Truncate,
    faulty,
)

MAPS = "/api/v1/namespaces/default/configmaps"


class Http:
    def __init__(self, session):
        self.session = session

    async def get(self, path):
        async with self.session.get(path) as response:
            return response.status, json.loads(await response.read())

    async def create(self, name):
        async with self.session.post(MAPS, json={"metadata": {"name": name}}) as response:
            return response.status

    async def names(self):
        _, found = await self.get(MAPS)
        return [item["metadata"]["name"] for item in found["items"]]

    async def events(self, version, enough):
        """The names that a watch tells until it breaks, or until there are enough of them."""
        told = []
        with suppress(aiohttp.ClientError, ValueError):
            async with self.session.get(f"{MAPS}?watch=1&resourceVersion={version}") as response:
                while len(told) < enough:
                    line = await response.content.readline()
                    told.append(json.loads(line)["object"]["metadata"]["name"])
        return told


@pytest.fixture
async def proxy():
    async with ApiServer() as server, FaultProxy(server.url) as running:
        yield running


@pytest.fixture
async def http(proxy):
    async with aiohttp.ClientSession(proxy.url) as session:
        yield Http(session)


@pytest.fixture
async def watched(http):
    """The version before three ConfigMaps were made."""
    _, before = await http.get(MAPS)
    for name in ("a", "b", "c"):
        await http.create(name)
    return before["metadata"]["resourceVersion"]


@pytest.mark.parametrize(
    ("refuse", "status", "reason"),
    [
        (CONFLICT, 409, "Conflict"),
        (GONE, 410, "Expired"),
        (TOO_MANY, 429, "TooManyRequests"),
        (INTERNAL, 500, "InternalError"),
        (UNAVAILABLE, 503, "ServiceUnavailable"),
    ],
)
async def test_a_refusal_is_a_status_that_the_server_never_heard_of(proxy, http, refuse, status, reason):
    proxy.play(Rule(action=refuse, times=1))
    answer, document = await http.get(MAPS)
    assert (answer, document["reason"], document["code"]) == (status, reason, status)
    assert (await http.get(MAPS))[0] == 200


async def test_too_many_requests_say_when_to_come_again(proxy, http):
    proxy.play(Rule(action=TOO_MANY))
    async with http.session.get(MAPS) as response:
        assert response.headers["Retry-After"] == "1"


@pytest.mark.parametrize(("after", "written"), [(False, []), (True, ["x"])], ids=["before", "after"])
async def test_a_dropped_write_is_done_or_not(proxy, http, after, written):
    proxy.play(Rule(action=Drop(after=after), methods=("POST",)))
    with pytest.raises(aiohttp.ClientError):
        await http.create("x")
    assert await http.names() == written


async def test_a_slow_answer_comes_late(proxy, http):
    proxy.play(Rule(action=Slow(seconds=0.2)))
    began = time.monotonic()
    await http.get(MAPS)
    assert time.monotonic() - began >= 0.2


async def test_a_truncated_answer_breaks_off(proxy, http):
    proxy.play(Rule(action=Truncate()))
    with pytest.raises(aiohttp.ClientError):
        await http.get(MAPS)


async def test_a_stale_list_is_the_one_before_the_last_change(proxy, http):
    assert await http.names() == []
    await http.create("x")
    assert await http.names() == ["x"]
    proxy.play(Rule(action=Stale()))
    assert await http.names() == []


@pytest.mark.parametrize(
    ("fault", "told", "enough"),
    [
        (CutWatch(events=2), ["a", "b"], 3),
        (CutWatch(events=1, inside=True), ["a"], 3),
        (DuplicateEvents(), ["a", "a", "b", "b", "c", "c"], 6),
        (ReorderEvents(), ["b", "a", "c"], 3),
    ],
    ids=["cut", "cut-inside", "duplicate", "reorder"],
)
async def test_a_watch_with_a_fault(proxy, http, watched, fault, told, enough):
    proxy.play(Rule(action=fault))
    assert await http.events(watched, enough) == told


async def test_a_watch_whose_history_is_gone(proxy, http, watched):
    proxy.play(Rule(action=ExpireWatch(events=1)))
    async with http.session.get(f"{MAPS}?watch=1&resourceVersion={watched}") as response:
        lines = [json.loads(await response.content.readline()) for _ in range(2)]
    assert [line["type"] for line in lines] == ["ADDED", "ERROR"]
    assert lines[1]["object"]["code"] == 410


async def test_a_watch_passes_as_it_comes_when_nothing_is_scripted(http):
    _, before = await http.get(MAPS)
    events = asyncio.create_task(http.events(before["metadata"]["resourceVersion"], 1))
    await http.create("x")
    assert await events == ["x"]


async def test_a_rule_hits_what_it_describes_after_the_skipped_and_so_many_times(proxy, http):
    proxy.play(Rule(action=INTERNAL, path="configmaps$", methods=("GET",), skip=1, times=2))
    statuses = [(await http.get(path))[0] for path in (MAPS, "/api/v1/pods", MAPS, MAPS, MAPS)]
    assert statuses == [200, 200, 500, 500, 200]
    assert [fired.asked.path for fired in proxy.fired] == [MAPS, MAPS]


async def test_the_same_seed_draws_the_same_faults(proxy, http):
    async def drawn(seed):
        proxy.play(Rule(action=INTERNAL, probability=0.5), seed=seed)
        return [(await http.get(MAPS))[0] for _ in range(20)]

    first = await drawn(7)
    assert {200, 500} == set(first)
    assert await drawn(7) == first


async def test_tests_without_a_loop_have_the_proxy_in_a_thread():
    async with ApiServer() as server:
        with faulty(server.url, [Rule(action=CONFLICT, times=1)]) as proxy:
            statuses = [(await asyncio.to_thread(requests.get, proxy.url + MAPS)).status_code for _ in range(2)]
    assert statuses == [409, 200]

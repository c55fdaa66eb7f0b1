"""What is particular to the emulator; what every API server does is in tests/contract."""

import asyncio
import os
import signal
import sys

import aiohttp
import pytest
import yaml

from canary_analyzer.sandbox.api import ApiServer, paths
from canary_analyzer.sandbox.api.requests import WriteOptions

DEFAULT = "/api/v1/namespaces/default"
ISTIO = "/apis/networking.istio.io/v1/namespaces/default"
MERGE = "application/merge-patch+json"


def virtual_service(*weights):
    route = [{"destination": {"host": f"h{i}"}, "weight": weight} for i, weight in enumerate(weights)]
    return {"metadata": {"name": "vs"}, "spec": {"hosts": ["h"], "http": [{"route": route}]}}


@pytest.mark.parametrize(
    ("weights", "status"),
    [((0, 0), 422), ((100, 0), 201), ((0,), 201), ((-1, 101), 422)],
    ids=["all zero", "one zero", "a single destination", "negative"],
)
async def test_virtual_services_are_validated_as_istio_does(http, weights, status):
    answer, document = await http.send("POST", f"{ISTIO}/virtualservices", virtual_service(*weights))
    assert answer == status
    if weights == (0, 0):
        assert "total destination weight = 0" in document["message"]


async def test_a_watch_from_before_the_history_is_gone(http):
    first = await http.config_map("first")
    for i in range(20):
        await http.config_map(f"c{i}")
    version = first["metadata"]["resourceVersion"]
    events = await http.watch(f"{DEFAULT}/configmaps?watch=1&resourceVersion={version}", 1)
    assert (events[0]["type"], events[0]["object"]["code"]) == ("ERROR", 410)


async def test_a_quiet_watch_gets_bookmarks_that_move_on(http):
    listed = await http.ok("GET", f"{DEFAULT}/configmaps")
    await http.ok("POST", "/api/v1/namespaces", {"metadata": {"name": "elsewhere"}})
    version = listed["metadata"]["resourceVersion"]
    query = f"watch=1&allowWatchBookmarks=true&resourceVersion={version}"
    events = await http.watch(f"{DEFAULT}/configmaps?{query}", 1)
    assert events[0]["type"] == "BOOKMARK"
    assert int(events[0]["object"]["metadata"]["resourceVersion"]) > int(version)


async def test_many_watchers_see_every_change_in_the_same_order(server, http):
    listed = await http.ok("GET", f"{DEFAULT}/configmaps")
    path = f"{DEFAULT}/configmaps?watch=1&resourceVersion={listed['metadata']['resourceVersion']}"
    watchers = [asyncio.create_task(http.watch(path, 8)) for _ in range(20)]
    await asyncio.gather(*(http.config_map(f"c{i}") for i in range(8)))
    seen = [[event["object"]["metadata"]["resourceVersion"] for event in await watcher] for watcher in watchers]
    assert all(versions == seen[0] == sorted(versions, key=int) for versions in seen)


async def test_of_concurrent_writers_on_one_version_one_wins(http):
    document = await http.config_map("contested")
    writes = [{**document, "data": {"writer": str(i)}} for i in range(10)]
    path = f"{DEFAULT}/configmaps/contested"
    statuses = [status for status, _ in await asyncio.gather(*(http.send("PUT", path, body) for body in writes))]
    assert sorted(statuses) == [200] + [409] * 9


async def test_a_forgotten_continue_token_is_gone(server, http):
    for name in ("a", "b"):
        await http.config_map(name)
    first = await http.ok("GET", f"{DEFAULT}/configmaps?limit=1")
    server.pages.forget()
    status, document = await http.send("GET", f"{DEFAULT}/configmaps?continue={first['metadata']['continue']}")
    assert (status, document["reason"]) == (410, "Expired")


async def test_a_namespace_goes_with_what_it_holds(http):
    await http.ok("POST", "/api/v1/namespaces", {"metadata": {"name": "team"}})
    await http.ok("POST", "/api/v1/namespaces/team/configmaps", {"metadata": {"name": "a"}})
    held = {"metadata": {"name": "held", "finalizers": ["example.com/hold"]}}
    await http.ok("POST", "/api/v1/namespaces/team/configmaps", held)
    deleted = await http.ok("DELETE", "/api/v1/namespaces/team")
    assert deleted["status"]["phase"] == "Terminating"
    status, document = await http.send("POST", "/api/v1/namespaces/team/configmaps", {"metadata": {"name": "late"}})
    assert (status, "being terminated" in document["message"]) == (403, True)
    released = {"metadata": {"finalizers": None}}
    await http.ok("PATCH", "/api/v1/namespaces/team/configmaps/held", released, MERGE)
    assert (await http.send("GET", "/api/v1/namespaces/team"))[0] == 404


async def test_orphaning_needs_no_garbage_collector(http):
    owner = await http.config_map("owner")
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["metadata"]["uid"]}
    await http.config_map("owned", ownerReferences=[reference])
    await http.ok("DELETE", f"{DEFAULT}/configmaps/owner?propagationPolicy=Orphan")
    left = await http.ok("GET", f"{DEFAULT}/configmaps/owned")
    assert not left["metadata"]["ownerReferences"]


@pytest.mark.parametrize("policy", ["Background", "Foreground"])
async def test_dependents_are_left_to_the_garbage_collector(http, policy):
    owner = await http.config_map("owner")
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["metadata"]["uid"]}
    await http.config_map("owned", ownerReferences=[reference])
    await http.ok("DELETE", f"{DEFAULT}/configmaps/owner", {"propagationPolicy": policy})
    assert (await http.send("GET", f"{DEFAULT}/configmaps/owner"))[0] == 404
    left = await http.ok("GET", f"{DEFAULT}/configmaps/owned")
    assert left["metadata"]["ownerReferences"] == [reference]


async def test_an_unreadable_body_is_a_bad_request(http):
    status, document = await http.send("POST", f"{DEFAULT}/configmaps", b"{")
    assert (status, document["reason"]) == (400, "BadRequest")
    status, _ = await http.send("POST", f"{DEFAULT}/configmaps", b"k8s\x00\xff", "application/vnd.kubernetes.protobuf")
    assert status == 400
    assert (await http.send("POST", f"{DEFAULT}/configmaps", b"x", "text/plain"))[0] == 415


async def test_yaml_is_understood(http):
    body = yaml.safe_dump({"metadata": {"name": "written"}, "data": {"a": "b"}}).encode()
    created = await http.ok("POST", f"{DEFAULT}/configmaps", body, "application/yaml")
    assert created["data"] == {"a": "b"}


async def test_closing_ends_watches_at_once():
    server = ApiServer()
    async with server, aiohttp.ClientSession(server.url) as session:
        path = f"{DEFAULT}/configmaps?watch=1"
        async with session.get(path) as response:
            async with asyncio.timeout(5):
                await server.close()
                with pytest.raises((aiohttp.ClientError, AssertionError)):
                    assert await response.content.readline()


@pytest.mark.parametrize("passes", range(6))
async def test_closing_ends_a_watch_that_is_just_told_of_a_change(passes):
    server = ApiServer()
    async with server, aiohttp.ClientSession(server.url) as session:
        path = f"{DEFAULT}/configmaps"
        watched = {"watch": "1", "sendInitialEvents": "true"}
        async with session.get(path, params=watched) as response, asyncio.timeout(5):
            async with session.post(path, json={"metadata": {"name": "first"}}):
                assert await response.content.readline()
            target = paths.parse(path, server.cluster.registry)
            server.cluster.create(target, {"metadata": {"name": "second"}}, WriteOptions(manager="test"))
            for _ in range(passes):
                await asyncio.sleep(0)
            await server.close()


async def test_the_program_says_where_it_is_and_stops_on_a_signal(tmp_path):
    file = tmp_path / "kubeconfig"
    program = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "canary_analyzer.sandbox.api", "--kubeconfig", str(file), stdout=asyncio.subprocess.PIPE
    )
    assert program.stdout is not None
    url = (await program.stdout.readline()).decode().strip()
    assert yaml.safe_load(file.read_text())["clusters"][0]["cluster"]["server"] == url
    async with aiohttp.ClientSession() as session, session.get(f"{url}/healthz") as response:
        assert await response.text() == "ok"
    os.kill(program.pid, signal.SIGTERM)
    async with asyncio.timeout(10):
        assert await program.wait() == 0

import asyncio

import pytest

from canary_analyzer.sandbox import api
from canary_analyzer.sandbox.client import CONFIGMAPS, ApiError, KubeClient, Mirror

PATIENCE = 20


def make(name, **data):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "default"}, "data": data}


@pytest.fixture
async def kubeconfig(tmp_path):
    # So short a history that a watch expires soon.
    async with api.ApiServer(history=2) as server:
        server.write_kubeconfig(tmp_path / "kubeconfig")
        yield tmp_path / "kubeconfig"


@pytest.fixture
async def client(kubeconfig):
    async with KubeClient.from_kubeconfig(kubeconfig) as connected:
        yield connected


@pytest.fixture
async def mirror(client):
    """A mirror that is running."""
    kept = Mirror(client, CONFIGMAPS)
    task = asyncio.create_task(kept.run())
    async with asyncio.timeout(PATIENCE):
        await kept.synced()
    yield kept
    task.cancel()


async def until(mirror, condition):
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await mirror.changed()


async def test_objects_are_created_read_changed_and_deleted(client):
    await client.create(CONFIGMAPS, make("a", x="1"))
    await client.patch(CONFIGMAPS, "default", "a", {"data": {"y": "2"}})
    await client.patch(CONFIGMAPS, "default", "a", [{"op": "replace", "path": "/data/x", "value": "3"}])
    live = await client.get(CONFIGMAPS, "default", "a")
    assert live["data"] == {"x": "3", "y": "2"}
    await client.replace(CONFIGMAPS, live | {"data": {}})
    with pytest.raises(ApiError) as conflict:
        await client.replace(CONFIGMAPS, live)
    assert (conflict.value.status, conflict.value.reason) == (409, "Conflict")
    await client.delete(CONFIGMAPS, "default", "a", {"preconditions": {"uid": live["metadata"]["uid"]}})
    with pytest.raises(ApiError) as missing:
        await client.get(CONFIGMAPS, "default", "a")
    assert (missing.value.status, missing.value.reason) == (404, "NotFound")


async def test_a_mirror_follows_what_happens(client, mirror):
    await client.create(CONFIGMAPS, make("a", x="1"))
    await until(mirror, lambda: ("default", "a") in mirror.objects)
    assert mirror.objects["default", "a"]["kind"] == "ConfigMap"
    await client.patch(CONFIGMAPS, "default", "a", {"data": {"x": "2"}})
    await until(mirror, lambda: mirror.objects["default", "a"]["data"] == {"x": "2"})
    await client.delete(CONFIGMAPS, "default", "a")
    await until(mirror, lambda: ("default", "a") not in mirror.objects)


async def test_a_watch_from_too_far_back_is_told_that_its_version_is_gone(client):
    made = await client.create(CONFIGMAPS, make("a"))
    for number in range(8):
        await client.patch(CONFIGMAPS, "default", "a", {"data": {"x": str(number)}})
    event = await anext(client.watch(CONFIGMAPS, made["metadata"]["resourceVersion"]))
    assert (event["type"], event["object"]["code"]) == ("ERROR", 410)


async def test_a_mirror_that_was_away_has_no_objects_that_went_meanwhile(client):
    mirror = Mirror(client, CONFIGMAPS)
    await client.create(CONFIGMAPS, make("a"))
    task = asyncio.create_task(mirror.run())
    await until(mirror, lambda: ("default", "a") in mirror.objects)
    task.cancel()
    await client.delete(CONFIGMAPS, "default", "a")
    await client.create(CONFIGMAPS, make("b"))
    task = asyncio.create_task(mirror.run())
    await until(mirror, lambda: list(mirror.objects) == [("default", "b")])
    task.cancel()


async def test_an_own_write_is_seen_at_once_and_an_older_story_does_not_undo_it(client):
    mirror = Mirror(client, CONFIGMAPS)
    made = await client.create(CONFIGMAPS, make("a", x="1"))
    mirror.assume(await client.patch(CONFIGMAPS, "default", "a", {"data": {"x": "2"}}))
    assert mirror.objects["default", "a"]["data"] == {"x": "2"}
    task = asyncio.create_task(mirror.run())
    async with asyncio.timeout(PATIENCE):
        await mirror.synced()
    mirror.assume(made)
    assert mirror.objects["default", "a"]["data"] == {"x": "2"}
    task.cancel()


async def test_a_deleted_object_does_not_come_back_through_a_late_answer(client, mirror):
    made = await client.create(CONFIGMAPS, make("a"))
    await until(mirror, lambda: ("default", "a") in mirror.objects)
    await client.delete(CONFIGMAPS, "default", "a")
    await until(mirror, lambda: ("default", "a") not in mirror.objects)
    mirror.assume(made)
    assert mirror.objects == {}

"""The cache over the API emulator: what it costs, and that it follows what happens."""

import asyncio
import threading
import time
from collections import Counter

import pytest

from canary_analyzer.cluster import cache as caching
from canary_analyzer.cluster import pauses
from canary_analyzer.cluster.cache import Cache
from canary_analyzer.cluster.client import CONFIGMAPS, PODS, SERVICES, Cluster
from canary_analyzer.sandbox.api import ApiServer

PATIENCE = 20.0


class Place:
    """A cluster that others write to, and one whose requests are counted, with a cache of it."""

    def __init__(self, kubeconfig):
        self.asked = Counter()
        self.cluster = Cluster.connect(kubeconfig)
        self.counted = Cluster.connect(kubeconfig, lambda verb, _: self.asked.update([verb]))
        self.cache = Cache(self.counted)

    def make(self, name, port=80):
        service = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name, "namespace": "default"},
            "spec": {"ports": [{"port": port}]},
        }
        return self.cluster.create(SERVICES, service)

    def port(self, name):
        found = self.cache.find(SERVICES, "default", name)
        return None if found is None else found["spec"]["ports"][0]["port"]

    def change(self, name, port):
        self.cluster.merge(SERVICES, "default", name, {"spec": {"ports": [{"port": port}]}})


@pytest.fixture
def place(tmp_path):
    loop, server = asyncio.new_event_loop(), ApiServer(history=20)
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result(10)
    server.write_kubeconfig(tmp_path / "kubeconfig")
    made = Place(tmp_path / "kubeconfig")
    yield made
    made.cache.close()
    asyncio.run_coroutine_threadsafe(server.close(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def eventually(check):
    end = time.monotonic() + PATIENCE
    while not check():
        assert time.monotonic() < end, "it never came to be"
        time.sleep(0.01)


def test_looking_again_costs_nothing_and_shows_what_has_changed(place):
    place.make("app", 80)
    assert place.port("app") == 80
    before = place.asked["get"]
    place.change("app", 81)
    eventually(lambda: place.port("app") == 81)
    place.cluster.delete(SERVICES, "default", "app")
    eventually(lambda: place.port("app") is None)
    place.make("app", 82)
    eventually(lambda: place.port("app") == 82)
    assert place.asked["get"] == before


def test_what_was_not_there_is_seen_when_it_comes(place):
    assert place.port("app") is None
    place.make("app", 80)
    eventually(lambda: place.port("app") == 80)
    assert place.asked["get"] == 1


def test_a_namespace_is_listed_once_and_followed(place):
    place.make("one")
    names = lambda: {each["metadata"]["name"] for each in place.cache.list(SERVICES, "default").items}  # noqa: E731
    assert "one" in names()
    listed = place.asked["list"]
    place.make("two")
    eventually(lambda: "two" in names())
    place.cluster.delete(SERVICES, "default", "one")
    eventually(lambda: "one" not in names())
    assert place.port("two") == 80
    assert (place.asked["list"], place.asked["get"]) == (listed, 0)


def test_pods_and_what_labels_select_are_always_asked_for(place):
    for _ in range(3):
        place.cache.list(PODS, "default", "app=web")
        place.cache.list(CONFIGMAPS, "default")
    assert place.asked == {"list": 6}


def test_no_document_carries_who_owns_its_fields(place):
    place.make("app")
    assert "managedFields" not in place.cache.find(SERVICES, "default", "app")["metadata"]


def test_nothing_is_missed_where_a_watch_has_to_begin_anew(place, monkeypatch):
    """The watch breaks off while more happens than the server remembers: what is known is forgotten and read again."""
    monkeypatch.setattr(pauses, "SHORTEST_SECONDS", 0.01)
    place.make("app", 80)
    assert place.port("app") == 80
    mirror = place.cache._mirror(SERVICES, "default")
    watch, broken = place.counted.watch, threading.Event()

    def breaking(*arguments):
        if not broken.is_set():
            for number in range(40):
                place.change("app", 1000 + number)
            broken.set()
        return watch(*arguments)

    monkeypatch.setattr(place.counted, "watch", breaking)
    mirror._forget()
    eventually(lambda: place.port("app") == 1039)


def test_what_nobody_asks_for_any_more_is_not_watched(place, monkeypatch):
    place.make("app")
    place.port("app")
    monkeypatch.setattr(caching, "UNUSED_SECONDS", 0.0)
    mirror = place.cache._mirror(SERVICES, "default")
    assert mirror._is_used() is False
    mirror._forget()
    assert place.port("app") == 80


def test_where_watching_is_forbidden_each_look_is_a_request(place, monkeypatch):
    def forbidden(*_, **__):
        raise caching.ClusterError("403 services is forbidden", 403)

    place.make("app")
    monkeypatch.setattr(place.counted, "list", forbidden)
    assert [place.port("app") for _ in range(3)] == [80, 80, 80]
    assert place.asked == {"get": 3}


@pytest.mark.parametrize("status", [401, 408, 429, 503])
def test_what_could_not_be_watched_for_a_moment_is_watched_soon(place, monkeypatch, status):
    """A token that has just expired, for instance: until then each look of each run is a request."""
    monkeypatch.setattr(pauses, "SHORTEST_SECONDS", 0.0)
    place.make("app")
    real, answers = place.counted.list, [status]

    def once(*given, **named):
        if answers:
            raise caching.ClusterError("not now", answers.pop())
        return real(*given, **named)

    monkeypatch.setattr(place.counted, "list", once)
    for _ in range(5):
        assert place.port("app") == 80
    assert place.asked["get"] == 2


def ends_at_once(asked):
    asked.say(b"")


def is_too_old(asked):
    asked.say({"kind": "Status", "message": "too old resource version"}, 410)


@pytest.mark.parametrize("end", [ends_at_once, is_too_old])
def test_a_watch_that_ends_too_soon_is_not_begun_anew_with_each_look(api, monkeypatch, end):
    monkeypatch.setattr(pauses, "SHORTEST_SECONDS", 60.0)
    cache = play(api, end)
    for number in range(20):
        assert cache.find(SERVICES, "default", f"app-{number}") is not None
        eventually(lambda: watches(api))  # after the first look
    cache.close()
    assert len(watches(api)) == 1
    assert len(api.asked) == 20 + 2, "each look is a request, beside one list and one watch"


def test_nothing_is_believed_while_a_watch_that_ended_has_not_begun_anew(api, monkeypatch):
    """The next watch hangs at its start: what changes meanwhile, such as a wish to abort, must be seen."""
    monkeypatch.setattr(pauses, "SHORTEST_SECONDS", 0.0)
    over = threading.Event()

    def answer(asked):
        if len(watches(api)) == 1:
            asked.say(b"")
        else:
            over.wait(PATIENCE)

    cache = play(api, answer)
    cache.find(SERVICES, "default", "app")
    eventually(lambda: len(watches(api)) == 2)
    before = len(api.asked)
    assert [cache.find(SERVICES, "default", "app") is not None for _ in range(2)] == [True, True]
    assert len(api.asked) == before + 2
    cache.close()
    over.set()


def test_a_cluster_that_was_restored_from_a_backup_is_seen_as_it_is(api, monkeypatch):
    """Its resourceVersions begin below those that are known, and a watch is told nothing until they are reached."""
    monkeypatch.setattr(pauses, "SHORTEST_SECONDS", 0.01)
    versions, restored, over = ["100"], threading.Event(), threading.Event()

    def answer(asked):
        if "watch=true" in asked.path:
            asked.send_response(200)
            asked.send_header("Connection", "close")
            asked.end_headers()
            (over if restored.is_set() else restored).wait(PATIENCE)
        elif "limit=1" in asked.path:
            asked.say({"metadata": {"resourceVersion": versions[-1]}, "items": []})
        else:
            asked.say({"metadata": SERVICE["metadata"] | {"resourceVersion": versions[-1]}})

    api.answer = answer
    cache = Cache(api.cluster)
    seen = lambda: cache.find(SERVICES, "default", "app")["metadata"]["resourceVersion"]  # noqa: E731
    eventually(lambda: seen() == "100" and len(watches(api)) == 1)
    assert seen() == "100"
    versions.append("50")
    restored.set()
    eventually(lambda: seen() == "50" and len(watches(api)) == 2)
    eventually(lambda: cache.version(SERVICES, "default", "app") is not None)  # that watch has begun
    assert seen() == "50"
    cache.close()
    over.set()


def test_a_closed_cache_ends_with_the_server_and_says_nothing_of_it(api, caplog):
    over = threading.Event()

    def breaks_off(asked):
        over.wait(PATIENCE)
        asked.close_connection = True

    cache = play(api, breaks_off)
    cache.find(SERVICES, "default", "app")
    eventually(lambda: watches(api))
    watching = [thread for thread in threading.enumerate() if thread.name == "watch services"]
    cache.close()
    over.set()
    eventually(lambda: not any(thread.is_alive() for thread in watching))
    assert [record for record in caplog.records if record.name == caching.__name__] == []


def test_a_list_that_fails_is_not_tried_anew_with_each_look(api):
    """Whoever looks would wait for it, one after the other."""

    def answer(asked):
        if "limit=1" in asked.path:
            asked.say({"kind": "Status"}, 503, Retry_After="30")
        else:
            asked.say(SERVICE)

    api.answer = answer
    cache = Cache(api.cluster)
    for _ in range(5):
        assert cache.find(SERVICES, "default", "app") is not None
    assert len([each for each in api.asked if "limit=1" in each]) == 1


SERVICE = {"metadata": {"name": "app", "namespace": "default", "resourceVersion": "1"}}


def play(api, watch):
    """Make a cache over an API server whose watches are answered so."""

    def answer(asked):
        if "watch=true" in asked.path:
            watch(asked)
        else:
            asked.say(SERVICE if "limit=1" not in asked.path else {"metadata": {"resourceVersion": "1"}, "items": []})

    api.answer = answer
    return Cache(api.cluster)


def watches(api):
    return [each for each in api.asked if "watch=true" in each]

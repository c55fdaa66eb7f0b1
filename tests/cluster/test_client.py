"""The client over the API emulator, and over API servers that misbehave."""

import gc
import socket
import threading
import time

import pytest
import urllib3

from canary_analyzer.cluster import errors, exchange
from canary_analyzer.cluster.client import CONFIGMAPS, DEPLOYMENTS, DESTINATION_RULES, EVENTS, PAGE, VIRTUAL_SERVICES
from canary_analyzer.cluster.errors import ClusterError, Conflict, NotFound, Taken
from canary_analyzer.cluster.siblings import delete_services
from canary_analyzer.rollout.traces import Traces

APP = ("default", "app")
OBJECT = {"metadata": {"name": "app", "namespace": "default"}}
NO_PAGE = b"404 page not found\n"


def test_what_may_be_large_is_asked_for_in_pieces_and_comes_whole(cluster):
    names = [f"record-{number:03}" for number in range(2 * PAGE + 1)]
    for name in names:
        metadata = {"name": name, "namespace": "default", "labels": {"kind": "record"}}
        cluster.create(CONFIGMAPS, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})
    taken = []
    for document in cluster.each(CONFIGMAPS, "", "kind=record"):
        if not taken:
            cluster.delete(CONFIGMAPS, "default", names[-1])  # what comes is how it was at the first request
        taken.append(document["metadata"]["name"])
    assert taken == names
    assert len(list(cluster.each(CONFIGMAPS, "default", "kind=record"))) == 2 * PAGE


ASKS = {
    "a read": (lambda cluster: cluster.get(DEPLOYMENTS, *APP), "GET"),
    "a list": (lambda cluster: cluster.list(DEPLOYMENTS, "default"), "GET"),
    "a watch": (lambda cluster: list(cluster.watch(DEPLOYMENTS, "1")), "GET"),
    "a change": (lambda cluster: cluster.merge(DEPLOYMENTS, *APP, {}), "PATCH"),
    "a deletion": (lambda cluster: cluster.delete(DEPLOYMENTS, *APP), "DELETE"),
}


@pytest.mark.parametrize(("ask", "method"), ASKS.values(), ids=ASKS)
def test_a_server_that_wants_to_be_left_alone_is_asked_once_and_its_wish_passed_on(api, ask, method):
    api.answer = lambda asked: asked.say({"kind": "Status", "message": "too many"}, 429, Retry_After="3600")
    with pytest.raises(ClusterError, match="429 too many") as error:
        ask(api.cluster)
    assert error.value.retry_after == errors.LONGEST_WAIT_SECONDS
    assert [each.split()[0] for each in api.asked] == [method]


@pytest.mark.parametrize(("ask", "method"), ASKS.values(), ids=ASKS)
def test_a_server_that_hangs_is_waited_for_once(api, ask, method):
    heard, over = threading.Event(), threading.Event()
    api.answer = lambda _: (heard.set(), over.wait(20))
    with pytest.raises(ClusterError, match="timed out"):
        ask(api.cluster.within(0.1))
    assert heard.wait(20)  # the server may be slower than the client is patient
    over.set()
    assert [each.split()[0] for each in api.asked] == [method]


LOST = {each: (ask, 2 if method == "GET" else 1) for each, (ask, method) in ASKS.items()}


@pytest.mark.parametrize(("ask", "times"), LOST.values(), ids=LOST)
def test_only_a_read_is_made_anew_where_the_connection_breaks_before_an_answer(api, ask, times):
    def drop(asked):
        asked.connection.shutdown(socket.SHUT_RDWR)
        asked.close_connection = True

    api.answer = drop
    with pytest.raises(ClusterError, match="Connection aborted"):
        ask(api.cluster)
    assert len(api.asked) == times


def test_a_connection_that_the_server_has_closed_meanwhile_is_no_failure(api):
    def answer(asked):
        if len(api.asked) == 2:
            asked.connection.shutdown(socket.SHUT_RDWR)
        else:
            asked.say(OBJECT)

    api.answer = answer
    assert [api.cluster.get(DEPLOYMENTS, *APP) for _ in range(2)] == [OBJECT, OBJECT]
    assert len(api.asked) == 3


def test_a_watch_that_has_begun_waits_longer_for_events_than_for_its_beginning(api):
    def answer(asked):
        asked.send_response(200)
        asked.send_header("Transfer-Encoding", "chunked")
        asked.end_headers()
        time.sleep(1.5)
        asked.wfile.write(b'20\r\n{"type": "ADDED", "object": {}}\n\r\n0\r\n\r\n')

    api.answer = answer
    assert list(api.cluster.within(1.0).watch(DEPLOYMENTS, "1")) == [("ADDED", {})]


NO_EVENTS = {
    "no JSON": (b"<html>\n", "watching deployments: Expecting value"),
    "another object": (b'{"kind": "Status"}\n', "no event of Kubernetes"),
    "a list": (b"[1]\n", "no event of Kubernetes"),
    "an object that is none": (b'{"type": "ADDED", "object": null}\n', "no event of Kubernetes"),
    "no end of a line": (b"x" * 2000, "no end of an event after 2000 bytes"),
}


@pytest.mark.parametrize(("body", "told"), NO_EVENTS.values(), ids=NO_EVENTS)
def test_a_watch_that_tells_what_is_no_event_is_broken_and_no_defect_of_ours(api, monkeypatch, body, told):
    monkeypatch.setattr(exchange, "ANSWER_BYTES", 1000)
    api.answer = lambda asked: asked.say(body)
    with pytest.raises(ClusterError, match=told):
        list(api.cluster.watch(DEPLOYMENTS, "1"))


def test_an_answer_that_comes_in_drops_is_given_up(api, monkeypatch):
    monkeypatch.setattr(exchange, "ANSWER_SECONDS", 0.1)
    given_up = threading.Event()

    def answer(asked):
        asked.send_response(200)
        asked.send_header("Content-Length", "100000")
        asked.end_headers()
        while not given_up.wait(0.01):
            asked.wfile.write(b" ")

    api.answer = answer
    with pytest.raises(ClusterError, match="no end of the answer"):
        api.cluster.get(DEPLOYMENTS, *APP)
    given_up.set()


def test_an_answer_that_would_fill_the_memory_is_given_up(api, monkeypatch):
    monkeypatch.setattr(exchange, "ANSWER_BYTES", 1000)
    api.answer = lambda asked: asked.say(b" " * 100_000)
    with pytest.raises(ClusterError, match="no end of the answer"):
        api.cluster.log("default", "app", {})


def cut(status):
    def answer(asked):
        asked.send_response(status)
        asked.send_header("Content-Length", "500")
        asked.end_headers()
        asked.wfile.write(b'{"kind"')
        asked.close_connection = True

    return answer


BROKEN = {
    "a refusal that breaks off": (cut(500), "500 Internal Server Error"),
    "an answer that breaks off": (cut(200), "broke off"),
    "no object": (lambda asked: asked.say(b"null"), "no object of Kubernetes"),
    "an object of somebody else's": (lambda asked: asked.say({"error": "no backend"}), "no object of Kubernetes"),
    "no JSON": (lambda asked: asked.say(b"<html>"), "no JSON"),
}


@pytest.mark.parametrize(("answer", "told"), BROKEN.values(), ids=BROKEN)
def test_a_broken_answer_is_told_as_one(api, answer, told):
    api.answer = answer
    for ask in (lambda: api.cluster.list(DEPLOYMENTS), lambda: api.cluster.find(DEPLOYMENTS, *APP)):
        with pytest.raises(ClusterError, match=told):
            ask()


NOT_OURS = {
    "in plain text": NO_PAGE,
    "of a proxy": {"message": "no route", "kind": "Error"},
    "of another object": {"kind": "Status", "details": {"name": "other"}},
}


@pytest.mark.parametrize("body", NOT_OURS.values(), ids=NOT_OURS)
def test_an_object_is_gone_only_where_the_server_says_so(api, body):
    api.answer = lambda asked: asked.say(body, 404)
    for ask in (api.cluster.find, api.cluster.delete):
        with pytest.raises(ClusterError, match="404") as error:
            ask(VIRTUAL_SERVICES, *APP)
        assert not isinstance(error.value, NotFound)
    api.answer = lambda asked: asked.say({"kind": "Status", "details": {"name": "app"}}, 404)
    assert api.cluster.find(VIRTUAL_SERVICES, *APP) is None


def test_a_name_is_taken_only_where_the_server_says_so(api, cluster):
    event = {"metadata": {"name": "app.1", "namespace": "default"}, "involvedObject": {}}
    cluster.create(EVENTS, event)
    with pytest.raises(Taken):
        cluster.create(EVENTS, event)
    quota = {"kind": "Status", "reason": "Conflict", "message": "the object of a quota has been modified"}
    api.answer = lambda asked: asked.say(quota, 409)
    with pytest.raises(Conflict) as error:
        api.cluster.create(EVENTS, event)
    assert not isinstance(error.value, Taken)


def test_a_kind_that_the_cluster_does_not_know_has_no_objects(api, run):
    """A real API server answers a path of an unknown kind in plain text."""
    api.answer = lambda asked: asked.say(NO_PAGE, 404)
    with pytest.raises(NotFound):
        api.cluster.list(DESTINATION_RULES, "default")
    answers = {"destinationrules": NO_PAGE, "services": {"kind": "Status", "details": {"name": "app-canary"}}}
    api.answer = lambda asked: asked.say(answers[asked.path.split("/")[-2]], 404)
    delete_services(api.cluster, Traces.of(run))
    assert api.asked[-1].endswith("/services/app-canary")


def test_an_answer_is_let_go_as_soon_as_it_is_taken(cluster):
    """A list of records has megabytes, and the garbage collector looks for cycles seldom."""
    gc.collect()
    gc.disable()
    try:
        cluster.list(CONFIGMAPS)
        with pytest.raises(NotFound):
            cluster.get(DEPLOYMENTS, *APP)
        assert not [each for each in gc.get_objects() if isinstance(each, urllib3.BaseHTTPResponse)]
    finally:
        gc.enable()

import socket
import struct
import threading
import time
from contextlib import ExitStack, suppress

import pytest
import requests
from prometheus_client import CollectorRegistry

from canary_analyzer.cluster.records import Record
from canary_analyzer.rollout.evidence import fresh
from canary_analyzer.rollout.phases import Phase
from canary_analyzer.service import http
from canary_analyzer.service.pages import Page
from canary_analyzer.service.reconcile import Active
from canary_analyzer.service.telemetry import Telemetry


class Pages:
    """Stands for the status page: one page that is there, and one that breaks."""

    def get(self, path):
        if path == "/broken":
            raise LookupError("a defect")
        return Page(body=b"<p>here</p>") if path == "/" else None


@pytest.fixture
def served():
    """A server of the telemetry of no run yet: its address, what decides readiness, and the telemetry."""
    registry, ready = CollectorRegistry(), []
    telemetry = Telemetry(registry)
    sources = http.Sources(registry=registry, ready=lambda: bool(ready), trouble=str, pages=Pages())
    server = http.serve("127.0.0.1", 0, sources)
    yield f"http://127.0.0.1:{server.server_port}", ready, telemetry
    server.shutdown()
    server.server_close()


def test_it_is_alive_at_once_and_ready_once_the_cluster_was_read(served):
    url, ready, _ = served
    assert requests.get(f"{url}/healthz").status_code == 200
    assert requests.get(f"{url}/readyz").status_code == 503
    ready.append(True)
    assert requests.get(f"{url}/readyz").status_code == 200
    assert requests.get(f"{url}/anything").status_code == 404


def test_it_is_not_alive_while_something_does_not_go_on_and_says_what():
    trouble = "ended, and should not have: thread lease"
    sources = http.Sources(registry=CollectorRegistry(), ready=lambda: True, trouble=lambda: trouble, pages=Pages())
    server = http.serve("127.0.0.1", 0, sources)
    answer = requests.get(f"http://127.0.0.1:{server.server_port}/healthz")
    server.shutdown()
    server.server_close()
    assert (answer.status_code, answer.text) == (503, f"{trouble}\n")


def test_a_run_has_series_while_it_is_active_and_none_afterwards(served, run):
    url, _, telemetry = served
    active = Active(record=Record(run=run, routes=(), version="1"), progress=fresh(run))
    telemetry.show(("default", "app"), active)
    shown = requests.get(f"{url}/metrics").text
    series = 'canary_analyzer_rollout_phase{deployment="app",namespace="default",phase="Starting",run="app-1"} 1.0'
    assert series in shown
    assert 'canary_analyzer_weight{deployment="app",kind="wanted",namespace="default",run="app-1"} 0.0' in shown
    telemetry.show(("default", "app"), None)
    telemetry.count(run.model_copy(update={"phase": Phase.SUCCEEDED}))
    gone = requests.get(f"{url}/metrics").text
    assert 'run="app-1"' not in gone
    assert 'canary_analyzer_verdicts_total{cause="",result="Succeeded"} 1.0' in gone


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
@pytest.mark.parametrize("path", ["/", "/metrics", "/healthz"])
def test_the_port_is_read_only(served, method, path):
    answer = requests.request(method, served[0] + path)
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("path", ["/", "/metrics", "/healthz", "/nothing"])
def test_head_answers_as_get_does_without_a_body(served, path):
    head, get = requests.head(served[0] + path), requests.get(served[0] + path)
    assert (head.status_code, head.content) == (get.status_code, b"")


@pytest.mark.parametrize("path", ["/", "/metrics", "/readyz", "/nothing"])
def test_every_answer_forbids_what_is_not_ours(served, path):
    headers = requests.get(served[0] + path).headers
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"
    assert headers["Server"] == "canary-analyzer"


@pytest.fixture
def connect(served):
    """Open a connection to the server."""
    host, port = served[0].removeprefix("http://").split(":")
    with ExitStack() as connections:
        yield lambda: connections.enter_context(socket.create_connection((host, int(port)), timeout=5))


def test_a_client_that_says_nothing_keeps_no_probe_waiting(served, connect):
    connect()
    assert requests.get(f"{served[0]}/healthz", timeout=5).status_code == 200


def test_a_client_that_drips_is_hung_up_on(connect, monkeypatch):
    monkeypatch.setattr(http, "LONGEST_SECONDS", 0.2)
    client = connect()
    client.settimeout(0.02)
    until, ended = time.monotonic() + 5, False
    while not ended and time.monotonic() < until:
        with suppress(TimeoutError):
            client.sendall(b"G")
            ended = client.recv(1) == b""
    assert ended


@pytest.fixture
def few(monkeypatch):
    """Places for few connections; to be asked for before the server."""
    monkeypatch.setattr(http, "MOST", 5)


def test_however_many_connect_there_are_few_threads_and_a_probe_gets_in(few, served, connect):
    before = threading.active_count()
    for _ in range(20):
        connect()
    assert requests.get(f"{served[0]}/healthz", timeout=5).status_code == 200
    until = time.monotonic() + 5
    while threading.active_count() > before + http.MOST:  # one that has left its place is still there for a moment
        assert time.monotonic() < until
        time.sleep(0.01)


def test_a_client_that_goes_away_is_not_news(served, connect, capfd):
    before = set(threading.enumerate())
    for sent in (b"", b"GE", b"GET / HTTP/1.1\r\n"):
        client = connect()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # it resets, not ends
        client.sendall(sent)
        client.close()
    assert requests.get(f"{served[0]}/healthz", timeout=5).status_code == 200
    until = time.monotonic() + 5
    while any("process_request_thread" in thread.name for thread in set(threading.enumerate()) - before):
        assert time.monotonic() < until
        time.sleep(0.01)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("head", [b"GET / 5 HTTP/1.1", b"GET / HTTP/1.1" + 200 * b"\r\na: b"], ids=["words", "length"])
def test_the_answer_to_what_is_no_request_is_guarded_too(connect, head):
    client = connect()
    client.sendall(head + b"\r\n\r\n")
    with client.makefile("rb") as file:
        answer = file.read().decode()
    assert "default-src 'none'" in answer
    assert "Python" not in answer


def test_a_page_that_cannot_be_made_breaks_nothing_else(served):
    assert requests.get(f"{served[0]}/broken").status_code == 500
    assert requests.get(f"{served[0]}/").text == "<p>here</p>"

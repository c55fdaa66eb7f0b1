"""What comes byte by byte is given up after the time that the whole may take, whoever waits for it."""

import socket
from collections.abc import Callable
from contextlib import contextmanager, suppress
from threading import Event, Thread

import pytest
import requests
import yaml

from canary_analyzer.cluster.client import DEPLOYMENTS, Cluster
from canary_analyzer.cluster.errors import ClusterError
from canary_analyzer.metrics.client import MetricsUnavailable, PrometheusReader
from canary_analyzer.service.posting import Letter, post
from canary_analyzer.timely_http import Adapter

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
SECONDS = 0.2


@contextmanager
def serving(say: Callable[[socket.socket], None]):
    """Let one connection after the other be answered by `say` until the block ends; gives the address."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            with suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    with connection, suppress(OSError):
                        say(connection)

        thread = Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}"
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


@pytest.fixture
def dripping():
    """A server that would take more than a thousand times as long for its headers as anybody waits for them."""
    given_up = Event()

    def drip(connection):
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nX-Header: ")
        while not given_up.wait(SECONDS / 20):
            connection.sendall(b"x")

    with serving(drip) as url:
        yield url
        given_up.set()


def test_an_api_server_s(dripping, tmp_path):
    context = {"cluster": "played", "user": "nobody"}
    config = {
        "clusters": [{"name": "played", "cluster": {"server": dripping}}],
        "users": [{"name": "nobody", "user": {}}],
        "contexts": [{"name": "played", "context": context}],
        "current-context": "played",
    }
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(config))
    with pytest.raises(ClusterError, match="timed out"):
        Cluster.connect(tmp_path / "kubeconfig").within(SECONDS).get(DEPLOYMENTS, "default", "app")


def test_prometheus_s(dripping):
    with pytest.raises(MetricsUnavailable, match=r"did not answer within 0\.2 s"):
        PrometheusReader(dripping, timeout_seconds=SECONDS).knew("up", 0.0)


def test_a_webhook_s(dripping):
    assert post(Letter(url=dripping, body=b"", headers={}), SECONDS).text == "did not answer within 0.2 s"


def test_what_takes_no_longer_than_it_may_is_read_whole_and_the_connection_used_again():
    connections = []

    def drip(connection):
        connections.append(connection)
        while connection.recv(65536):
            for byte in ANSWER:
                connection.sendall(bytes([byte]))

    with serving(drip) as url, requests.Session() as session:
        session.mount(url, Adapter())
        assert [session.get(url, timeout=30).text for _ in range(3)] == ["ok"] * 3
    assert len(connections) == 1

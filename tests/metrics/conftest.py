"""A real Prometheus over samples that are known to the last request."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import parse_qs

import pytest
import requests

from canary_analyzer.metrics import Pair, PrometheusReader, Workload

START = 1_700_000_000.0
SCRAPE = 5.0
EDGES = ("10", "100", "+Inf")
HOST = "127.0.0.2"
"""Where no other test listens: a port that was free stays so until Prometheus has it."""


@dataclass(frozen=True, kw_only=True)
class Counter:
    """A counter that grows by `per_scrape` at every scrape, from `first` at `since` seconds after START to `until`."""

    name: str
    labels: dict[str, str]
    since: float = -100
    until: float = 100
    first: float = 0
    per_scrape: float = 0

    def openmetrics(self):
        labels = ",".join(f"{name}={json.dumps(value)}" for name, value in self.labels.items())
        for scrape in range(int((self.until - self.since) / SCRAPE) + 1):
            at = START + self.since + scrape * SCRAPE
            yield f"{self.name}{{{labels}}} {self.first + scrape * self.per_scrape} {at}"


def pair_in(namespace):
    return Pair(
        baseline=Workload(namespace=namespace, name="web"),
        canary=Workload(namespace=namespace, name="web-canary"),
        baseline_service="web",
        canary_service="web-canary",
    )


def requests_of(namespace, workload, code="200", flags="-", **more):
    times = {name: more.pop(name) for name in ("since", "until", "first", "per_scrape") if name in more}
    labels = {
        "reporter": "source",
        "destination_workload": workload,
        "destination_workload_namespace": namespace,
        "destination_service_name": workload,
        "destination_service_namespace": namespace,
        "response_code": code,
        "response_flags": flags,
    }
    return Counter(name="istio_requests_total", labels=labels | more, **times)


def response_of(workload, classification, per_scrape):
    """Linkerd's counter of responses, seen by the caller."""
    caller = {"direction": "outbound", "namespace": "front", "deployment": "ingress"}
    called = {"dst_namespace": "meshed", "dst_deployment": workload, "classification": classification}
    return Counter(name="response_total", labels=caller | called, per_scrape=per_scrape)


def cart_of(name, namespace, workload, per_scrape, **more):
    """A counter that the app itself keeps, scraped from its pod."""
    pod = {"namespace": namespace, "app": workload, "pod": f"{workload}-6d4cf56db6-x8k2p"}
    return Counter(name=name, labels=pod | more, per_scrape=per_scrape)


def latency_of(namespace, workload, per_scrape, edges=EDGES, **more):
    for edge, growth in zip(edges, per_scrape, strict=True):
        counter = requests_of(namespace, workload, le=edge, per_scrape=growth, **more)
        yield Counter(
            name="istio_request_duration_milliseconds_bucket",
            labels=counter.labels,
            since=counter.since,
            until=counter.until,
            per_scrape=growth,
        )


def world():
    """All that Prometheus knows, one namespace per story."""
    yield Counter(name="up", labels={"job": "mesh"}, per_scrape=0, first=1)
    # An ordinary canary: the baseline has a past, the canary and its errors begin after the start.
    yield requests_of("shop", "web", first=5000, per_scrape=20)
    yield requests_of("shop", "web", "500", first=70, per_scrape=1)
    yield requests_of("shop", "web-canary", since=15, first=3, per_scrape=4)
    yield requests_of("shop", "web-canary", "503", since=25, first=2, per_scrape=2)
    yield requests_of("shop", "web-canary", "0", "DC", since=25, first=1, per_scrape=1)
    yield requests_of("shop", "web", per_scrape=1000, reporter="destination")
    yield from latency_of("shop", "web", (5, 15, 21))
    yield from latency_of("shop", "web-canary", (0, 3, 7), since=15)
    # No healthy canary: the workload is unknown, the Service is not.
    yield requests_of("down", "web", per_scrape=10)
    yield requests_of(
        "unknown", "unknown", "503", "UH", since=15, per_scrape=5, first=5,
        destination_service_name="web-canary", destination_service_namespace="down",
    )  # fmt: skip
    # Prometheus was away from 20 to 60.
    yield requests_of("gap", "web", until=20, first=100, per_scrape=10)
    yield requests_of("gap", "web", since=60, first=500, per_scrape=10)
    # Samples end at 20.
    yield requests_of("stale", "web", until=20, per_scrape=10)
    # Two Prometheus replicas; b has other clocks, and a falls silent at 40.
    yield requests_of("twice", "web", until=40, per_scrape=10, prometheus_replica="a")
    yield requests_of("twice", "web", since=-98, per_scrape=10, prometheus_replica="b")
    # A pair of Prometheus servers, told apart by a label that only their owner knows.
    yield requests_of("pair", "web", per_scrape=10, monitor="a")
    yield requests_of("pair", "web", since=-98, per_scrape=10, monitor="b")
    # Two versions of one workload, as their own sidecars see them, and a caller who went past the route.
    for pod, code, per_scrape in (("old", "200", 30), ("new", "200", 9), ("new", "500", 3), ("older", "200", 1)):
        labels = {"reporter": "destination", "pod_template_hash": pod, "pod": f"web-{pod}-x8k2p"}
        yield requests_of("rolling", "web", code, per_scrape=per_scrape, source_workload="gateway", **labels)
    yield requests_of("rolling", "web", per_scrape=50, source_workload="batch", reporter="destination")
    for caller, per_scrape in (("gateway", 8), ("batch", 100)):
        yield requests_of("callers", "web", per_scrape=per_scrape, source_workload=caller)
    # A Linkerd mesh.
    yield from (response_of("web", "success", 20), response_of("web", "failure", 1))
    yield from (response_of("web-canary", "success", 5), response_of("web-canary", "failure", 5))
    for edge, growth in (("1", 4), ("30", 9), ("+Inf", 10)):
        labels = response_of("web-canary", "success", 0).labels | {"le": edge}
        yield Counter(name="response_latency_ms_bucket", labels=labels, per_scrape=growth)
    # Metrics of the app's own. The canary has lost every cart: no counter of good ones.
    for namespace in ("shop", "bank"):
        yield cart_of("carts_total", namespace, "web", 10)
        yield cart_of("carts_good_total", namespace, "web", 8)
        yield cart_of("carts_total", namespace, "web-canary", 4)
        for edge, growth in (("0.005", 1), ("0.1", 3), ("+Inf", 4)):
            yield cart_of("cart_seconds_bucket", namespace, "web-canary", growth, le=edge)
    for number in range(40):
        yield requests_of(f"team-{number}", "web", per_scrape=number)
    # Names that mean something in PromQL and in regular expressions.
    yield requests_of('a"b\\c.*|d\n', "web", per_scrape=7)
    yield requests_of("xyz", "web", per_scrape=1)


def binary(name):
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    assert found, f"{name} is neither in .venv/bin nor on PATH: run make setup"
    return found


def free_port():
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        return listener.getsockname()[1]


@pytest.fixture(scope="session")
def prometheus_url(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prometheus")
    samples = folder / "samples"
    samples.write_text("\n".join([*(line for counter in world() for line in counter.openmetrics()), "# EOF", ""]))
    (folder / "prometheus.yml").write_text("{}")
    create = [binary("promtool"), "tsdb", "create-blocks-from", "openmetrics", "--quiet", samples, folder / "data"]
    subprocess.run(create, check=True, capture_output=True)
    address = f"{HOST}:{free_port()}"
    command = [
        binary("prometheus"),
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/data",
        "--storage.tsdb.retention.time=100y",
        f"--web.listen-address={address}",
        "--log.level=error",
    ]
    process = subprocess.Popen(command)
    try:
        wait_ready(f"http://{address}", process)
        yield f"http://{address}"
    finally:
        process.terminate()
        process.wait(10)


def wait_ready(url, process):
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        assert process.poll() is None, "Prometheus ended at once"
        try:
            if requests.get(f"{url}/-/ready", timeout=1).ok:
                return
        except requests.RequestException:
            pass  # it does not listen yet, or is too busy with its start to answer
        time.sleep(0.05)
    raise TimeoutError("Prometheus did not get ready")


@pytest.fixture(scope="session")
def prometheus(prometheus_url):
    return PrometheusReader(prometheus_url)


@pytest.fixture
def pair():
    return pair_in


@pytest.fixture
def grid():
    """Boundaries given in seconds after the start."""
    return lambda *seconds: [START + second for second in seconds]


@pytest.fixture
def answering():
    """A server that gives one HTTP answer to everything: answering(status, body) -> its address.

    A body may be a function of the query. The headers of what it was asked are in answering.requests.
    """

    @contextmanager
    def server(status, body):
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                server.requests.append(self.headers)
                form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                self.send_response(status)
                self.end_headers()
                self.wfile.write((body if isinstance(body, str) else body(form["query"][0])).encode())

            def log_message(self, *_):
                pass

        with HTTPServer(("127.0.0.1", 0), Handler) as http:
            thread = Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
            thread.start()
            try:
                yield f"http://127.0.0.1:{http.server_port}"
            finally:
                http.shutdown()
                thread.join()

    server.requests = []
    return server


@pytest.fixture
def telling(answering):
    """A Prometheus that was always there and has what a function of the query tells: telling(tell) -> its address."""
    there = '{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[0,"1"]}]}}'

    def body(tell, query):
        if query.startswith("count("):
            return there
        answer = {"status": "success", "data": {"resultType": "matrix", "result": tell(query)}}
        return json.dumps(answer, separators=(",", ":"))

    return lambda tell: answering(200, partial(body, tell))


@pytest.fixture
def series():
    """A series as Prometheus tells it: series(counter, value, value, ...), scraped from the start on."""

    def told(counter, *values):
        points = [[START + at * SCRAPE, value] for at, value in enumerate(values)]
        return {"metric": {"__name__": counter.name, **counter.labels}, "values": points}

    return told


@pytest.fixture
def requests_to():
    """The counter of requests to a workload."""
    return requests_of


@pytest.fixture
def carts_of():
    """A counter that an app itself keeps."""
    return cart_of

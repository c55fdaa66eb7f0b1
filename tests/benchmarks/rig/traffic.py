"""Requests that nobody sends: Istio's counters of both arms of every app, as the routes split them, for Prometheus."""

import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import requests
import yaml
from rig.world import Document, Key

from canary_analyzer.cluster.client import VIRTUAL_SERVICES, Cluster
from canary_analyzer.cluster.errors import ClusterError
from canary_analyzer.metrics.counts import ISTIO_EDGES_MS
from canary_analyzer.sandbox.mesh.prometheus import program

REQUESTS_PER_SECOND = 40.0
ERRORS = 0.002
MEDIAN_MS, SPREAD = 40.0, 0.8
EDGES = (*(f"{edge:g}" for edge in ISTIO_EDGES_MS), "+Inf")


class Traffic:
    """The counters of all apps; what was requested since the last scrape is drawn when the next one comes.

    `wrong` says of every route that was seen whose weights are not 100 together.
    """

    def __init__(self, apps: list[Key], seed: int = 1) -> None:
        self._rng = np.random.default_rng(seed)
        self._index = {key: number for number, key in enumerate(apps)}
        self._weights = np.zeros(len(apps))
        self._errors = np.full((len(apps), 2), ERRORS)
        self._requests = np.zeros((len(apps), 2, 2), dtype=np.int64)  # app, arm, good or bad
        self._buckets = np.zeros((len(apps), 2, len(EDGES)), dtype=np.int64)
        self._names = [[_series(*key, arm) for arm in ("", "-canary")] for key in apps]
        self._last = time.monotonic()
        self._share = _shares()
        self._lock = threading.Lock()
        self.wrong: list[str] = []

    def spoil(self, key: Key, errors: float = 0.25) -> None:
        """Let an app's canary fail so many of its requests."""
        self._errors[self._index[key], 1] = errors

    def routed(self, route: Document) -> None:
        """Split an app's requests as its route says."""
        key = (route["metadata"]["namespace"], route["metadata"]["name"])
        destinations = route["spec"]["http"][0]["route"]
        weights = {each["destination"]["host"]: each.get("weight", 100) for each in destinations}
        if sum(weights.values()) != 100:
            self.wrong.append(f"{'/'.join(key)}: the weights of its route were {weights}")
        with self._lock:
            self._weights[self._index[key]] = weights.get(f"{key[1]}-canary", 0) / 100

    def scrape(self) -> str:
        """Return all series in Prometheus' text format."""
        with self._lock:
            self._draw()
            lines = []
            for names, counts, buckets in zip(self._names, self._requests, self._buckets, strict=True):
                for (codes, les), arm, histogram in zip(names, counts.tolist(), buckets.tolist(), strict=True):
                    if arm[0]:
                        lines += [f"{name} {value}" for name, value in zip(codes, arm, strict=True) if value]
                        lines += [f"{name} {value}" for name, value in zip(les, histogram, strict=True)]
        return "\n".join(lines) + "\n"

    def _draw(self) -> None:
        now = time.monotonic()
        total = self._rng.poisson(REQUESTS_PER_SECOND * (now - self._last), len(self._weights))
        self._last = now
        canary = self._rng.binomial(total, self._weights)
        arms = np.stack([total - canary, canary], axis=1)
        bad = self._rng.binomial(arms, self._errors)
        self._requests += np.stack([arms - bad, bad], axis=2)
        self._buckets += np.cumsum(self._rng.multinomial(arms, self._share), axis=2)


def _shares() -> np.ndarray:
    """Return the share of requests between each two edges: latencies are log-normal."""
    drawn = np.random.default_rng(0).lognormal(np.log(MEDIAN_MS), SPREAD, 100_000)
    return np.histogram(drawn, [0.0, *ISTIO_EDGES_MS, np.inf])[0] / len(drawn)


def _series(namespace: str, name: str, arm: str) -> tuple[list[str], list[str]]:
    """Return the names of an arm's counters, of requests by code and of latency by bucket, labelled as by Istio."""
    labels = {
        "reporter": "source",
        "source_workload": "istio-ingressgateway",
        "source_canonical_service": "istio-ingressgateway",
        "source_canonical_revision": "latest",
        "source_workload_namespace": "istio-system",
        "source_principal": "spiffe://cluster.local/ns/istio-system/sa/istio-ingressgateway",
        "source_app": "istio-ingressgateway",
        "source_version": "unknown",
        "source_cluster": "Kubernetes",
        "destination_workload": f"{name}{arm}",
        "destination_workload_namespace": namespace,
        "destination_principal": f"spiffe://cluster.local/ns/{namespace}/sa/default",
        "destination_app": name,
        "destination_version": "v2" if arm else "v1",
        "destination_service": f"{name}{arm}.{namespace}.svc.cluster.local",
        "destination_canonical_service": name,
        "destination_canonical_revision": "latest",
        "destination_service_name": f"{name}{arm}",
        "destination_service_namespace": namespace,
        "destination_cluster": "Kubernetes",
        "request_protocol": "http",
        "response_flags": "-",
        "grpc_response_status": "",
        "connection_security_policy": "unknown",
    }
    codes = [_name("istio_requests_total", labels | {"response_code": code}) for code in ("200", "500")]
    histogram = "istio_request_duration_milliseconds_bucket"
    return codes, [_name(histogram, labels | {"response_code": "200", "le": edge}) for edge in EDGES]


def _name(metric: str, labels: dict[str, str]) -> str:
    inner = ",".join(f'{name}="{value}"' for name, value in labels.items())
    return f"{metric}{{{inner}}}"


def follow(cluster: Cluster, traffic: Traffic) -> None:
    """Keep the traffic as the routes say, for ever."""
    while True:
        try:
            listing = cluster.list(VIRTUAL_SERVICES)
            for route in listing.items:
                traffic.routed(route)
            for change, route in cluster.watch(VIRTUAL_SERVICES, listing.version):
                if change != "BOOKMARK":
                    traffic.routed(route)
        except ClusterError:
            time.sleep(0.5)


@contextmanager
def prometheus(cluster: Cluster, traffic: Traffic, folder: Path, scrape_seconds: int = 5) -> Iterator[str]:
    """Run a Prometheus that scrapes the traffic until the end of the block; gives its URL."""
    threading.Thread(target=follow, args=(cluster, traffic), daemon=True).start()
    exporter = _exporter(traffic)
    target = [{"targets": [f"127.0.0.1:{exporter.server_port}"]}]
    config = {
        "global": {"scrape_interval": f"{scrape_seconds}s", "scrape_timeout": f"{scrape_seconds}s"},
        "scrape_configs": [{"job_name": "istio", "static_configs": target}],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    with _running(folder) as url:
        yield url
    exporter.shutdown()


@contextmanager
def _running(folder: Path) -> Iterator[str]:
    port = _free_port()
    command = [
        program(),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=warn",
    ]
    url = f"http://127.0.0.1:{port}"
    with (folder / "prometheus.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        _until_up(url)
        yield url
    finally:
        process.terminate()
        process.wait()


def _until_up(url: str) -> None:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            if requests.get(f"{url}/api/v1/query", {"query": "up == 1"}, timeout=5).json()["data"]["result"]:
                return
        except requests.RequestException:
            pass
        time.sleep(0.2)
    raise TimeoutError("Prometheus scrapes nothing")


def _exporter(traffic: Traffic) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = traffic.scrape().encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with suppress(ConnectionError):  # a Prometheus that waits no longer
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

"""A Prometheus over HTTP that has scraped the app's proxies every second; what it knows follows from the traffic."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs

from harness.traffic import REQUESTS_PER_SECOND, Quality, Traffic

WORKLOADS = ("app", "app-canary")
BUCKETS = ("10", "25", "+Inf")


class Prometheus:
    """Counts what the traffic has been, second by second, from a beginning on."""

    def __init__(self, traffic: Traffic, begin: float) -> None:
        self._traffic, self._begin = traffic, int(begin)

    def answer(self, query: str, at: float) -> list[dict[str, object]]:
        """Return the result of one of the queries that the service asks."""
        if query.startswith("count("):
            return [{"metric": {}, "value": [at, "1"]}]
        window = int(query.rpartition("[")[2].removesuffix("ms]")) / 1000
        buckets = BUCKETS if "_bucket" in query else ("",)
        return [
            {"metric": _labels(workload, code, bucket), "values": points}
            for workload in WORKLOADS
            for code in ("200", "500")
            for bucket in buckets
            if (points := self._points(workload, code, bucket, at, window))
        ]

    def _points(self, workload: str, code: str, bucket: str, at: float, window: float) -> list[list[object]]:
        counted, total = [], 0
        for second in range(self._begin, int(at) + 1):
            moment = self._traffic.at(second - 0.5)
            served = round(moment.shares.get(workload, 0.0) * REQUESTS_PER_SECOND)
            failed = served // 2 if moment.quality is Quality.BAD and workload != "app" else 0
            total += 0 if moment.quality is Quality.SILENT else failed if code == "500" else served - failed
            if total and second > at - window:
                counted.append([float(second), str(0 if bucket == "10" else total)])
        return counted


def _labels(workload: str, code: str, bucket: str) -> dict[str, str]:
    labels = {
        "__name__": "istio_requests_total",
        "reporter": "source",
        "destination_workload": workload,
        "destination_workload_namespace": "default",
        "destination_service_name": workload,
        "destination_service_namespace": "default",
        "response_code": code,
        "response_flags": "-",
    }
    if bucket:
        labels |= {"__name__": "istio_request_duration_milliseconds_bucket", "le": bucket}
    return labels


@contextmanager
def served(prometheus: Prometheus) -> Iterator[str]:
    """Yield the address of a server that answers for it, for as long as the block lasts."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            result = prometheus.answer(form["query"][0], float(form["time"][0]))
            kind = "matrix" if form["query"][0].endswith("ms]") else "vector"
            answer = {"status": "success", "data": {"resultType": kind, "result": result}}
            content = json.dumps(answer, separators=(",", ":")).encode()  # as the real one writes it
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()

"""The Flask application: `/` and `/work` do work, `/healthz` and `/readyz` are probes, `/metrics` is for Prometheus."""

import os
import sys
import time
from collections.abc import Callable, Iterable
from random import SystemRandom
from threading import Event
from typing import TYPE_CHECKING

from flask import Flask, Response, request
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from flask_app.behaviour import answer
from flask_app.settings import Settings, at_least_zero, from_environment

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

VERSION_HEADER = "x-app-version"
# Set when the process has been told to stop: readiness turns false while requests are still served.
STOPPING = Event()
CRASH_EXIT_CODE = 1
LONGEST_SECONDS = 30.0


class Versioned:
    """Puts the version on every response, whoever made it: a view, an error handler or an exception."""

    def __init__(self, inner: "WSGIApplication", version: str) -> None:
        self._inner = inner
        self._header = (VERSION_HEADER, version)

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Serve one request (PEP 3333)."""

        def start(status: str, headers: list[tuple[str, str]], *error: object) -> Callable[[bytes], object]:
            return start_response(status, [*headers, self._header], *error)  # type: ignore[arg-type]

        return self._inner(environ, start)


class Metrics:
    """What the application says about itself; one registry per application, so that two can live in one process."""

    def __init__(self, version: str) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter("app_requests", "Requests answered.", ["path", "code"], registry=self.registry)
        self.seconds = Histogram("app_request_seconds", "Time taken by an answer.", ["path"], registry=self.registry)
        Gauge("app_info", "1 for the version that runs.", ["version"], registry=self.registry).labels(version).set(1)

    def observe(self, path: str, status: int, seconds: float) -> None:
        """Count one answer."""
        self.requests.labels(path, status).inc()
        self.seconds.labels(path).observe(seconds)


def create_app(settings: Settings | None = None) -> Flask:
    """Make the application; without settings, as the environment says.

    Raises:
        SystemExit: the fault "crash at start" is switched on.
        ValueError: the environment cannot be understood.
    """
    settings = settings or from_environment(os.environ)
    if settings.faults.crash or settings.faults.crash_unless_pod not in settings.pod:
        print(f"version {settings.version}: told by a FAULT_CRASH variable to exit at start", file=sys.stderr)
        raise SystemExit(CRASH_EXIT_CODE)
    print(f"version {settings.version} starts", file=sys.stderr)
    app = Flask("flask_app")
    metrics = Metrics(settings.version)
    _add_work(app, settings, metrics)
    _add_probes(app, settings)
    app.add_url_rule(
        "/metrics", view_func=lambda: Response(generate_latest(metrics.registry), mimetype=CONTENT_TYPE_LATEST)
    )
    app.wsgi_app = Versioned(app.wsgi_app, settings.version)  # type: ignore[method-assign]
    return app


def _add_work(app: Flask, settings: Settings, metrics: Metrics) -> None:
    # Not seeded: a generator that is copied by fork would make all processes draw the same numbers.
    chance = SystemRandom()
    served = 0

    def work() -> tuple[dict[str, str], int]:
        nonlocal served
        drawn = answer(settings.latency, settings.faults, served, chance)
        served += 1
        # Beside the usual time, what the caller asks for: `/work?seconds=5` is still in flight when a pod drains.
        seconds = drawn.seconds + min(LONGEST_SECONDS, request.args.get("seconds", 0.0, type=at_least_zero))
        time.sleep(seconds)
        metrics.observe(request.path, drawn.status, seconds)
        if drawn.status >= 500:
            app.logger.error("%s %s: %d, as FAULT_ERROR_RATE asks for", request.method, request.path, drawn.status)
        return {"version": settings.version, "pod": settings.pod}, drawn.status

    app.add_url_rule("/", "root", work)
    app.add_url_rule("/work", "work", work, methods=["GET", "POST"])


def _add_probes(app: Flask, settings: Settings) -> None:
    ready_at = time.monotonic() + settings.faults.ready_after_seconds

    def readyz() -> tuple[str, int]:
        if STOPPING.is_set():
            return "stopping\n", 503
        if time.monotonic() < ready_at:
            return "not ready yet\n", 503
        return ("never ready\n", 503) if settings.faults.never_ready else ("ready\n", 200)

    app.add_url_rule("/healthz", "healthz", lambda: "alive\n")
    app.add_url_rule("/readyz", "readyz", readyz)

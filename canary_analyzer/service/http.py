"""What the service answers over HTTP: its status page, its metrics and its health. Nothing here writes."""

import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from wsgiref.types import StartResponse, WSGIEnvironment

import structlog
from prometheus_client import CollectorRegistry, make_wsgi_app

from canary_analyzer.service.pages import Page, Pages

log = structlog.get_logger()

Application = Callable[[WSGIEnvironment, StartResponse], Iterable[bytes]]

LONGEST_SECONDS = 30.0
"""So long may a connection last from its first byte to its last; whoever sends or takes slower is hung up on."""
MOST = 64
"""Connections at a time. Where one more comes, the oldest is hung up on, so that a probe always gets in."""
SERVER = "canary-analyzer"

SECURITY = (
    (
        "Content-Security-Policy",
        "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'unsafe-inline'; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cache-Control", "no-store"),
)
"""Headers of every answer: nothing from elsewhere, no script but ours, nothing kept."""
_HEADERS = (("Server", SERVER), *SECURITY)


@dataclass(frozen=True, kw_only=True)
class Sources:
    """What the answers are made of."""

    registry: CollectorRegistry
    ready: Callable[[], bool]
    """Whether the cluster has been read."""
    trouble: Callable[[], str]
    """What of the process does not go on any more; empty where all does."""
    pages: Pages


class _Server(ThreadingMixIn, WSGIServer):
    """A thread for each connection: a page that takes long to draw must not keep a probe waiting."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, *args: Any) -> None:
        self._room = threading.BoundedSemaphore(MOST)
        self._since: dict[Any, float] = {}
        """By socket, when it was accepted; the oldest first."""
        super().__init__(*args)

    def verify_request(self, request: Any, *_: Any) -> bool:
        """Take a connection in where there is room for it, or soon will be."""
        if not self._room.acquire(blocking=False):
            _hang_up(next(iter(list(self._since)), request))
            if not self._room.acquire(timeout=1):
                return False
        self._since[request] = time.monotonic()
        return True

    def shutdown_request(self, request: Any) -> None:
        """Close a connection, whatever has become of it, and make its room free."""
        super().shutdown_request(request)
        if self._since.pop(request, None) is not None:
            self._room.release()

    def service_actions(self) -> None:
        """Hang up on who takes too long; called about twice a second."""
        latest = time.monotonic() - LONGEST_SECONDS
        for request, since in list(self._since.items()):
            if since < latest:
                _hang_up(request)

    def handle_error(self, *_: Any) -> None:
        """Say what is our fault; clients that go away are not news."""
        if not isinstance(sys.exception(), OSError):
            log.exception("a request could not be answered by a defect of ours")


def _hang_up(request: socket.socket) -> None:
    """Wake the thread that waits for a client: it finds the connection at its end."""
    with suppress(OSError):  # it has ended by itself
        request.shutdown(socket.SHUT_RDWR)


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the name is the base class's)
        """Scrapes and probes are not worth a log line."""

    def version_string(self) -> str:
        """Tell nobody what we are made of."""
        return SERVER

    def end_headers(self) -> None:
        """Give the answer to what is no HTTP the headers that `_guarded` gives to all others."""
        for name, value in SECURITY:
            self.send_header(name, value)
        super().end_headers()


def serve(host: str, port: int, sources: Sources) -> WSGIServer:
    """Answer in a thread of its own; close the returned server to end it."""
    server = make_server(host, port, application(sources), server_class=_Server, handler_class=_Quiet)
    threading.Thread(target=server.serve_forever, name="http", daemon=True).start()
    return server


def application(sources: Sources) -> Application:
    """Return the WSGI application.

    `/` and below are the status page, `/metrics` is for Prometheus, `/healthz` says that the process does its
    work, `/readyz` that the cluster was read. Only GET and HEAD are answered.
    """
    metrics: Application = make_wsgi_app(sources.registry)

    def answer(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/metrics":
            return metrics({**environ, "REQUEST_METHOD": "GET"}, start)
        page = _page(sources, environ["PATH_INFO"])
        start(page.status, [("Content-Type", page.content_type), ("Content-Length", str(len(page.body)))])
        return [page.body]

    return _guarded(answer)


def _page(sources: Sources, path: str) -> Page:
    match path:
        case "/healthz" if trouble := sources.trouble():
            return _text("503 Service Unavailable", f"{trouble}\n")
        case "/healthz":
            return _text("200 OK", "ok\n")
        case "/readyz" if sources.ready():
            return _text("200 OK", "ready\n")
        case "/readyz":
            return _text("503 Service Unavailable", "the first list of Deployments is not there yet\n")
    try:
        return sources.pages.get(path) or _text("404 Not Found", "there is /, /metrics, /healthz and /readyz\n")
    except Exception:
        log.exception("a page could not be made by a defect of ours", path=path)
        return _text("500 Internal Server Error", "this page could not be made; the service's log says why\n")


def _text(status: str, text: str) -> Page:
    return Page(status=status, content_type="text/plain; charset=utf-8", body=text.encode())


def _guarded(inner: Application) -> Application:
    """Add the headers that every answer has, refuse what would write, and answer HEAD without a body."""

    def answer(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        method = environ["REQUEST_METHOD"]
        if method not in ("GET", "HEAD"):
            refusal = b"this port is read-only: GET and HEAD\n"
            head = [("Content-Type", "text/plain; charset=utf-8"), ("Allow", "GET, HEAD"), *_HEADERS]
            start("405 Method Not Allowed", head)
            return [refusal]
        body = inner(environ, lambda status, headers, *error: start(status, [*headers, *_HEADERS], *error))
        return body if method == "GET" else []

    return answer

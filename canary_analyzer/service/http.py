"""The service's own metrics and health over HTTP; nothing here writes."""

import threading
from collections.abc import Callable, Iterable
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from wsgiref.types import StartResponse, WSGIEnvironment

from prometheus_client import CollectorRegistry, make_wsgi_app

Application = Callable[[WSGIEnvironment, StartResponse], Iterable[bytes]]


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the name is the base class's)
        """Scrapes and probes are not worth a log line."""


def application(registry: CollectorRegistry, ready: Callable[[], bool]) -> Application:
    """Return the WSGI application: `/metrics`, `/healthz` (the process answers), `/readyz` (the cluster was read)."""
    metrics: Application = make_wsgi_app(registry)

    def answer(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        match environ["PATH_INFO"]:
            case "/metrics":
                return metrics(environ, start)
            case "/healthz":
                return _text(start, "200 OK", "ok\n")
            case "/readyz" if ready():
                return _text(start, "200 OK", "ready\n")
            case "/readyz":
                return _text(start, "503 Service Unavailable", "the first list of Deployments is not there yet\n")
            case _:
                return _text(start, "404 Not Found", "there is /metrics, /healthz and /readyz\n")

    return answer


def _text(start: StartResponse, status: str, body: str) -> Iterable[bytes]:
    start(status, [("Content-Type", "text/plain; charset=utf-8")])
    return [body.encode()]


def serve(host: str, port: int, registry: CollectorRegistry, ready: Callable[[], bool]) -> WSGIServer:
    """Answer in a thread of its own; close the returned server to end it."""
    server = make_server(host, port, application(registry, ready), handler_class=_Quiet)
    threading.Thread(target=server.serve_forever, name="http", daemon=True).start()
    return server

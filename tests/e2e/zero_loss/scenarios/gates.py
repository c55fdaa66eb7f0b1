"""Webhooks that do not say yes: none of them ever moves traffic forward."""

import threading
import time
from functools import cache, partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.e2e.zero_loss.app import App, Unexpected
from tests.e2e.zero_loss.scenario import Scenario
from tests.e2e.zero_loss.scenarios.plays import SUCCEEDED, Play, abort

WATCHED_SECONDS = 8.0
NOS = ("500", "302", "307", "hang")


class _Handler(BaseHTTPRequestHandler):
    """Answers as the path says (/500, /302, /307 elsewhere, /hang), whose yes would be at /elsewhere."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        asked = self.path.strip("/")
        if asked == "hang":
            time.sleep(WATCHED_SECONDS)
        self.send_response(int(asked) if asked.isdigit() else 200)
        self.send_header("location", "/elsewhere")
        self.send_header("content-length", "0")
        self.end_headers()

    do_GET = do_POST  # noqa: N815  (the standard library's name)

    def log_message(self, *_: object) -> None:
        return


@cache
def _receiver() -> str:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


def _webhook(no: str) -> dict[str, Any]:
    gate = {"url": f"{_receiver()}/{no}", "timeout_seconds": 1, "retries": 1, "every_seconds": 1}
    return {"webhooks": {"gate": gate, "welcome": gate | {"url": f"{_receiver()}/200"}}}


def _closed(moment: str, weight: int) -> Play:
    """The run waits where it is for as long as the gate does not say yes."""

    def play(app: App) -> None:
        app.start("v2", config=f"{{webhooks: {{{moment}: [welcome, gate]}}}}")
        app.until(lambda: app.run()["phase"] == "Holding" and app.weight() == weight, "the gate to be asked")
        until = time.monotonic() + WATCHED_SECONDS
        while time.monotonic() < until:
            if app.weight() != weight or app.run()["phase"] != "Holding":
                raise Unexpected(f"it went on to {app.weight()} %, {app.run()['phase']}")
            time.sleep(0.5)
        abort(app)

    return play


def _open(app: App) -> None:
    app.start("v2", config="{webhooks: {start: [welcome], step: [welcome], promotion: [welcome], end: [gate]}}")
    app.ends(SUCCEEDED, promoted="flask-app:v2")


SCENARIOS = (
    *(Scenario(name=f"webhook that answers {no}", play=_closed("step", 0), config=partial(_webhook, no)) for no in NOS),
    Scenario(name="webhook that refuses the promotion", play=_closed("promotion", 50), config=partial(_webhook, "500")),
    Scenario(name="webhooks that say yes; one hangs at the end", play=_open, config=partial(_webhook, "hang")),
)

"""Receivers are told of whole canaries though the service is killed again and again."""

import json
import random
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import yaml

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]

SECRET = "s3cret"
SHORTEST, LONGEST = 3.0, 9.0
"""Seconds between two kills."""


class Receiver:
    """A server that keeps what it is told."""

    def __init__(self):
        self.got = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                outer.got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/{SECRET}"

    def close(self):
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def receivers():
    made = {"chat": Receiver(), "ci": Receiver()}
    yield made
    for each in made.values():
        each.close()


@pytest.fixture
def killed(sandbox, user, receivers, tmp_path, make_service):
    """A service that tells both, and that is killed and started again until the test ends."""
    service = make_service(sandbox, tmp_path)
    (tmp_path / "address").write_text(receivers["chat"].url)
    told = [
        {"name": "chat", "kind": "slack", "url_file": str(tmp_path / "address")},
        {"name": "ci", "kind": "webhook", "url": receivers["ci"].url},
    ]
    config = tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump(yaml.safe_load(config.read_text()) | {"notifications": told}))
    over, chance = threading.Event(), random.Random(7)

    def again_and_again():
        while not over.wait(chance.uniform(SHORTEST, LONGEST)):
            service.kill()
            service.start()

    service.start()
    killer = threading.Thread(target=again_and_again)
    killer.start()
    yield service
    over.set()
    killer.join()
    user.tidy()
    service.stop()
    sys.stderr.write(service.log.read_text())


def test_each_event_reaches_each_receiver_at_least_once(user, receivers, killed):
    runs = []
    for image in ("flask-app:v2", "flask-app:v2-errors"):
        user.canary(image)
        runs.append(user.ended()["run"])
    good, bad = runs
    wanted = {(good, "started"), (good, "promoted"), (bad, "started"), (bad, "aborted")}

    def told_ci():
        return {(body["data"]["run"], body["type"].rpartition(".")[2]) for body in receivers["ci"].got}

    def told_chat():
        texts = " ".join(json.dumps(body) for body in receivers["chat"].got)
        return all(part in texts for part in (f"{good}", f"{bad}", "started", "promoted", "aborted"))

    user.eventually(lambda: wanted <= told_ci(), "all news at the webhook")
    user.eventually(told_chat, "all news in the chat")
    log = killed.log.read_text()
    assert log.count('"serving"') > 3, "it was killed too seldom to show anything"
    assert SECRET not in log

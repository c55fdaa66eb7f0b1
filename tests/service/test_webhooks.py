"""Webhooks over real HTTP: what passes, what does not, and what never leaves this process."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from pydantic import ValidationError

from canary_analyzer.rollout.gates import Call, Moment
from canary_analyzer.service.webhooks import Webhooks, WebhookSettings

GATE = Call(webhook="gate", moment=Moment.STEP, step=1)


@pytest.fixture
def receiver():
    """A webhook that answers with `status` (a list: one after the other), or hangs; it keeps what it got."""

    class Receiver(BaseHTTPRequestHandler):
        hangs = threading.Event()
        promised = 0

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            type(self).got.append((self.path, json.loads(body)))
            type(self).headers_got.append(dict(self.headers))
            status = self.status.pop(0) if len(self.status) > 1 else self.status[0]
            if status == 0:
                self.hangs.wait(20)
                return
            self.send_response(status)
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", str(self.promised))
            self.end_headers()
            if self.promised:
                self.hangs.wait(20)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    Receiver.status, Receiver.got, Receiver.headers_got = [200], [], []
    Receiver.url = f"http://127.0.0.1:{server.server_port}/hook"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield Receiver
    Receiver.hangs.set()
    server.shutdown()
    server.server_close()


def settings(receiver, **fields):
    return WebhookSettings.model_validate({"url": receiver.url, "retries": 0, "timeout_seconds": 5, **fields})


def answer(webhooks, run, call=GATE):
    webhooks.call(run, [call])
    until = time.monotonic() + 10
    while call.key not in webhooks.answers(run):
        assert time.monotonic() < until, "no answer"
        time.sleep(0.01)
    return webhooks.answers(run)[call.key]


STATUSES = {
    "200": (200, True, "answered 200"),
    "204": (204, True, "answered 204"),
    "no": (403, False, "answered 403"),
    "error": (500, False, "answered 500"),
    "redirect": (302, False, "answered 302, a redirect, which is not followed"),
}


@pytest.mark.parametrize(("status", "passed", "text"), STATUSES.values(), ids=STATUSES)
def test_only_2xx_passes_and_redirects_are_not_followed(receiver, run, status, passed, text):
    receiver.status = [status]
    given = answer(Webhooks(settings={"gate": settings(receiver)}), run)
    assert (given.passed, given.text, given.final) == (passed, text, False)
    assert [path for path, _ in receiver.got] == ["/hook"]


@pytest.mark.parametrize("status", [200, 302, 403, 500])
def test_nothing_of_an_answer_is_read_but_its_head(receiver, run, status):
    receiver.status, receiver.promised = [status], 10**9
    given = answer(Webhooks(settings={"gate": settings(receiver)}), run)
    assert given.text.startswith(f"answered {status}")


def test_one_that_hangs_is_over_after_its_time(receiver, run):
    receiver.status = [0]
    given = answer(Webhooks(settings={"gate": settings(receiver, timeout_seconds=0.2)}), run)
    assert (given.passed, given.text) == (False, "did not answer within 0.2 s")


def test_an_error_is_tried_again_and_a_no_is_not(receiver, run):
    receiver.status = [500, 200]
    assert answer(Webhooks(settings={"gate": settings(receiver, retries=1)}), run).passed
    receiver.got, receiver.status = [], [403, 200]
    assert not answer(Webhooks(settings={"gate": settings(receiver, retries=1)}), run).passed
    assert len(receiver.got) == 1


def test_it_is_told_whose_run_and_which_moment_it_is_about(receiver, run):
    answer(Webhooks(settings={"gate": settings(receiver)}), run)
    [(_, body)] = receiver.got
    assert body["id"] == "default/app-1/step/1/gate"
    assert (body["moment"], body["deployment"], body["images"]) == ("step", "app", {"app": "app:v2"})


def test_secrets_come_from_files_and_are_in_no_answer(receiver, run, tmp_path):
    token = tmp_path / "token"
    token.write_text("Bearer s3cret\n")
    hook = settings(receiver, headers_from_file={"Authorization": str(token)})
    given = answer(Webhooks(settings={"gate": hook}), run)
    assert receiver.headers_got[0]["Authorization"] == "Bearer s3cret"
    assert "s3cret" not in repr(given)
    token.unlink()
    assert "cannot be read" in answer(Webhooks(settings={"gate": hook}), run).text


def test_what_cannot_be_reached_says_so_without_the_url(run):
    unreachable = WebhookSettings(url="http://127.0.0.1:9/?key=s3cret", retries=0)
    assert answer(Webhooks(settings={"gate": unreachable}), run).text == "could not be reached (ConnectionError)"


def test_a_gate_is_asked_again_only_after_a_while_and_never_twice_at_once(receiver, run):
    now = [0.0]
    webhooks = Webhooks(settings={"gate": settings(receiver, every_seconds=10)}, clock=lambda: now[0])
    receiver.status = [403]
    answer(webhooks, run)
    webhooks.call(run, [GATE])
    assert len(receiver.got) == 1
    now[0], receiver.status = 11.0, [200]
    webhooks.call(run, [GATE])
    assert GATE.key in webhooks.answers(run)  # its last word holds until there is another
    until = time.monotonic() + 10
    while not webhooks.answers(run)[GATE.key].passed:
        assert time.monotonic() < until, "no answer"
        time.sleep(0.01)
    assert len(receiver.got) == 2


def test_its_word_can_be_the_last(receiver, run):
    receiver.status = [403]
    assert answer(Webhooks(settings={"gate": settings(receiver, on_refusal="abort")}), run).final


def test_one_that_the_config_has_lost_never_passes(run):
    assert not answer(Webhooks(settings={}), run).passed


@pytest.mark.parametrize("url", ["ftp://x", "http://user:pw@x/", "/local", "http:///"])
def test_a_url_that_is_none_or_holds_credentials_is_refused(url):
    with pytest.raises(ValidationError):
        WebhookSettings(url=url)

"""News on their way to local servers: tried again, given up, remembered across kills, waited for by nobody."""

import json
import subprocess
import sys
import threading
import time
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from canary_analyzer.cluster import outbox, records
from canary_analyzer.cluster.client import CONFIGMAPS, DEPLOYMENTS
from canary_analyzer.rollout.phases import Event
from canary_analyzer.rollout.plan import Offers
from canary_analyzer.rollout.policy import PROFILES
from canary_analyzer.service.intake import TurnedDown, take_in
from canary_analyzer.service.notifications.courier import FIRST_WAIT
from canary_analyzer.service.notifications.notifier import Notifications
from canary_analyzer.service.notifications.settings import Form, Receiver

PATIENCE = 60.0


def eventually(check):
    end = time.monotonic() + PATIENCE
    while not (found := check()):
        assert time.monotonic() < end, "it never came to be"
        time.sleep(0.02)
    return found


class Server:
    """A receiver that answers with `status`, or hangs while it is 0; it keeps what it took, and where it was asked."""

    def __init__(self):
        self.status, self.got, self.asked = 202, [], []
        self.free = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.asked.append(self.path)
                if outer.status == 0:
                    outer.free.wait(PATIENCE)
                    return
                if 200 <= outer.status < 300:
                    outer.got.append((self.path, body))
                self.send_response(outer.status)
                self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/s3cret"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def types(self):
        """The kinds of the CloudEvents it took, in order."""
        return [body["type"].rpartition(".")[2] for _, body in self.got]

    def close(self):
        self.free.set()
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def server():
    server = Server()
    yield server
    server.close()


def receiver(server, **fields):
    return Receiver(name="ci", kind=Form.WEBHOOK, url=server.url, give_up_seconds=1e10, **fields)


@pytest.fixture
def notifier():
    """Make notifiers, as restarts do; they are stopped after the test."""
    made = []

    def notifier(*receivers, on_try=lambda *_: None, owns=lambda key: key == ("default", "app")):
        made.append(Notifications(on_try, owns))
        made[-1].configure(receivers, "https://canaries.example/")
        return made[-1]

    yield notifier
    for each in made:
        each.configure((), "")


@pytest.fixture
def record(cluster, app):
    """A run that has just been taken in, in its record."""
    app.annotate(image="app:v2")
    return take_in(cluster, app.deployment(), None, Offers(profiles=PROFILES), now=1000.0)


def aborting(record, at=2000.0):
    return replace(record, run=record.run.on(Event.ABORT, "worse", at))


def ended(record, at=3000.0):
    return replace(record, run=record.run.on(Event.FINISH, "worse", at))


def test_each_pass_offers_all_and_each_is_told_once(server, notifier, cluster, record):
    notifications = notifier(receiver(server))
    for _ in range(5):
        notifications.post(cluster, record)
    eventually(lambda: server.types == ["started"])
    for _ in range(5):
        notifications.post(cluster, aborting(record))
    eventually(lambda: server.types == ["started", "aborted"])
    assert server.got[0][1]["data"]["link"] == "https://canaries.example/runs/default/app-1"


def test_what_the_record_names_is_not_told_again_after_a_restart(server, notifier, cluster, record):
    first = notifier(receiver(server))
    first.post(cluster, record)
    eventually(lambda: "started" in server.types)
    eventually(lambda: first.stamped(record).told.receivers)
    saved = records.save(cluster, first.stamped(aborting(record)))
    kept = records.load(cluster, "default", "app-1")
    assert kept.told == saved.told
    notifier(receiver(server)).post(cluster, kept)
    eventually(lambda: server.types == ["started", "aborted"])


def test_one_that_hangs_holds_up_neither_a_run_nor_another_receiver(server, notifier, cluster, record):
    other = Server()
    try:
        server.status = 0
        hanging, well = receiver(server), receiver(other).model_copy(update={"name": "well"})
        notifications = notifier(hanging, well)
        began = time.monotonic()
        notifications.post(cluster, record)
        assert time.monotonic() - began < 5
        eventually(lambda: other.types == ["started"])
    finally:
        other.close()


def test_what_is_another_replicas_by_the_next_try_is_left_to_that_one(server, notifier, cluster, record):
    owned, tries, server.status = {("default", "app")}, [], 500
    notifications = notifier(receiver(server), on_try=lambda *each: tries.append(each), owns=lambda key: key in owned)
    notifications.post(cluster, record)
    eventually(lambda: tries)
    owned.clear()  # the other tells it
    server.status = 200
    notifications.forget(record.run)
    time.sleep(2.5 * FIRST_WAIT)
    assert ("ci", "ok") not in tries
    owned.add(("default", "app"))  # and dies
    notifications.post(cluster, record)
    eventually(lambda: ("ci", "ok") in tries)


def test_it_is_tried_until_it_is_taken_and_every_try_is_counted(server, notifier, cluster, record):
    tries, server.status = [], 500
    notifier(receiver(server), on_try=lambda *each: tries.append(each)).post(cluster, record)
    eventually(lambda: len(tries) >= 2)
    server.status = 200
    eventually(lambda: ("ci", "ok") in tries)
    assert tries[:2] == [("ci", "error")] * 2
    assert server.types == ["started"]


def test_a_redirect_is_not_followed(server, notifier, cluster, record):
    server.status = 307
    tries = []
    notifier(receiver(server), on_try=lambda *each: tries.append(each)).post(cluster, record)
    eventually(lambda: tries)
    assert tries[0] == ("ci", "error")
    assert set(server.asked) == {"/s3cret"}


def test_old_news_is_given_up_and_not_offered_again(server, notifier, cluster, record):
    tries, old = [], receiver(server).model_copy(update={"give_up_seconds": 60.0})
    notifications = notifier(old, on_try=lambda *each: tries.append(each))
    notifications.post(cluster, record)
    eventually(lambda: tries == [("ci", "given-up")])
    eventually(lambda: notifications.stamped(record).told.receivers)
    notifications.post(cluster, record)
    assert (tries, server.asked) == ([("ci", "given-up")], [])


def test_what_an_ended_run_owes_is_told_by_whoever_comes_next_and_settled(server, notifier, cluster, record):
    server.status = 500
    dying = notifier(receiver(server))
    dying.post(cluster, record)
    records.save(cluster, dying.stamped(ended(aborting(record))))
    assert records.active(cluster, "default") == ()
    assert len(outbox.owed(cluster, "").records) == 1
    dying.configure((), "")  # it is no more
    server.status = 200
    following(notifier(receiver(server)), cluster)
    eventually(lambda: set(server.types) == {"started", "aborted"})
    eventually(lambda: not outbox.owed(cluster, "").records)
    assert set(records.load(cluster, "default", "app-1").told.receivers["ci"]) == {
        "started@1000.000",
        "aborted@2000.000",
    }


def test_an_ended_run_that_owes_nothing_costs_no_write(server, notifier, cluster, record):
    notifications = notifier(receiver(server))
    notifications.post(cluster, aborting(record))
    eventually(lambda: len(notifications.stamped(aborting(record)).told.receivers.get("ci", ())) == 2)
    saved = records.save(cluster, notifications.stamped(ended(aborting(record))))
    notifications.post(cluster, saved)
    live = cluster.get(CONFIGMAPS, "default", "canary-run-app-1")
    assert live["metadata"]["resourceVersion"] == saved.version
    assert records.OWED_LABEL not in live["metadata"]["labels"]


def test_without_receivers_a_record_says_nothing_of_them(notifier, cluster, record):
    notifications = notifier()
    notifications.post(cluster, record)
    records.save(cluster, notifications.stamped(ended(aborting(record))))
    live = cluster.get(CONFIGMAPS, "default", "canary-run-app-1")
    assert records.TOLD_KEY not in live["data"]
    assert records.OWED_LABEL not in live["metadata"]["labels"]


def test_a_refusal_waits_in_the_cluster_until_it_is_told(server, notifier, cluster, app):
    app.annotate(image="app:v1")
    offers = Offers(profiles=PROFILES, tells_refusals=True)
    with pytest.raises(TurnedDown):
        take_in(cluster, app.deployment(), None, offers, now=1000.0)
    [kept] = outbox.owed(cluster, "default").refusals
    assert kept.refusal.deployment == "app"
    following(notifier(receiver(server)), cluster)
    eventually(lambda: server.types == ["refused"])
    data = server.got[0][1]["data"]
    assert (data["wanted"], data["run"]) == ("app:v1", "")
    assert "already runs app:v1" in data["reason"]
    eventually(lambda: not outbox.owed(cluster, "default").refusals)


def test_a_refusal_that_somebody_garbled_stops_nothing(server, notifier, cluster, app, record):
    outbox.put(cluster, app.deployment(), "why", 1.0)
    [kept] = outbox.owed(cluster, "default").refusals
    cluster.merge(CONFIGMAPS, "default", kept.name, {"data": {outbox.REFUSAL_KEY: "{"}})
    assert outbox.owed(cluster, "default") == outbox.Owed(records=(), refusals=())


def following(notifications, cluster):
    """Let it look for what is owed, as the service does."""
    threading.Thread(target=notifications.follow, args=(cluster, ("",)), daemon=True).start()


# The service as a process -----------------------------------------------------------------------------------------


@pytest.fixture
def start(tmp_path, server):
    """Start the service, which tells a Slack and a webhook; whatever is left of it is killed after the test."""
    started, slack = [], Server()
    (tmp_path / "slack").write_text(slack.url)
    notifications = [
        {"name": "chat", "kind": "slack", "url_file": str(tmp_path / "slack")},
        {"name": "ci", "kind": "webhook", "url": server.url},
    ]
    (tmp_path / "config.yaml").write_text(json.dumps({"notifications": notifications}))
    command = [sys.executable, "-m", "canary_analyzer.cli", "serve", "--http-port", "0"]
    command += ["--kubeconfig", tmp_path / "kubeconfig", "--prometheus-url", "http://127.0.0.1:9"]
    log = (tmp_path / "service.log").open("w+")

    def start():
        started.append(subprocess.Popen([*command, "--config", tmp_path / "config.yaml"], stderr=log))
        return started[-1]

    start.slack, start.log = slack, tmp_path / "service.log"
    yield start
    for process in started:
        process.kill()
        process.wait()
    log.close()
    slack.close()


def kill(process):
    process.kill()
    process.wait()


def told_slack(slack):
    return {body["text"].partition(":")[0].strip("*") for _, body in slack.got}


def test_all_is_told_though_the_service_is_killed_while_nobody_listens(start, server, app, cluster):
    """Both receivers are down while a request is refused and a run starts and ends, with a kill after each."""
    server.status = start.slack.status = 503
    service = start()
    app.annotate(image="app:v1")
    eventually(lambda: outbox.owed(cluster, "").refusals)
    app.annotate(image="app:v2", profile="quick")
    eventually(lambda: cluster.find(DEPLOYMENTS, "default", "app-canary"))
    kill(service)
    app.annotate(image=None)
    service = start()
    eventually(lambda: outbox.owed(cluster, "").records)
    kill(service)
    assert (server.got, start.slack.got) == ([], [])
    server.status = start.slack.status = 200
    start()
    eventually(lambda: set(server.types) == {"started", "aborted", "refused"})
    every = {"Canary started", "Canary aborted, traffic goes back", "No canary was started"}
    eventually(lambda: told_slack(start.slack) == every)
    eventually(lambda: outbox.owed(cluster, "") == outbox.Owed(records=(), refusals=()))
    assert "s3cret" not in start.log.read_text()

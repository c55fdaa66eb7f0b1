"""Dashboards and alerts against real Prometheus servers while a canary runs."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests
import yaml

from canary_analyzer.cluster.client import VIRTUAL_SERVICES
from dashboards import queries

pytestmark = pytest.mark.long

HERE = Path(__file__).parents[3] / "dashboards"
PAGES = {path.name: json.loads(path.read_text()) for path in sorted(HERE.glob("*.json"))}
LONG = "{steps: [{weight: 40, seconds: 100}, {weight: 50, seconds: 60}], deadline_seconds: 240}"
ALL_NAMESPACES = ".*"
RUN_OF = 'canary_analyzer_run_info{namespace="default",deployment="flask-app"}'
PATIENCE = 90.0


@pytest.fixture
def chat():
    """A receiver of notifications that answers with `status`."""

    class Chat(BaseHTTPRequestHandler):
        status = 200

        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(type(self).status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Chat)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    Chat.url = f"http://127.0.0.1:{server.server_port}/"
    yield Chat
    server.shutdown()
    server.server_close()


@pytest.fixture
def configured(service, chat, tmp_path):
    """The service's config, which tells the chat; the service reads it again whenever it changes."""
    file = tmp_path / "config.yaml"
    told = [{"name": "chat", "kind": "webhook", "url": chat.url}]
    file.write_text(yaml.safe_dump(yaml.safe_load(file.read_text()) | {"notifications": told}))
    return file


def address(service):
    """Return where the service answers, as it logged last."""
    lines = [json.loads(line) for line in service.log.read_text().splitlines()]
    return [line["http"] for line in lines if line["event"] == "serving"][-1].removeprefix("http://")


class Asking:
    """Asks a Prometheus as Grafana does."""

    def __init__(self, url):
        self._url = url

    def _get(self, path, **params):
        answer = requests.get(f"{self._url}/api/v1/{path}", params=params, timeout=10).json()
        assert answer["status"] == "success", answer
        return answer["data"]

    def answers(self, query):
        """Return the series of a query that have a figure, or the values of a variable."""
        if query.label:
            return self._get(f"label/{query.label}/values", **{"match[]": query.expression})
        found = self._get("query", query=query.expression)["result"]
        return [each for each in found if each["value"][1] != "NaN"]

    def alerts(self):
        """Return the alerts that fire, by name."""
        active = self._get("alerts")["alerts"]
        return {each["labels"]["alertname"]: each for each in active if each["state"] == "firing"}


def test_every_query_of_every_dashboard_returns_data_during_a_rollout(sandbox, user, service, configured):
    asking = Asking(sandbox["prometheus"])
    user.control(f"prometheus/scrape?target={address(service)}")
    try:
        user.canary("flask-app:v2", config=LONG)
        [run] = user.eventually(
            lambda: asking.answers(queries.Query(asked_by="", expression=RUN_OF, label="run"))[-1:], "the run's series"
        )
        of_run = {"namespace": "default", "deployment": "flask-app", "run": run, "reporter": "source"}
        values = {
            "overview.json": {"namespace": ALL_NAMESPACES},
            "rollout.json": of_run | {"baseline": "flask-app", "canary": "flask-app-canary"},
        }
        missing = [
            query
            for name, page in PAGES.items()
            for kind in (queries.of_variables, queries.of_panels)
            for query in kind(page, values[name])
        ]

        def none_is_missing():
            missing[:] = [query for query in missing if not asking.answers(query)]
            return not missing

        try:
            user.eventually(none_is_missing, "data for every query", PATIENCE)
        except AssertionError:
            raise AssertionError([query.asked_by for query in missing]) from None
        for name, page in PAGES.items():
            for query in queries.of_annotations(page, values[name]):
                asking.answers(query)  # is asked without an error; a step or verdict was not within the last minute
    finally:
        user.control("prometheus/scrape")


@pytest.fixture
def alerting(service, tmp_path):
    """A Prometheus of its own with our rules, all waits shortened to seconds; it goes on when the sandbox's stops."""
    rules = re.sub(r"for: \d+m", "for: 1s", (HERE / "rules.yaml").read_text())
    rules = re.sub(r"\[(5|15)m\]", "[20s]", rules).replace(" > 5\n", " > 1\n")
    (tmp_path / "rules.yaml").write_text(rules)
    target = {"job_name": "ours", "honor_labels": True, "static_configs": [{"targets": [address(service)]}]}
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": ["rules.yaml"],
        "scrape_configs": [target],
    }
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(config))
    command = [Path(sys.executable).with_name("prometheus"), f"--config.file={tmp_path}/prometheus.yml"]
    command += [f"--storage.tsdb.path={tmp_path}/data", "--web.listen-address=127.0.0.1:0", "--log.level=info"]
    with (tmp_path / "prometheus.log").open("w") as log:
        process = subprocess.Popen(command, stderr=log)
    yield lambda: Asking(f"http://127.0.0.1:{listening_port(tmp_path / 'prometheus.log')}")
    process.kill()
    process.wait()


def listening_port(log):
    """Return the port that the system chose, as Prometheus logs it."""
    return re.search(r'msg="Listening on" address=[\d.]+:(\d+)', log.read_text())[1]


def test_alerts_fire_on_conditions_of_a_real_service(user, service, configured, chat, alerting):
    """Those that need a defect, a lost Lease or a clock that stands still are shown by promtool alone."""
    prometheus = user.eventually(lambda: _asking(alerting), "the second Prometheus", 30)

    def fires(name):
        return user.eventually(lambda: prometheus.alerts().get(name), f"alert {name}", PATIENCE)["annotations"]

    user.canary("flask-app:v2", config="{steps: [{weight: 10, seconds: 90}, {approval: true}], deadline_seconds: 300}")
    user.eventually(lambda: user.weights()[-1] == 10, "the first weight")
    route = user.route()["spec"]["http"][0]["route"]
    swapped = [each | {"weight": weight} for each, weight in zip(route, (70, 30), strict=True)]
    operation = {"op": "replace", "path": "/spec/http/0/route", "value": swapped}
    user.cluster.patch(VIRTUAL_SERVICES, "default", "flask-app", [operation])
    assert "puts the weights" in fires("CanaryWeightsReverted")["summary"]
    user.annotate(hold="true")
    assert "default/flask-app-" in fires("CanaryHolding")["summary"]

    user.control("prometheus/stop")
    try:
        assert "fail" in fires("CanaryAnalyzerQueriesFail")["summary"]
    finally:
        user.control("prometheus/start")

    good = configured.read_text()
    configured.write_text("workers: many")
    assert "mistakes" in fires("CanaryAnalyzerConfigRejected")["summary"]
    configured.write_text(good)

    chat.status = 500
    user.annotate(image=None, hold=None)
    assert "traffic goes back" in fires("CanaryAborted")["summary"]
    assert "chat" in fires("CanaryAnalyzerNotificationsFail")["summary"]
    user.ended()
    process = service._process.pid
    os.kill(process, signal.SIGSTOP)
    try:
        assert "being scraped" in fires("CanaryAnalyzerAbsent")["summary"]
    finally:
        os.kill(process, signal.SIGCONT)


def _asking(alerting):
    """Return the second Prometheus once it answers queries."""
    try:
        asking = alerting()
        asking.alerts()
    except (TypeError, requests.RequestException):
        return None
    return asking

"""Dashboards and alerts against real Prometheus servers while a canary runs."""

import json
import re
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests
import yaml

from canary_analyzer.cluster.client import VIRTUAL_SERVICES
from canary_analyzer.sandbox.faults import UNAVAILABLE, Refuse, Rule, Slow, faulty
from dashboards import queries

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

HERE = Path(__file__).parents[3] / "dashboards"
PAGES = {path.name: json.loads(path.read_text()) for path in sorted(HERE.glob("*.json"))}
LONG = "{steps: [{weight: 40, seconds: 100}, {weight: 50, seconds: 60}], deadline_seconds: 240}"
ALL_NAMESPACES = ".*"
RUN_OF = 'canary_analyzer_run_info{namespace="default",deployment="flask-app"}'
PATIENCE = 90.0
STANDSTILL = 12.0
"""Seconds: the alert on late passes is at ten."""


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


@pytest.fixture
def asking(sandbox, user, service):
    """The sandbox's Prometheus, which scrapes the service too."""
    user.control(f"prometheus/scrape?target={address(service)}")
    yield Asking(sandbox["prometheus"])
    user.control("prometheus/scrape")


def chosen(user, asking, page, **values):
    """Return the page's variables as a person who opens it would have them: the first of each list."""
    for each in page["templating"]["list"]:
        if each["type"] == "query" and each["name"] not in values:
            [query] = queries.of_variables({**page, "templating": {"list": [each]}}, values)
            values[each["name"]] = user.eventually(lambda query=query: asking.answers(query), query.asked_by)[0]
    return values


def run_of(user, asking):
    """Return the name of the run that has series."""
    query = queries.Query(asked_by="", expression=RUN_OF, label="run")
    return user.eventually(lambda: asking.answers(query), "the run's series")[-1]


def answered(user, asking, asked):
    """Wait until each query has had data."""
    missing = list(asked)

    def none_is_missing():
        missing[:] = [query for query in missing if not asking.answers(query)]
        return not missing

    try:
        user.eventually(none_is_missing, "data for every query", PATIENCE)
    except AssertionError:
        raise AssertionError([query.asked_by for query in missing]) from None


def test_every_query_of_every_dashboard_returns_data_during_a_rollout(user, service, configured, asking):
    user.canary("flask-app:v2", config=LONG)
    of_run = {"namespace": "default", "deployment": "flask-app", "run": run_of(user, asking)}
    values = {
        "overview.json": {"namespace": ALL_NAMESPACES},
        "rollout.json": chosen(user, asking, PAGES["rollout.json"], **of_run),
    }
    for name, page in PAGES.items():
        answered(user, asking, [*queries.of_variables(page, values[name]), *queries.of_panels(page, values[name])])
        for query in queries.of_annotations(page, values[name]):
            asking.answers(query)  # is asked without an error; a step or verdict was not within the last minute


def test_old_and_new_pods_of_a_rolling_update_are_shown_apart(user, service, asking):
    user.canary("flask-app:v2", strategy="rolling", config="{rolling: {pace_seconds: 45}}")
    user.eventually(lambda: user.deployment()["status"].get("updatedReplicas"), "new pods")
    of_run = {"namespace": "default", "deployment": "flask-app", "run": run_of(user, asking)}
    page = PAGES["rollout.json"]

    def red():
        values = chosen(user, asking, page, **of_run)
        return [query for query in queries.of_panels(page, values) if " / Requests / " in query.asked_by]

    user.eventually(lambda: "none" not in "".join(query.expression for query in red()), "the new pods' hash")
    asked = red()
    answered(user, asking, asked)
    both = [float(asking.answers(query)[0]["value"][1]) for query in asked]
    whole = 'sum(rate(istio_requests_total{reporter="destination",destination_workload="flask-app"}[1m]))'
    [total] = asking.answers(queries.Query(asked_by="", expression=whole))
    assert min(both) > 0
    assert sum(both) < 1.2 * float(total["value"][1])


def test_linkerd_s_requests_errors_and_durations_are_shown_as_istio_s_are(
    start_sandbox, make_user, make_service, tmp_path
):
    with start_sandbox(50, "--metrics", "linkerd") as (_, addresses):
        user, asking = make_user(addresses), Asking(addresses["prometheus"])
        service = make_service(addresses, tmp_path)
        config = tmp_path / "config.yaml"
        config.write_text(config.read_text().replace("staleness_seconds: 5", "staleness_seconds: 5, dialect: linkerd"))
        service.start()
        try:
            user.control(f"prometheus/scrape?target={address(service)}")
            user.canary("flask-app:v2", config=LONG)
            of_run = {"namespace": "default", "deployment": "flask-app", "run": run_of(user, asking)}
            page = PAGES["rollout.json"]
            asked = list(queries.of_panels(page, chosen(user, asking, page, **of_run)))
            answered(user, asking, [query for query in asked if "response_" in query.expression])
        finally:
            service.kill()


@pytest.fixture
def trial(sandbox, user, chat, tmp_path):
    """A service whose API server and whose own code can be made to fail, and the alerts about it."""
    with faulty(sandbox["api"]) as api:
        trial = Trial(sandbox, user, tmp_path, api)
        trial.configure(chat.url)
        trial.start()
        try:
            yield trial
        finally:
            api.play()
            trial.defect.unlink(missing_ok=True)
            user.tidy()
            trial.stop()
            sys.stderr.write(trial.log.read_text())


class Trial:
    """The service, the proxy to its API server, and a Prometheus of its own with our rules in seconds for minutes."""

    def __init__(self, addresses, user, folder, api):
        self.log, self.defect, self.config = (folder / name for name in ("service.log", "defect", "config.yaml"))
        self._addresses, self._user, self._folder, self.api = addresses, user, folder, api
        self.fired = set()
        kubeconfig = Path(addresses["kubeconfig"]).read_text().replace(addresses["api"], api.url)
        (folder / "kubeconfig").write_text(kubeconfig)

    def configure(self, chat):
        told = [{"name": "chat", "kind": "webhook", "url": chat}]
        replicas = {"namespace": "default", "lease_seconds": 3}
        profile = {"tick_seconds": 2, "settle_seconds": 2, "start_seconds": 15, "promote_seconds": 60}
        config = {"notifications": told, "replicas": replicas, "profiles": {"standard": profile}}
        self.config.write_text(yaml.safe_dump(config))

    def start(self):
        places = ["--kubeconfig", self._folder / "kubeconfig", "--prometheus-url", self._addresses["prometheus"]]
        runner = [sys.executable, Path(__file__).with_name("with_a_defect.py"), self.defect]
        command = [*runner, "serve", *places, "--config", self.config, "--http-port", "0"]
        with self.log.open("wb") as log:
            self.service = subprocess.Popen(command, stderr=log)
        self._user.eventually(lambda: "serving" in self.log.read_text(), "the service")
        self._watch()

    def _watch(self):
        rules = (HERE / "rules.yaml").read_text()
        for minutes, seconds in SHORTER.items():
            rules = re.sub(minutes, seconds, rules)
        (self._folder / "rules.yaml").write_text(rules)
        target = {"job_name": "ours", "honor_labels": True, "static_configs": [{"targets": [address(self)]}]}
        often = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        config = {"global": often, "rule_files": ["rules.yaml"], "scrape_configs": [target]}
        (self._folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        command = [Path(sys.executable).with_name("prometheus"), f"--config.file={self._folder}/prometheus.yml"]
        command += [f"--storage.tsdb.path={self._folder}/data", "--web.listen-address=127.0.0.1:0", "--log.level=info"]
        log = self._folder / "prometheus.log"
        with log.open("w") as out:
            self.prometheus = subprocess.Popen(command, stderr=out)
        port = self._user.eventually(lambda: LISTENING.search(log.read_text()), "the second Prometheus", 30)[1]
        self._asking = Asking(f"http://127.0.0.1:{port}")

    def fires(self, *names):
        """Wait until each of these alerts has fired, and return what each says."""
        said = {}

        def all_have():
            said.update({name: each for name, each in self._asking.alerts().items() if name in names})
            return len(said) == len(names)

        try:
            self._user.eventually(all_have, "alerts", PATIENCE)
        except AssertionError:
            raise AssertionError(f"did not fire: {sorted(set(names) - said.keys())}") from None
        self.fired |= said.keys()
        return [said[name]["annotations"]["summary"] for name in names]

    def stop(self):
        for process in (self.service, self.prometheus):
            process.kill()
            process.wait()


LISTENING = re.compile(r'msg="Listening on" address=[\d.]+:(\d+)')
SHORTER = {r"for: \d+m": "for: 1s", r"\[\d+m\]": "[20s]", "> 300": "> 3", "> 120": "> 3", r"> 5\n": "> 1\n"}
"""What makes the rules fire within seconds."""


def a_gate_and_an_abort(user, trial, chat):
    user.canary("flask-app:v2", config="{steps: [{weight: 10, seconds: 4, requests: 9}, {approval: true}]}")
    assert "for a person" in trial.fires("CanaryAwaitsApproval")[0]
    chat.status = 500
    user.annotate(image=None)
    told = trial.fires("CanaryAborted", "CanaryAnalyzerNotificationsFail", "CanaryStuck")
    assert "traffic goes back" in told[0]
    assert "chat" in told[1]
    chat.status = 200
    user.ended()


def a_run_with_trouble(user, trial):
    user.canary("flask-app:v2", config="{steps: [{weight: 10, seconds: 300}], deadline_seconds: 600}")
    user.eventually(lambda: user.weights()[-1] == 10, "the first weight")
    route = user.route()["spec"]["http"][0]["route"]
    swapped = [each | {"weight": weight} for each, weight in zip(route, (70, 30), strict=True)]
    operation = {"op": "replace", "path": "/spec/http/0/route", "value": swapped}
    user.cluster.patch(VIRTUAL_SERVICES, "default", "flask-app", [operation])
    assert "puts the weights" in trial.fires("CanaryWeightsReverted")[0]
    user.annotate(hold="true")
    assert "default/flask-app-" in trial.fires("CanaryHolding")[0]
    user.annotate(hold=None)

    user.control("prometheus/stop")
    try:
        assert "fail" in trial.fires("CanaryAnalyzerQueriesFail")[0]
    finally:
        user.control("prometheus/start")

    good = trial.config.read_text()
    trial.config.write_text("workers: many")
    assert "mistakes" in trial.fires("CanaryAnalyzerConfigRejected")[0]
    trial.config.write_text(good)

    trial.service.send_signal(signal.SIGSTOP)
    try:
        assert "being scraped" in trial.fires("CanaryAnalyzerAbsent")[0]
        time.sleep(STANDSTILL)  # what is looked for is how late passes are afterwards
    finally:
        trial.service.send_signal(signal.SIGCONT)
    trial.fires("CanaryAnalyzerTicksLate", "CanaryAnalyzerLeaseLost")

    trial.defect.touch()
    assert "defect" in trial.fires("CanaryAnalyzerDefect")[0]
    trial.defect.unlink()
    an_abort_that_comes_to_nothing(user, trial)


def an_abort_that_comes_to_nothing(user, trial):
    trial.api.play(Rule(action=Refuse(status=403, reason="Forbidden"), path="/leases"))
    assert "holds a Lease" in trial.fires("CanaryAnalyzerNotWorking")[0]
    trial.api.play(Rule(action=Slow(seconds=8), path="/(deployments|virtualservices)/"))
    user.annotate(image=None)
    assert "has been due" in trial.fires("CanaryAnalyzerStalled")[0]
    trial.api.play(Rule(action=UNAVAILABLE, methods=("PATCH",), path="/virtualservices/"))
    assert "has had traffic" in trial.fires("CanaryNotGivenBack")[0]
    trial.api.play()
    user.ended()


def a_deadline_that_cannot_be_kept(user, trial):
    steps = "[{weight: 10, seconds: 15}, {weight: 20, seconds: 9}]"
    user.canary("flask-app:v2", config=f"{{steps: {steps}, deadline_seconds: 25}}")
    user.eventually(lambda: user.weights()[-1] == 10, "the first weight")
    trial.api.play(Rule(action=UNAVAILABLE, methods=("PATCH", "PUT"), path="/configmaps/canary-run-"))
    assert "its deadline" in trial.fires("CanaryOverdue", "CanaryAnalyzerApiErrors")[0]
    trial.api.play()
    user.ended()


def test_every_alert_fires_on_its_condition_at_a_real_service(user, trial, chat):
    a_gate_and_an_abort(user, trial, chat)
    a_run_with_trouble(user, trial)
    a_deadline_that_cannot_be_kept(user, trial)
    rules = yaml.safe_load((HERE / "rules.yaml").read_text())["groups"]
    assert trial.fired == {rule["alert"] for group in rules for rule in group["rules"] if "alert" in rule}

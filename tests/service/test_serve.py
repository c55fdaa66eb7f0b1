"""The service as a process of its own."""

import json
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest
import requests

from canary_analyzer.cluster.client import DEPLOYMENTS, EVENTS
from canary_analyzer.rollout import annotations

COMMAND = [sys.executable, "-m", "canary_analyzer.cli", "serve", "--http-port", "0"]
PATIENCE = 30.0


@pytest.fixture
def start(tmp_path):
    """Start the service with further arguments; whatever is left of it is killed after the test."""
    started = []

    def start(*arguments):
        file = tmp_path / f"service-{len(started)}.log"
        with file.open("w") as log:
            process = subprocess.Popen([*COMMAND, *map(str, arguments)], stderr=log)
        process.log = file
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def eventually(check):
    end = time.monotonic() + PATIENCE
    while not (found := check()):
        assert time.monotonic() < end, "it never came to be"
        time.sleep(0.05)
    return found


def logged(process):
    # Opened anew: what is inherited has one position for both, and the service would write where we read.
    return process.log.read_text()


def test_it_stops_when_told_to_in_the_middle_of_a_run_and_a_new_one_goes_on(start, app, cluster, tmp_path):
    arguments = ("--kubeconfig", tmp_path / "kubeconfig", "--prometheus-url", "http://127.0.0.1:9")
    service = start(*arguments)
    app.annotate(image="app:v2", profile="quick")
    eventually(lambda: cluster.find(DEPLOYMENTS, "default", "app-canary"))
    service.send_signal(signal.SIGTERM)
    assert service.wait(PATIENCE) == 0
    app.annotate(image=None)
    start(*arguments)
    eventually(lambda: cluster.find(DEPLOYMENTS, "default", "app-canary") is None)


def is_ready(process):
    lines = [json.loads(line) for line in logged(process).splitlines()]
    serving = next((line for line in lines if line["event"] == "serving"), None)
    return serving is not None and requests.get(f"{serving['http']}/readyz", timeout=5).ok


def test_an_undo_that_brings_an_old_trigger_back_starts_nothing(start, app, cluster, tmp_path):
    service = start("--kubeconfig", tmp_path / "kubeconfig", "--prometheus-url", "http://127.0.0.1:9")
    eventually(lambda: is_ready(service))
    container = {"name": "app", "image": "app:v0"}
    undone = {"spec": {"template": {"spec": {"containers": [container]}}}}
    app.edit(DEPLOYMENTS, {"metadata": {"annotations": {annotations.IMAGE: "app:v2"}}, **undone})
    app.roll_out()
    eventually(lambda: annotations.IMAGE not in annotations.of(app.deployment()))
    assert any("kubectl rollout undo" in event["message"] for event in cluster.list(EVENTS, "default").items)
    assert cluster.find(DEPLOYMENTS, "default", "app-canary") is None


def test_every_line_of_its_log_is_json_with_the_deployment_bound(start, app, cluster, tmp_path):
    service = start("--kubeconfig", tmp_path / "kubeconfig", "--prometheus-url", "http://127.0.0.1:9")
    app.annotate(image="app:v2")
    eventually(lambda: cluster.find(DEPLOYMENTS, "default", "app-canary"))
    service.send_signal(signal.SIGTERM)
    service.wait(PATIENCE)
    lines = [json.loads(line) for line in logged(service).splitlines()]
    taken_up = next(line for line in lines if line["event"] == "run taken up")
    assert (taken_up["namespace"], taken_up["deployment"], taken_up["run"]) == ("default", "app", "app-1")


def test_a_wrong_config_is_refused_with_all_its_mistakes(start, tmp_path):
    (tmp_path / "config.yaml").write_text("workers: many\nprofiles: {quick: {tick: 1}}")
    service = start("--config", tmp_path / "config.yaml")
    assert service.wait(PATIENCE) == 2
    told = logged(service)
    assert all(
        part in told for part in ("workers = 'many'", "quick.tick: there is no such field", "nothing was started")
    )


@pytest.fixture
def prometheus():
    """A server that has no answer, and the queries that it was asked."""

    class Prometheus(BaseHTTPRequestHandler):
        asked: ClassVar = []

        def do_POST(self):
            self.asked.append(self.path)
            self.send_error(503)

        def do_GET(self):
            self.do_POST()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Prometheus)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    Prometheus.url = f"http://127.0.0.1:{server.server_port}"
    yield Prometheus
    server.shutdown()
    server.server_close()


def test_a_changed_config_is_in_force_without_a_new_start_and_a_bad_one_changes_nothing(
    start, app, cluster, tmp_path, prometheus
):
    config = tmp_path / "config.yaml"
    config.write_text("prometheus: {url: 'http://127.0.0.1:9'}")
    service = start("--kubeconfig", tmp_path / "kubeconfig", "--config", config)
    eventually(lambda: is_ready(service))
    app.annotate(image="app:v2", profile="quick")
    home = json.loads(logged(service).splitlines()[0])["http"]
    page = f"{home}/runs/default/app-1"
    eventually(lambda: requests.get(page, timeout=5).ok)

    links = "links: [{title: Our logs, url: 'https://logs.example/{run}'}]"
    config.write_text(f"prometheus: {{url: '{prometheus.url}'}}\n{links}\n")
    service.send_signal(signal.SIGHUP)
    eventually(lambda: "https://logs.example/app-1" in requests.get(page, timeout=5).text)
    eventually(lambda: prometheus.asked)

    config.write_text("links: [{title: Our logs, url: 'ftp://logs'}]\nworkers: many\n")
    service.send_signal(signal.SIGHUP)
    eventually(lambda: "the config before stays in force" in logged(service))
    assert all(part in logged(service) for part in ("links.0.url", "workers = 'many'"))
    assert "https://logs.example/app-1" in requests.get(page, timeout=5).text
    assert "canary_analyzer_config_reload_success 0.0" in requests.get(f"{home}/metrics", timeout=5).text


def test_a_kubeconfig_that_is_not_there_is_refused_in_words(start, tmp_path):
    service = start("--kubeconfig", tmp_path / "none")
    assert service.wait(PATIENCE) == 2
    assert "none" in logged(service)
    assert "Traceback" not in logged(service)

"""The status page while real canaries run, and their stories when the service is gone."""

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests

from canary_analyzer.cluster import records
from canary_analyzer.cluster.client import DEPLOYMENTS, Cluster
from canary_analyzer.report.explain import explain
from canary_analyzer.report.page import Setting, run_page
from canary_analyzer.rollout import annotations
from canary_analyzer.rollout.phases import ENDED

pytestmark = pytest.mark.e2e

CONFIG = """
prometheus: {staleness_seconds: 5}
links: [{title: Logs, url: "https://logs.example/{namespace}/{canary}?from={since_ms}"}]
profiles:
  standard:
    tick_seconds: 2
    settle_seconds: 2
    start_seconds: 15
    deadline_seconds: 150
    steps:
      - {weight: 10, seconds: 6, requests: 20}
      - {weight: 50, seconds: 10, requests: 200}
"""
NAMESPACE, APP = "default", "flask-app"
PATIENCE = 120.0


def eventually(check, what):
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if found := check():
            return found
        time.sleep(0.3)
    raise AssertionError(f"not within {PATIENCE:.0f} s: {what}")


class Service:
    """`canary-analyzer serve` as a process, and what a user does beside it."""

    def __init__(self, addresses: dict[str, str], folder: Path) -> None:
        self.cluster = Cluster.connect(Path(addresses["kubeconfig"]))
        self.log = folder / "service.log"
        (folder / "config.yaml").write_text(CONFIG)
        places = ["--kubeconfig", addresses["kubeconfig"], "--prometheus-url", addresses["prometheus"]]
        options = ["--config", folder / "config.yaml", "--http-port", "0"]
        command = [sys.executable, "-m", "canary_analyzer.cli", "serve", *places, *options]
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(command, stderr=log)
        self.home = eventually(self._home, "the address of the service")
        eventually(lambda: requests.get(f"{self.home}/readyz", timeout=5).ok, "the service to be ready")

    def _home(self) -> str | None:
        lines = [json.loads(line) for line in self.log.read_text().splitlines() if line.endswith("}")]
        return next((line["http"] for line in lines if line["event"] == "serving"), None)

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(30)

    def annotate(self, **values: str | None) -> None:
        named = {annotations.PREFIX + key: value for key, value in values.items()}
        self.cluster.merge(DEPLOYMENTS, NAMESPACE, APP, {"metadata": {"annotations": named}})

    def start(self, image: str) -> str:
        """Start a canary and return its run's name."""
        before = {record.run.name for record in records.of_deployment(self.cluster, NAMESPACE, APP)}
        self.annotate(image=image)
        return eventually(lambda: self._newer(before), f"a run of {image}")

    def _newer(self, before: set[str]) -> str | None:
        found = (record.run.name for record in records.of_deployment(self.cluster, NAMESPACE, APP))
        return next((name for name in found if name not in before), None)

    def record(self, name: str) -> records.Record:
        found = records.load(self.cluster, NAMESPACE, name)
        assert found is not None
        return found

    def ended(self, name: str) -> records.Record:
        eventually(lambda: self.record(name).run.phase in ENDED, f"the end of {name}")
        return self.record(name)


@pytest.fixture
def service(sandbox, tmp_path):
    service = Service(sandbox, tmp_path)
    yield service
    service.annotate(image=None, hold=None)
    eventually(lambda: not records.active(service.cluster, NAMESPACE), "the end of what a test left")
    service.stop()
    sys.stderr.write(service.log.read_text())


def test_a_failing_canary_is_followed_live_and_tells_why_when_the_service_is_gone(service, visit, shoot):
    name = service.start("flask-app:v2-errors")
    tab = visit(service.home)
    card = tab.page.get_by_role("listitem").filter(has_text=name)
    card.get_by_text("Analysing").wait_for()  # the page follows by itself
    card.locator(".weight").filter(has_text=re.compile("(10|50) %")).wait_for()
    card.get_by_role("link", name=name).press("Enter")
    tab.page.get_by_text("Error rates").wait_for()
    tab.page.get_by_role("heading", level=1).filter(has_text="Aborted").wait_for(timeout=PATIENCE * 1000)
    service.ended(name)
    assert tab.serious() == []
    shoot(tab.page.url, "live-run")
    tab.page.close()
    service.stop()
    record = service.record(name)
    told = explain(record.run, record.story)
    for words in ("errors worse than tolerated", "interval", "What now", "FAULT_ERROR_RATE", "weight", "Aborted"):
        assert words in told
    assert "FAULT_ERROR_RATE" in run_page(record.run, record.story, Setting(as_of=time.time()))


def test_a_canary_that_crashes_leaves_its_last_words(service):
    record = service.ended(service.start("flask-app:v2-crash"))
    found = "\n".join(f"{each.about}: {each.text}" for each in record.story.findings)
    for words in ("CrashLoopBackOff", "exit code 1", "BackOff", "told by a FAULT_CRASH variable"):
        assert words in found

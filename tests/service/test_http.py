import pytest
import requests
from prometheus_client import CollectorRegistry

from canary_analyzer.cluster.records import Record
from canary_analyzer.rollout.evidence import fresh
from canary_analyzer.rollout.phases import Phase
from canary_analyzer.service import http
from canary_analyzer.service.reconcile import Active
from canary_analyzer.service.telemetry import Telemetry


@pytest.fixture
def served():
    """A server of the telemetry of no run yet: its address, what decides readiness, and the telemetry."""
    registry, ready = CollectorRegistry(), []
    telemetry = Telemetry(registry)
    server = http.serve("127.0.0.1", 0, registry, lambda: bool(ready))
    yield f"http://127.0.0.1:{server.server_port}", ready, telemetry
    server.shutdown()
    server.server_close()


def test_it_is_alive_at_once_and_ready_once_the_cluster_was_read(served):
    url, ready, _ = served
    assert requests.get(f"{url}/healthz").status_code == 200
    assert requests.get(f"{url}/readyz").status_code == 503
    ready.append(True)
    assert requests.get(f"{url}/readyz").status_code == 200
    assert requests.get(f"{url}/anything").status_code == 404


def test_a_run_has_series_while_it_is_active_and_none_afterwards(served, run):
    url, _, telemetry = served
    active = Active(record=Record(run=run, routes=(), version="1"), progress=fresh(run))
    telemetry.show(("default", "app"), active)
    shown = requests.get(f"{url}/metrics").text
    series = 'canary_analyzer_rollout_phase{deployment="app",namespace="default",phase="Starting",run="app-1"} 1.0'
    assert series in shown
    assert 'canary_analyzer_weight{deployment="app",kind="wanted",namespace="default",run="app-1"} 0.0' in shown
    telemetry.show(("default", "app"), None)
    telemetry.count(run.model_copy(update={"phase": Phase.SUCCEEDED}))
    gone = requests.get(f"{url}/metrics").text
    assert 'run="app-1"' not in gone
    assert 'canary_analyzer_verdicts_total{result="Succeeded"} 1.0' in gone

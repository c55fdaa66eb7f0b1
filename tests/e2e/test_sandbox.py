"""The mesh in a box as its users see it: through the Kubernetes API, the ingress, Prometheus and the control API."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from kubernetes import client, config

pytestmark = pytest.mark.e2e

ISTIO = ("networking.istio.io", "v1", "default", "virtualservices")


def eventually(condition: Callable[[], Any], what: str, seconds: float = 60) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if result := condition():
            return result
        time.sleep(0.1)
    raise AssertionError(f"not within {seconds:.0f} s: {what}")


class Box:
    """What the tests ask of a sandbox and do to it."""

    def __init__(self, addresses: dict[str, str]) -> None:
        self.addresses = addresses
        api = config.new_client_from_config(addresses["kubeconfig"])
        self.apps, self.core, self.custom = (
            client.AppsV1Api(api),
            client.CoreV1Api(api),
            client.CustomObjectsApi(api),
        )

    def get(self, path: str) -> Any:
        return requests.get(self.addresses["control"] + path, timeout=30).json()

    def post(self, path: str) -> requests.Response:
        return requests.post(self.addresses["control"] + path, timeout=30)

    def answers(self) -> dict[str, int]:
        return {version: sum(counts.values()) for version, counts in self.get("/load")["by_version"].items()}

    def lost(self) -> tuple[int, Any]:
        return self.get("/load")["lost"], self.get("/load/lost")

    def query(self, promql: str) -> list[Any]:
        url = f"{self.addresses['prometheus']}/api/v1/query"
        return requests.get(url, params={"query": promql}, timeout=30).json()["data"]["result"]

    def counted(self) -> int:
        found = self.query('sum(istio_requests_total{reporter="source"})')
        return int(found[0]["value"][1]) if found else 0

    def set_image(self, image: str) -> None:
        container = {"name": "flask-app", "image": image}
        body = {"spec": {"template": {"spec": {"containers": [container]}}}}
        self.apps.patch_namespaced_deployment("flask-app", "default", body)
        eventually(self.rolled_out, f"the rollout of {image}")

    def rolled_out(self) -> bool:
        deployment = self.apps.read_namespaced_deployment("flask-app", "default")
        status, replicas = deployment.status, deployment.spec.replicas
        sizes = (status.replicas, status.updated_replicas, status.available_replicas)
        return status.observed_generation >= deployment.metadata.generation and sizes == (replicas,) * 3

    def route(self, *route: dict[str, Any]) -> None:
        self.custom.patch_namespaced_custom_object(*ISTIO, "flask-app", {"spec": {"http": [{"route": list(route)}]}})

    def add_app(self, name: str, image: str) -> None:
        """A second Deployment like the first, with a Service."""
        labels, metadata = {"app": name}, {"name": name, "namespace": "default"}
        port = {"name": "http", "containerPort": 8080}
        probe = {"httpGet": {"path": "/readyz", "port": "http"}, "periodSeconds": 1}
        pod = {"containers": [{"name": "app", "image": image, "ports": [port], "readinessProbe": probe}]}
        template = {"metadata": {"labels": labels}, "spec": pod}
        spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
        self.apps.create_namespaced_deployment("default", {"metadata": metadata, "spec": spec})
        ports = [{"name": "http", "port": 80, "targetPort": "http"}]
        self.core.create_namespaced_service(
            "default", {"metadata": metadata, "spec": {"selector": labels, "ports": ports}}
        )
        eventually(lambda: self.is_available(name), f"{name} available")

    def is_available(self, name: str) -> bool:
        status = self.apps.read_namespaced_deployment(name, "default").status
        return bool(status and status.available_replicas)

    def delete_app(self, name: str) -> None:
        self.apps.delete_namespaced_deployment(name, "default")
        eventually(
            lambda: not self.core.list_namespaced_pod("default", label_selector=f"app={name}").items, f"{name} gone"
        )
        self.core.delete_namespaced_service(name, "default")


@pytest.fixture
def box(sandbox):
    return Box(sandbox)


@pytest.fixture
def second_app(box):
    box.add_app("second", "flask-app:v2")
    yield {"destination": {"host": "second"}}
    box.route({"destination": {"host": "flask-app"}})
    eventually(lambda: not _reaches(box, "v2", requests_=50), "the route to the second app gone")
    box.delete_app("second")


def _reaches(box: Box, version: str, requests_: int) -> bool:
    url = f"{box.addresses['ingress']}/readyz"
    return any(requests.get(url, timeout=5).headers["x-app-version"] == version for _ in range(requests_))


def test_a_plain_request_to_the_ingress_is_answered_by_the_first_version(box):
    answer = requests.get(box.addresses["ingress"], timeout=5)
    assert (answer.status_code, answer.headers["x-app-version"]) == (200, "v1")


def test_a_rolling_update_under_load_loses_nothing(box):
    lost = box.lost()[0]
    box.set_image("flask-app:v2")
    box.set_image("flask-app:v1")
    assert box.lost()[0] == lost, box.lost()


def test_requests_are_split_by_the_weights_of_the_virtual_service(box, second_app):
    lost = box.lost()[0]
    box.route({"destination": {"host": "flask-app"}, "weight": 75}, {**second_app, "weight": 25})
    eventually(lambda: _reaches(box, "v2", requests_=20), "the second app in the route")
    before = box.answers()
    eventually(lambda: sum(box.answers().values()) >= sum(before.values()) + 1000, "1000 answers")
    after = box.answers()
    share = (after["v2"] - before.get("v2", 0)) / (sum(after.values()) - sum(before.values()))
    assert share == pytest.approx(0.25, abs=0.06)  # more than four standard deviations
    assert box.lost()[0] == lost, box.lost()


def test_prometheus_counts_every_request_that_the_load_client_counts(box):
    try:
        box.post("/load?rps=0")
        eventually(lambda: box.get("/load")["in_flight"] == 0, "no request in flight")
        before = _counted_by_now(box), box.get("/load")["sent"]
        box.post("/load?rps=100")
        eventually(lambda: box.get("/load")["sent"] > before[1] + 200, "200 requests")
        box.post("/load?rps=0")
        eventually(lambda: box.get("/load")["in_flight"] == 0, "no request in flight")
        assert _counted_by_now(box) - before[0] == box.get("/load")["sent"] - before[1]
    finally:
        box.post("/load?rps=100")


def _counted_by_now(box: Box) -> int:
    """The count by a scrape that began after this moment."""
    now = time.time()

    def scraped() -> bool:
        found = box.query('max(timestamp(istio_requests_total{reporter="source"}))')
        return bool(found) and float(found[0]["value"][1]) > now

    eventually(scraped, "another scrape")
    return box.counted()


def test_the_metrics_tell_workloads_and_services_apart(box, second_app):
    box.route({"destination": {"host": "flask-app"}, "weight": 50}, {**second_app, "weight": 50})
    query = (
        'sum by (destination_workload, destination_service_name) (istio_requests_total{reporter="source",'
        'source_workload="istio-ingressgateway",destination_service_namespace="default",response_code="200"})'
    )

    def pairs() -> set[tuple[str, str]]:
        labels = [series["metric"] for series in box.query(query)]
        return {(each["destination_workload"], each["destination_service_name"]) for each in labels}

    eventually(lambda: pairs() >= {("flask-app", "flask-app"), ("second", "second")}, "both workloads in the metrics")


def test_prometheus_keeps_address_and_data_over_a_stop_and_a_start(box):
    before, then = box.counted(), time.time()
    box.post("/prometheus/stop").raise_for_status()
    with pytest.raises(requests.ConnectionError):
        box.query("up")
    box.post("/prometheus/start").raise_for_status()
    assert int(box.query(f'sum(istio_requests_total{{reporter="source"}} @ {then:.3f})')[0]["value"][1]) >= before
    eventually(lambda: box.counted() > before, "new samples")


def test_a_killed_pod_is_started_again(box):
    pods = (pod.metadata for pod in box.core.list_namespaced_pod("default", label_selector="app=flask-app").items)
    pod = next(each.name for each in pods if each.deletion_timestamp is None)
    before = box.core.read_namespaced_pod(pod, "default").status.container_statuses[0].restart_count
    assert box.post(f"/pods/default/{pod}/kill").json() == {"killed": 1}

    def restarted() -> bool:
        status = box.core.read_namespaced_pod(pod, "default").status.container_statuses[0]
        return status.restart_count > before and status.ready

    eventually(restarted, "the container ready again")


def test_a_pod_that_is_not_there_cannot_be_killed(box):
    assert box.post("/pods/default/nobody/kill").status_code == 404


def test_a_delayed_mesh_routes_late_but_then_as_told(box, second_app):
    try:
        box.post("/mesh/delay?seconds=2").raise_for_status()
        box.route(second_app)
        assert not _reaches(box, "v2", requests_=1)
        eventually(lambda: _reaches(box, "v2", requests_=1), "the new route")
    finally:
        box.post("/mesh/delay?seconds=0")


@pytest.mark.parametrize("path", ["/load?rps=-1", "/load?rps=many", "/mesh/delay?seconds=-1", "/mesh/delay"])
def test_nonsense_is_refused_with_a_reason(box, path):
    answer = box.post(path)
    assert answer.status_code == 400
    assert answer.json()["error"]


def test_a_route_that_envoy_refuses_leaves_the_last_good_one_in_force(box):
    bad = {"match": [{"uri": {"regex": "("}}], "route": [{"destination": {"host": "nowhere"}}]}
    box.custom.patch_namespaced_custom_object(*ISTIO, "flask-app", {"spec": {"http": [bad]}})
    lost = box.lost()[0]
    sent = box.get("/load")["sent"]
    eventually(lambda: box.get("/load")["sent"] > sent + 50, "50 more requests")
    assert box.lost()[0] == lost, box.lost()
    box.route({"destination": {"host": "flask-app"}})


@pytest.mark.parametrize("signal_", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL], ids=["TERM", "INT", "KILL"])
def test_nothing_is_left_when_it_ends(start_sandbox, signal_):
    with start_sandbox(0) as (process, addresses):
        children = _descendants(process.pid)
        assert len(children) >= 5
        process.send_signal(signal_)
        assert process.wait(30) == (-signal.SIGKILL if signal_ == signal.SIGKILL else 0)
        eventually(lambda: not any(_alive(pid) for pid in children), "all processes gone", seconds=20)
        eventually(lambda: not Path(addresses["kubeconfig"]).parent.exists(), "all files gone", seconds=20)


def _descendants(pid: int) -> set[int]:
    parents = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            stat = Path(f"/proc/{name}/stat").read_text()
        except OSError:
            continue
        parents[int(name)] = int(stat.rpartition(")")[2].split()[1])
    found: set[int] = set()
    level = {pid}
    while level:
        level = {child for child, parent in parents.items() if parent in level}
        found |= level
    return found


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False

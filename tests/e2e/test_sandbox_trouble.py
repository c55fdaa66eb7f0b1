"""What a sandbox can be told to do to its pods, its mesh and its users' rights, on a whole one."""

import os
import signal
import time
from pathlib import Path

import pytest
import requests
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException

pytestmark = pytest.mark.e2e

GATEWAY_API = ("gateway.networking.k8s.io", "v1", "default")
ISTIO = ("networking.istio.io", "v1", "default")


def eventually(condition, what, seconds=60):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if result := condition():
            return result
        time.sleep(0.1)
    raise AssertionError(f"not within {seconds:.0f} s: {what}")


class Box:
    """A sandbox through its APIs."""

    def __init__(self, addresses):
        self.addresses = addresses
        api = config.new_client_from_config(addresses["kubeconfig"])
        self.apps, self.core = client.AppsV1Api(api), client.CoreV1Api(api)
        self.custom, self.scaling = client.CustomObjectsApi(api), client.AutoscalingV2Api(api)
        self.rbac = client.RbacAuthorizationV1Api(api)

    def get(self, path):
        return requests.get(self.addresses["control"] + path, timeout=30)

    def post(self, path):
        answer = requests.post(self.addresses["control"] + path, timeout=30)
        answer.raise_for_status()
        return answer.json()

    def lost(self):
        return self.get("/load").json()["lost_by_kind"]

    def query(self, promql):
        url = f"{self.addresses['prometheus']}/api/v1/query"
        return [s["metric"] for s in requests.get(url, params={"query": promql}, timeout=30).json()["data"]["result"]]

    def pods(self, app="flask-app"):
        found = self.core.list_namespaced_pod("default", label_selector=f"app={app}").items
        return [pod.metadata for pod in found if pod.metadata.deletion_timestamp is None]

    def settled(self, replicas=3):
        status = self.apps.read_namespaced_deployment("flask-app", "default").status
        return (status.replicas, status.available_replicas) == (replicas, replicas)


@pytest.fixture
def box(sandbox):
    box = Box(sandbox)
    eventually(box.settled, "three pods of the app")
    return box


def test_prometheus_tells_pods_apart_by_the_labels_they_have(box):
    def told():
        series = box.query('istio_requests_total{reporter="destination",namespace="default"}')
        return {(each["pod"], each["pod_template_hash"]) for each in series}

    pods = {(pod.name, pod.labels["pod-template-hash"]) for pod in box.pods()}
    eventually(lambda: told() >= pods, f"series of {pods}")


def test_what_is_lost_on_a_killed_pod_is_told_from_other_losses(box):
    before = box.lost()
    box.post("/load?slow_every=10&slow_seconds=2")
    try:
        eventually(lambda: box.get("/load").json()["in_flight"] >= 10, "slow requests in flight")
        pod = box.pods()[0].name
        box.post(f"/pods/default/{pod}/kill")
        eventually(lambda: box.lost()["in_flight_on_killed_pod"] > before["in_flight_on_killed_pod"], "losses")
    finally:
        box.post("/load?slow_every=0")
    eventually(lambda: box.get("/load").json()["in_flight"] < 10, "no slow request in flight")
    after = box.lost()
    assert {kind for kind in after if after[kind] != before[kind]} == {"in_flight_on_killed_pod"}, box.get(
        "/load/lost"
    ).json()


def test_a_pod_that_drains_loses_no_slow_request(box):
    before = box.lost()
    box.post("/load?slow_every=10&slow_seconds=3")
    try:
        eventually(lambda: box.get("/load").json()["in_flight"] >= 10, "slow requests in flight")
        pod = box.pods()[0].name
        box.post(f"/pods/default/{pod}/delete")
        eventually(
            lambda: pod not in {each.metadata.name for each in box.core.list_namespaced_pod("default").items}, "gone"
        )
    finally:
        box.post("/load?slow_every=0")
    assert box.lost() == before, box.get("/load/lost").json()


def test_an_autoscaler_shrinks_the_app_to_its_floor_and_no_further(box):
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "flask-app"}
    spec = {"scaleTargetRef": target, "minReplicas": 2, "maxReplicas": 4}
    box.scaling.create_namespaced_horizontal_pod_autoscaler("default", {"metadata": {"name": "app"}, "spec": spec})
    try:
        box.post("/hpa/default/app?replicas=1")
        eventually(lambda: box.settled(2), "two replicas")
        floor = {"spec": {"minReplicas": 3}}
        box.scaling.patch_namespaced_horizontal_pod_autoscaler("app", "default", floor)
        eventually(lambda: box.settled(3), "the raised floor")
    finally:
        box.scaling.delete_namespaced_horizontal_pod_autoscaler("app", "default")


@pytest.fixture
def http_route(box):
    """The app behind an HTTPRoute instead of its VirtualService."""
    original = box.custom.get_namespaced_custom_object(*ISTIO, "virtualservices", "flask-app")
    gateway = {"listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}], "gatewayClassName": "sandbox"}
    change = {"set": [{"name": "x-by", "value": "httproute"}]}
    header = {"type": "ResponseHeaderModifier", "responseHeaderModifier": change}
    backend = {"name": "flask-app", "port": 80, "filters": [header]}
    route = {"parentRefs": [{"name": "edge"}], "rules": [{"backendRefs": [backend]}]}
    for kind, plural, name, spec in (
        ("Gateway", "gateways", "edge", gateway),
        ("HTTPRoute", "httproutes", "app", route),
    ):
        body = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}
        box.custom.create_namespaced_custom_object(*GATEWAY_API, plural, body)
    box.custom.delete_namespaced_custom_object(*ISTIO, "virtualservices", "flask-app")
    yield
    original["metadata"] = {"name": "flask-app", "namespace": "default"}
    box.custom.create_namespaced_custom_object(*ISTIO, "virtualservices", original)
    for plural, name in (("httproutes", "app"), ("gateways", "edge")):
        box.custom.delete_namespaced_custom_object(*GATEWAY_API, plural, name)


def test_an_http_route_takes_the_place_of_a_virtual_service(box, http_route):
    def by():
        return requests.get(box.addresses["ingress"], timeout=5).headers.get("x-by")

    eventually(lambda: by() == "httproute", "the route of the Gateway API")


def test_a_field_without_effect_is_shown(box):
    patch = {"spec": {"http": [{"corsPolicy": {}, "route": [{"destination": {"host": "flask-app"}}]}]}}
    box.custom.patch_namespaced_custom_object(*ISTIO, "virtualservices", "flask-app", patch)
    try:
        eventually(lambda: "corsPolicy" in str(box.get("/mesh").json()["problems"]), "the field among the problems")
    finally:
        patch["spec"]["http"][0].pop("corsPolicy")
        box.custom.patch_namespaced_custom_object(*ISTIO, "virtualservices", "flask-app", patch)


def test_a_sandbox_with_rights_of_its_own_and_linkerds_metrics_and_an_end_that_is_explained(start_sandbox, tmp_path):
    with start_sandbox(20, "--metrics", "linkerd", "--enforce-rbac") as (process, addresses):
        box = Box(addresses)
        (series, *_) = box.query('response_total{direction="outbound",dst_service="flask-app"}')
        assert (series["classification"], series["dst_deployment"]) == ("success", "flask-app")
        _check_rights(box, tmp_path)
        _check_watchdog(box, process)


def _check_rights(box, folder):
    box.core.create_namespaced_service_account("default", {"metadata": {"name": "robot"}})
    (folder / "robot").write_text(box.get("/kubeconfig/default/robot").text)
    robot = client.CoreV1Api(config.new_client_from_config(str(folder / "robot")))
    with pytest.raises(ApiException, match="cannot list resource"):
        robot.list_namespaced_pod("default")
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}]
    box.rbac.create_namespaced_role("default", {"metadata": {"name": "robot"}, "rules": rules})
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "robot"}
    subject = {"kind": "ServiceAccount", "name": "robot", "namespace": "default"}
    binding = {"metadata": {"name": "robot"}, "roleRef": reference, "subjects": [subject]}
    box.rbac.create_namespaced_role_binding("default", binding)
    assert robot.list_namespaced_pod("default").items
    asked = [row for row in box.get("/rbac").json() if row["identity"].endswith(":robot")]
    assert [(row["verb"], row["resource"], row["allowed"]) for row in asked] == [
        ("list", "pods", False),
        ("list", "pods", True),
    ]


def _check_watchdog(box, process):
    os.kill(_child(process.pid, "prometheus"), signal.SIGKILL)
    eventually(lambda: not _answers(box.addresses["prometheus"]), "Prometheus gone", seconds=5)
    eventually(lambda: _answers(box.addresses["prometheus"]), "Prometheus back", seconds=20)
    os.kill(_child(process.pid, "envoy"), signal.SIGKILL)
    assert process.wait(30) == 1


def _child(parent, program):
    """The process of this name that another one has started."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            head, _, tail = stat.read_text().rpartition(")")
        except OSError:
            continue
        if tail.split()[1] == str(parent) and head.partition("(")[2].startswith(program):
            return int(stat.parent.name)
    raise AssertionError(f"{program} does not run")


def _answers(url):
    try:
        return requests.get(f"{url}/-/ready", timeout=2).status_code == 200
    except requests.RequestException:  # it does not listen, or is too busy with its start
        return False

"""The chart's objects in a cluster that enforces them: what runs there is what `helm install` would have made.

The rights that the chart gives are compared with those that the service asked for in whole rollouts: nothing missing,
nothing unused, in each of the ways in which it gives them.
"""

import json
import os
import shutil
import subprocess
import sys
from copy import deepcopy
from pathlib import Path

import pytest
import requests
import yaml

from canary_analyzer import __version__
from canary_analyzer.cluster.client import DEPLOYMENTS, HTTP_ROUTES, SERVICES, VIRTUAL_SERVICES

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[3]
OWN, WATCHED, NAME = "canary-system", "default", "canary-analyzer"
PROFILE = {
    "tick_seconds": 2,
    "settle_seconds": 2,
    "start_seconds": 10,
    "promote_seconds": 60,
    "deadline_seconds": 150,
    "rolling": {"pace_seconds": 10},
    "blue_green": {"analysis_seconds": 8, "requests": 100, "keep_seconds": 4},
    "steps": [{"weight": 10, "seconds": 6, "requests": 20}, {"weight": 50, "seconds": 8, "requests": 100}],
}
AUTOSCALER = {
    "apiVersion": "autoscaling/v2",
    "kind": "HorizontalPodAutoscaler",
    "metadata": {"name": "flask-app", "namespace": WATCHED},
    "spec": {
        "minReplicas": 2,
        "maxReplicas": 6,
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "flask-app"},
    },
}
TRAFFIC_POLICY = {
    "apiVersion": "networking.istio.io/v1",
    "kind": "DestinationRule",
    "metadata": {"name": "flask-app", "namespace": WATCHED},
    "spec": {"host": "flask-app", "trafficPolicy": {"loadBalancer": {"simple": "LEAST_REQUEST"}}},
}
CANARY, ROLLING, BLUE_GREEN = ({"strategy": name} for name in ("canary", "rolling", "blue-green"))
ROLLOUTS = (
    # image, how it is asked for, how it ends
    ("v2", CANARY, "Succeeded"),
    ("v1", ROLLING, "Succeeded"),
    ("v2", BLUE_GREEN, "Succeeded"),
    ("v1", CANARY | {"config": "{baseline: fresh}"}, "Succeeded"),
    ("v2-errors", CANARY | {"config": None}, "Aborted"),
    ("v2-crash", CANARY, "Aborted"),
)
PATHS = {
    "Namespace": ("api/v1", "namespaces"),
    "ServiceAccount": ("api/v1", "serviceaccounts"),
    "ConfigMap": ("api/v1", "configmaps"),
    "Service": ("api/v1", "services"),
    "Pod": ("api/v1", "pods"),
    "Deployment": ("apis/apps/v1", "deployments"),
    "Role": ("apis/rbac.authorization.k8s.io/v1", "roles"),
    "RoleBinding": ("apis/rbac.authorization.k8s.io/v1", "rolebindings"),
    "ClusterRole": ("apis/rbac.authorization.k8s.io/v1", "clusterroles"),
    "ClusterRoleBinding": ("apis/rbac.authorization.k8s.io/v1", "clusterrolebindings"),
    "PodDisruptionBudget": ("apis/policy/v1", "poddisruptionbudgets"),
    "NetworkPolicy": ("apis/networking.k8s.io/v1", "networkpolicies"),
    "HorizontalPodAutoscaler": ("apis/autoscaling/v2", "horizontalpodautoscalers"),
    "DestinationRule": ("apis/networking.istio.io/v1", "destinationrules"),
    "VirtualService": ("apis/networking.istio.io/v1", "virtualservices"),
    "Gateway": ("apis/gateway.networking.k8s.io/v1", "gateways"),
    "HTTPRoute": ("apis/gateway.networking.k8s.io/v1", "httproutes"),
}
ROUTES = {"virtualservices", "httproutes"}
HERE = {"namespaces": [WATCHED]}
GATEWAY_API = {"config": {"routing": "gateway-api"}}
MODES = {
    # values, and what is asked of the whole cluster first and, where that is forbidden, of the watched namespace
    "its namespaces": (HERE, ROUTES),
    "all namespaces": ({"clusterWide": True}, set()),
    "HTTPRoutes": (HERE | GATEWAY_API, {*ROUTES, "referencegrants"}),
    "HTTPRoutes, those of other namespaces read": (HERE | GATEWAY_API | {"readRoutesEverywhere": True}, set()),
}
ACCOUNT = f"system:serviceaccount:{OWN}:{NAME}"


class Cluster:
    """The sandbox's API server as its administrator sees it."""

    def __init__(self, addresses):
        self.addresses = addresses

    def url(self, kind, namespace, name=""):
        root, plural = PATHS[kind]
        scope = f"namespaces/{namespace}/" if namespace else ""
        return f"{self.addresses['api']}/{root}/{scope}{plural}/{name}".rstrip("/")

    def create(self, document):
        namespace = document["metadata"].get("namespace", "")
        answer = requests.post(self.url(document["kind"], namespace), json=document, timeout=10)
        assert answer.ok, f"{document['kind']}: {answer.text}"

    def delete(self, kind, namespace, name):
        answer = requests.delete(self.url(kind, namespace, name), timeout=10)
        assert answer.ok, answer.text

    def get(self, kind, namespace, name):
        answer = requests.get(self.url(kind, namespace, name), timeout=10)
        assert answer.ok, answer.text
        return answer.json()

    def scale(self, namespace, name, replicas):
        headers = {"Content-Type": "application/merge-patch+json"}
        change = {"spec": {"replicas": replicas}}
        answer = requests.patch(self.url("Deployment", namespace, name), json=change, headers=headers, timeout=10)
        assert answer.ok, answer.text

    def kubeconfig(self, namespace, account):
        answer = requests.get(f"{self.addresses['control']}/kubeconfig/{namespace}/{account}", timeout=10)
        assert answer.ok, answer.text
        return answer.text

    def pods(self, namespace):
        """Names of the pods that are there, those that are ending included."""
        pods = requests.get(self.url("Pod", namespace), timeout=10).json()["items"]
        return [pod["metadata"]["name"] for pod in pods]

    def logs(self, namespace):
        """All that the pods of a namespace said."""
        paths = [self.url("Pod", namespace, name) + "/log" for name in self.pods(namespace)]
        return "".join(f"{path}\n{requests.get(path, timeout=10).text}\n" for path in paths)

    def asked(self):
        """What the chart's account asked for: (namespace, verb, resource), by whether it was allowed."""
        notes = requests.get(f"{self.addresses['control']}/rbac", timeout=10).json()
        ours = [each for each in notes if each["identity"] == ACCOUNT]
        return {
            allowed: {
                (each["namespace"], each["verb"], each["resource"]) for each in ours if each["allowed"] is allowed
            }
            for allowed in (True, False)
        }


@pytest.fixture(scope="module")
def helm():
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    if found := shutil.which("helm", path=path):
        return found
    if os.environ.get("CI") == "true":
        pytest.fail("helm is not on PATH")
    pytest.skip("helm is not on PATH: make setup installs it, where it can")


@pytest.fixture
def box(start_sandbox, tmp_path):
    """A sandbox that enforces rights, and whose nodes know the service's image."""
    image = {
        "command": ["python", str(Path(__file__).with_name("in_pod.py")), str(tmp_path)],
        "environment": {"HOME": "/tmp"},
    }
    images = tmp_path / "images.yaml"
    images.write_text(yaml.safe_dump({"images": {f"canary-analyzer:{__version__}": image}}))
    with start_sandbox(60, "--enforce-rbac", "--images", str(images)) as (_, addresses):
        cluster = Cluster(addresses)
        yield cluster
        sys.stderr.write(cluster.logs(OWN))


@pytest.fixture(params=MODES.values(), ids=MODES)
def mode(request):
    """Values that decide about rights, and what they leave to be asked twice."""
    return request.param


@pytest.fixture
def values(mode):
    return mode[0]


@pytest.fixture
def installed(helm, box, values, tmp_path):
    """The chart's objects in the cluster, and two replicas of the service on their way; gives all objects."""
    config = {"prometheus": {"url": box.addresses["prometheus"]}, "profiles": {"standard": PROFILE}}
    values = values | {"config": config | values.get("config", {}), "networkPolicy": {"enabled": True}}
    command = [helm, "template", NAME, ROOT / "chart", "--namespace", OWN, "--kube-version", "1.33", "--values", "-"]
    rendered = subprocess.run(command, input=yaml.safe_dump(values), capture_output=True, text=True, check=True)
    documents = list(filter(None, yaml.safe_load_all(rendered.stdout)))
    box.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": OWN}})
    late = ("Deployment", "Job")
    for document in documents:
        if document["kind"] not in late:
            box.create(document)
    (config,) = (each for each in documents if each["kind"] == "ConfigMap")
    for name, text in config["data"].items():
        (tmp_path / name).write_text(text)
    (tmp_path / "kubeconfig").write_text(box.kubeconfig(OWN, NAME))
    (deployment,) = (each for each in documents if each["kind"] == "Deployment")
    box.create(deployment)
    return documents


@pytest.fixture
def user(box, values, make_user):
    """A user whose route is of the kind that the service reads."""
    user = make_user(box.addresses)
    if "config" in values:
        for document in yaml.safe_load_all((ROOT / "istio/httproute.yaml").read_text()):
            box.create(document)
        box.delete("VirtualService", WATCHED, "flask-app")
        served = user.answered()["v1"]
        user.eventually(lambda: user.answered()["v1"] > served + 60, "requests by the HTTPRoute")
    return user


def granted(documents):
    """(namespace, verb, resource) of the roles; the namespace is empty where it is any."""
    return {
        (role["metadata"].get("namespace", ""), verb, resource)
        for role in documents
        if role["kind"] in ("Role", "ClusterRole")
        for rule in role["rules"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def widest(rights, given):
    """Each right as it was given for the whole cluster, where it was: no second one is needed then."""
    return {(wide if (wide := ("", *right[1:])) in given else right) for right in rights}


def remember(box, run):
    """Let there be ten more runs like this one, so that the next one makes the service forget some."""
    record = box.get("ConfigMap", WATCHED, f"canary-run-{run}")
    for field in ("uid", "resourceVersion", "creationTimestamp", "managedFields"):
        record["metadata"].pop(field, None)
    for number in range(20, 30):
        box.create(json.loads(json.dumps(record).replace(run, f"flask-app-{number}")))


def bring_your_own(user, kind):
    """A canary that the user made, with a route of his own to it, is promoted; then he takes both away."""
    before, canary = user.route(kind)["spec"], "flask-app-next"
    user.sibling(canary, name="flask-app", image="flask-app:v2")
    user.cluster.merge(kind, WATCHED, "flask-app", {"spec": routed_to_both(before, canary)})
    user.annotate(canary, baseline="flask-app", config="{bring_your_own: {patch_stable: true}}")
    user.eventually(lambda: user.status(canary).get("phase") in ("Succeeded", "Aborted"), "the end of the run")
    assert (user.status(canary)["phase"], user.image()) == ("Succeeded", "flask-app:v2")
    user.cluster.merge(kind, WATCHED, "flask-app", {"spec": before})
    for made in (DEPLOYMENTS, SERVICES):
        user.cluster.delete(made, WATCHED, canary)


def routed_to_both(spec, canary):
    """A route's spec that knows the canary too, and sends it nothing yet."""
    spec = deepcopy(spec)
    if "rules" in spec:
        (there,) = spec["rules"][0]["backendRefs"]
        spec["rules"][0]["backendRefs"] = [there | {"weight": 100}, there | {"name": canary, "weight": 0}]
    else:
        both = (("flask-app", 100), (canary, 0))
        spec["http"][0]["route"] = [{"destination": {"host": host}, "weight": weight} for host, weight in both]
    return spec


def uninstall(box, user, documents):
    """What `helm uninstall` does in the middle of a run: its hook first, then the replicas go."""
    served = user.answered()["v1"]
    user.canary("flask-app:v1", **CANARY)
    user.eventually(lambda: user.answered()["v1"] > served, "requests at the canary")
    hook = next(each for each in documents if each["kind"] == "Job")["spec"]["template"]
    metadata = hook["metadata"] | {"name": "hook", "namespace": OWN}
    box.create({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": hook["spec"]})
    user.eventually(lambda: box.get("Pod", OWN, "hook")["status"].get("phase") in ("Succeeded", "Failed"), "the hook")
    assert box.get("Pod", OWN, "hook")["status"]["phase"] == "Succeeded"
    box.scale(OWN, NAME, 0)
    user.eventually(lambda: box.pods(OWN) == ["hook"], "the end of the replicas")


def test_the_service_runs_rollouts_to_their_end_with_exactly_the_chart_s_rights(installed, box, user, mode):
    values, twice = mode
    kind = HTTP_ROUTES if "config" in values else VIRTUAL_SERVICES
    user.eventually(lambda: box.get("Deployment", OWN, NAME)["status"].get("availableReplicas") == 2, "two replicas")
    box.create(AUTOSCALER)
    box.create(TRAFFIC_POLICY)
    route, lost = user.route(kind), user.load()["lost"]

    for number, (image, asked_for, end) in enumerate(ROLLOUTS):
        user.canary(f"flask-app:{image}", **asked_for)
        ended = user.ended()
        assert ended["phase"] == end, ended
        if number == 0:
            remember(box, ended["run"])

    bring_your_own(user, kind)
    uninstall(box, user, installed)
    assert user.ended()["phase"] == "Aborted"
    assert user.route(kind) == route
    assert user.load()["lost"] == lost

    asked, given = box.asked(), granted(installed)
    assert asked[False] == {("", "list", resource) for resource in twice}
    assert widest(asked[True], given) == widest(given, given)

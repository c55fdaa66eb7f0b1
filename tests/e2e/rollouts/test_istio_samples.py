"""Every file in `istio/` as a user applies it, and a canary that goes by it."""

import sys
from copy import deepcopy
from pathlib import Path

import pytest
import yaml

from canary_analyzer.cluster.client import DEPLOYMENTS, DESTINATION_RULES, PODS

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[3]
SAMPLES, MANIFESTS = ROOT / "istio", ROOT / "flask_app/manifests"
POLICY = "{steps: [{weight: 10, seconds: 6, requests: 20}, {weight: 50, seconds: 10, requests: 100}]}"
BROUGHT = POLICY[:-1] + ", bring_your_own: {patch_stable: true}}"
POLICIES = ("telemetry.yaml", "peerauthentication.yaml", "authorizationpolicy.yaml")
INGRESS = ("gateway.yaml", "virtualservice.yaml", "destinationrule-pool.yaml", *POLICIES)
SUBSETS = ("gateway.yaml", "destinationrule.yaml", "virtualservice-subsets.yaml")
SETUPS = {
    "ingress, with pool and policies": (INGRESS, "istio"),
    "inside the mesh": (("virtualservice-mesh.yaml",), "istio"),
    "Gateway API": (("httproute.yaml",), "gateway-api"),
}
ROUTES = ("virtualservices", "destinationrules", "httproutes")
RULES = ("authorizationpolicies", "peerauthentications", "telemetries")
GATEWAYS = ("gateways.networking.istio.io", "gateways.gateway.networking.k8s.io")


def test_each_sample_is_tried_here():
    tried = {file for files, _ in SETUPS.values() for file in files} | set(SUBSETS)
    assert tried == {path.name for path in SAMPLES.glob("*.yaml")}


@pytest.fixture(scope="module")
def addresses(start_sandbox):
    with start_sandbox(60) as (_, addresses):
        yield addresses


@pytest.fixture
def user(addresses, make_user, kubectl):
    """A user of the sample app as its manifests have it: a label of its pods tells a canary's from them."""
    user = make_user(addresses)
    if "track" not in user.deployment()["spec"]["selector"]["matchLabels"]:
        kubectl("delete", "deployment,service", "flask-app")
        user.eventually(lambda: not user.cluster.list(PODS, "default", "app=flask-app").items, "the old pods to go")
        kubectl("apply", "-k", MANIFESTS / "base")
        kubectl("rollout", "status", "deployment/flask-app", "--timeout", "60s")
    if user.image() != "flask-app:v1":
        user.back_to("flask-app:v1")
    return user


@pytest.fixture
def applied(user, kubectl):
    """Apply samples in place of all routes that are there; gives what the cluster then has of them."""

    def specs(files):
        named = [word for file in files for word in ("-f", SAMPLES / file)]
        told = yaml.safe_load(kubectl("get", *named, "-o", "yaml"))
        return [each["spec"] for each in told.get("items", [told])]

    def apply(files):
        kubectl("delete", ",".join((*ROUTES, *GATEWAYS, *RULES)), "--all")
        for file in files:
            kubectl("apply", "-f", SAMPLES / file)
        served = user.answered().get("v1", 0)
        user.eventually(lambda: user.answered().get("v1", 0) > served + 60, "requests to be served")
        return lambda: specs(files)

    return apply


@pytest.fixture
def serving(addresses, user, make_service, tmp_path):
    """Run the service with routes of a kind; its log is shown where a test fails."""
    service = make_service(addresses, tmp_path)

    def serve(routing):
        config = tmp_path / "config.yaml"
        config.write_text(config.read_text() + f"routing: {routing}\n")
        service.start()

    yield serve
    user.tidy()
    service.stop()
    sys.stderr.write(service.log.read_text())


@pytest.mark.parametrize(("files", "routing"), SETUPS.values(), ids=SETUPS)
def test_a_canary_goes_by_the_samples_and_leaves_them_as_they_were(user, applied, serving, files, routing):
    specs = applied(files)
    before, lost = specs(), user.load()["lost"]
    serving(routing)
    user.canary("flask-app:v2", config=POLICY)
    user.eventually(lambda: user.answered().get("v2"), "requests at the canary", 60)
    if "destinationrule-pool.yaml" in files:
        copy = user.cluster.get(DESTINATION_RULES, "default", "flask-app-canary")
        original = yaml.safe_load((SAMPLES / "destinationrule-pool.yaml").read_text())
        assert copy["spec"]["trafficPolicy"] == original["spec"]["trafficPolicy"]
    ended = user.ended()
    assert ended["phase"] == "Succeeded", ended
    assert specs() == before
    assert user.load()["lost"] == lost


def test_a_canary_that_the_user_makes_goes_by_the_subsets(user, kubectl, applied, serving):
    tracks = {"flask-app": ("stable", "flask-app:v1"), "flask-app-next": ("canary", "flask-app:v2")}
    plain = user.deployment()["spec"]
    kubectl("delete", "deployment", "flask-app")
    kubectl("patch", "service", "flask-app", "--type", "merge", "-p", '{"spec": {"selector": {"track": null}}}')
    user.eventually(lambda: not user.cluster.list(PODS, "default", "app=flask-app").items, "the old pods to go")
    for name, (track, image) in tracks.items():
        spec, labels = deepcopy(plain), {"app": "flask-app", "track": track}
        spec["selector"], spec["template"]["metadata"]["labels"] = {"matchLabels": labels}, labels
        spec["template"]["spec"]["containers"][0]["image"] = image
        metadata = {"name": name, "namespace": "default"}
        user.cluster.create(
            DEPLOYMENTS, {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}
        )
        kubectl("rollout", "status", f"deployment/{name}", "--timeout", "60s")
    specs = applied(SUBSETS)
    before, lost = specs(), user.load()["lost"]
    serving("istio")
    user.annotate("flask-app-next", baseline="flask-app", config=BROUGHT)
    ends = ("Succeeded", "Aborted", "Refused")
    user.eventually(lambda: user.status("flask-app-next").get("phase") in ends, "the end of the run")
    assert user.status("flask-app-next")["phase"] == "Succeeded", user.status("flask-app-next")
    assert (user.image(), specs()) == ("flask-app:v2", before)
    assert user.load()["lost"] == lost

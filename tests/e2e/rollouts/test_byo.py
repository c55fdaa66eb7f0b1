"""Canaries that the user made, with routes of his own to them: two hosts, and two subsets of one host."""

from copy import deepcopy

import pytest

from canary_analyzer.cluster.client import DEPLOYMENTS, DESTINATION_RULES, SERVICES, VIRTUAL_SERVICES
from canary_analyzer.rollout import annotations

pytestmark = pytest.mark.long

NAMESPACE, APP = "default", "flask-app"
STEPS = "steps: [{weight: 20, seconds: 6, requests: 20}, {weight: 50, seconds: 10, requests: 100}]"


def deployment_like(user, name, image, labels):
    """The app's Deployment under another name, with other labels and another image."""
    spec = deepcopy(user.deployment()["spec"]) | {"replicas": 2, "selector": {"matchLabels": labels}}
    spec["template"]["metadata"]["labels"] = labels
    spec["template"]["spec"]["containers"][0]["image"] = image
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": _named(name), "spec": spec}


def service(name, labels):
    spec = {"selector": labels, "ports": [{"name": "http", "port": 80, "targetPort": "http"}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": _named(name), "spec": spec}


def _named(name):
    return {"name": name, "namespace": NAMESPACE}


class Brought:
    """What a user has put into his namespace, and how he finds it again."""

    def __init__(self, user):
        self.user, self.cluster = user, user.cluster
        self.made = []
        self.before = user.route()["spec"]

    def create(self, kind, document):
        self.cluster.create(kind, document)
        self.made.append((kind, document["metadata"]["name"]))

    def route_to(self, *destinations):
        # The host that the load calls, so that it is answered by this route even where that leads to no such Service.
        spec = deepcopy(self.before) | {"hosts": [APP], "gateways": ["mesh"]}
        spec["http"][0]["route"] = [{"destination": d, "weight": w} for d, w in destinations]
        self.cluster.merge(VIRTUAL_SERVICES, NAMESPACE, APP, {"spec": spec})
        self.routed = self.user.route()

    def set_image(self, name, image):
        patch = [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": image}]
        self.cluster.patch(DEPLOYMENTS, NAMESPACE, name, patch)

    def image(self, name):
        return self.user.deployment(name)["spec"]["template"]["spec"]["containers"][0]["image"]

    def await_phase(self, canary, *phases):
        self.user.eventually(lambda: self.user.status(canary).get("phase") in phases, f"{canary} to be in {phases}")
        return self.user.status(canary)

    def await_available(self, name):
        self.user.eventually(
            lambda: self.user.deployment(name).get("status", {}).get("availableReplicas") == 2, f"pods of {name}"
        )

    def clear(self):
        self.cluster.merge(VIRTUAL_SERVICES, NAMESPACE, APP, {"spec": self.before})
        for kind, name in reversed(self.made):
            self.cluster.delete(kind, NAMESPACE, name)


@pytest.fixture
def brought(user, service):
    """A user who brings his own canary; the app is afterwards as it was."""
    theirs = Brought(user)
    yield theirs
    theirs.clear()


def test_two_hosts_a_bad_canary_is_sent_back_and_the_next_one_promoted_by_us(user, brought):
    labels, canary = {"app": "flask-app-next"}, "flask-app-next"
    brought.create(SERVICES, service(canary, labels))
    brought.create(DEPLOYMENTS, deployment_like(user, canary, "flask-app:v2-errors", labels))
    brought.await_available(canary)
    brought.route_to(({"host": APP}, 100), ({"host": canary}, 0))
    lost = user.load()["lost"]
    user.annotate(canary, baseline=APP, config=f"{{{STEPS}, bring_your_own: {{patch_stable: true}}}}")
    aborted = brought.await_phase(canary, "Aborted", "Succeeded")
    assert aborted["phase"] == "Aborted", aborted
    assert "errors" in aborted["reason"]
    assert (user.route(), user.image()) == (brought.routed, "flask-app:v1")
    brought.set_image(canary, "flask-app:v2")
    brought.await_phase(canary, "Starting", "Analysing")
    succeeded = brought.await_phase(canary, "Aborted", "Succeeded")
    assert succeeded["phase"] == "Succeeded", succeeded
    assert (user.route(), user.image()) == (brought.routed, "flask-app:v2")
    assert annotations.of(user.deployment(canary))[annotations.BASELINE] == APP
    assert user.load()["lost"] == lost


def test_two_subsets_a_good_canary_keeps_its_weight_until_git_has_promoted_it(user, brought):
    subsets = {name: {"app": "web", "version": name} for name in ("stable", "next")}
    brought.create(SERVICES, service("web", {"app": "web"}))
    rule = {"apiVersion": "networking.istio.io/v1", "kind": "DestinationRule", "metadata": _named("web")}
    listed = [{"name": name, "labels": {"version": name}} for name in subsets]
    brought.create(DESTINATION_RULES, rule | {"spec": {"host": "web", "subsets": listed}})
    for name, image in (("stable", "flask-app:v1"), ("next", "flask-app:v2")):
        brought.create(DEPLOYMENTS, deployment_like(user, f"web-{name}", image, subsets[name]))
        brought.await_available(f"web-{name}")
    brought.route_to(({"host": "web", "subset": "stable"}, 100), ({"host": "web", "subset": "next"}, 0))
    lost = user.load()["lost"]
    user.annotate("web-next", baseline="web-stable", config=f"{{{STEPS}}}")
    passed = brought.await_phase("web-next", "Promoting", "Aborting")
    assert "until web-stable runs flask-app:v2" in passed["reason"], passed
    assert (user.weights(), brought.image("web-stable")) == ([50, 50], "flask-app:v1")
    brought.set_image("web-stable", "flask-app:v2")
    ended = brought.await_phase("web-next", "Succeeded", "Aborted")
    assert ended["phase"] == "Succeeded", ended
    assert (user.route(), user.load()["lost"]) == (brought.routed, lost)

"""What a run leaves when it is cut off between two last writes and its record is lost, over the API emulator."""

import pytest

from canary_analyzer.cluster import autoscaling
from canary_analyzer.cluster.client import AUTOSCALERS, VIRTUAL_SERVICES
from canary_analyzer.cluster.sweep import sweep
from canary_analyzer.rollout.evidence import fresh
from canary_analyzer.rollout.plan import Offers
from canary_analyzer.rollout.policy import PROFILES
from canary_analyzer.service.intake import take_in

AUTOSCALER = {
    "apiVersion": "autoscaling/v2",
    "kind": "HorizontalPodAutoscaler",
    "metadata": {"name": "app", "namespace": "default"},
    "spec": {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "app"},
        "minReplicas": 1,
        "maxReplicas": 5,
    },
}


@pytest.fixture
def held(cluster, app):
    """An autoscaler whose floor a run has raised; returns how it was."""
    before = cluster.create(AUTOSCALERS, AUTOSCALER)
    autoscaling.hold(cluster, "default", "app", 2)
    return before


def test_a_floor_that_no_run_will_release_is_released(cluster, held):
    sweep(cluster, "", lambda _: None)
    live = cluster.get(AUTOSCALERS, "default", "app")
    assert live["spec"] == held["spec"]
    assert "annotations" not in live["metadata"]
    assert "canary-analyzer" not in managers(live)


def test_a_floor_that_an_active_run_holds_stays(cluster, app, held):
    app.annotate(image="app:v2")
    assert fresh(take_in(cluster, app.deployment(), None, Offers(profiles=PROFILES), 1000.0).run)
    sweep(cluster, "", lambda _: None)
    assert cluster.get(AUTOSCALERS, "default", "app")["spec"]["minReplicas"] == 2


def test_fields_of_a_route_that_no_run_edits_are_given_up(cluster, app):
    cluster.patch(VIRTUAL_SERVICES, "default", "app", [{"op": "add", "path": "/spec/hosts/1", "value": "shop"}])
    assert "canary-analyzer" in managers(app.route())
    sweep(cluster, "", lambda _: None)
    assert "canary-analyzer" not in managers(app.route())
    assert app.route()["spec"]["hosts"] == ["app", "shop"]


def managers(document):
    return {entry["manager"] for entry in document["metadata"].get("managedFields", [])}

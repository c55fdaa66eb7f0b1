"""What a run leaves when it is cut off between two last writes and its record is lost, over the API emulator."""

from collections import Counter

import pytest

from canary_analyzer.cluster import autoscaling, records
from canary_analyzer.cluster.act import Subject, act
from canary_analyzer.cluster.client import (
    AUTOSCALERS,
    CONFIGMAPS,
    DEPLOYMENTS,
    VIRTUAL_SERVICES,
    Cluster,
    ClusterError,
)
from canary_analyzer.cluster.sweep import sweep, sweep_if_possible
from canary_analyzer.rollout.actions import SetTraffic
from canary_analyzer.rollout.evidence import fresh
from canary_analyzer.rollout.plan import Offers
from canary_analyzer.rollout.policy import PROFILES
from canary_analyzer.routing import Traffic
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


def test_a_run_of_the_same_name_but_of_a_deployment_made_anew_is_another_run(cluster, app):
    before = app.route()["spec"]
    app.annotate(image="app:v2")
    first = take_in(cluster, app.deployment(), None, Offers(profiles=PROFILES), 1000.0)
    act(cluster, SetTraffic(traffic=Traffic(weight=10)), Subject(run=first.run, snapshot=first.routes))
    again = {key: app.deployment()[key] for key in ("apiVersion", "kind", "spec")}
    cluster.delete(DEPLOYMENTS, "default", "app")
    cluster.delete(CONFIGMAPS, "default", "canary-run-app-1")  # the garbage collector's work
    cluster.create(DEPLOYMENTS, again | {"metadata": {"name": "app", "namespace": "default"}})
    of_the_new_one = {"uid": app.deployment()["metadata"]["uid"], "routes": ()}
    records.create(cluster, first.run.model_copy(update=of_the_new_one), ())
    assert [traces.run for traces in sweep(cluster, "", lambda _: None)] == ["app-1"]
    assert app.route()["spec"] == before


def test_the_traces_of_active_runs_cost_no_look_at_each(cluster, app, tmp_path):
    app.annotate(image="app:v2")
    record = take_in(cluster, app.deployment(), None, Offers(profiles=PROFILES), 1000.0)
    act(cluster, SetTraffic(traffic=Traffic(weight=10)), Subject(run=record.run, snapshot=record.routes))
    marked, asked = app.route(), Counter()
    counted = Cluster.connect(tmp_path / "kubeconfig", lambda verb, _: asked.update([verb]))
    assert sweep(counted, "", lambda _: None) == ()
    assert app.route() == marked
    assert set(asked) == {"list"}


def test_a_sweep_that_fails_ends_nothing_else():
    class Down(Cluster):
        def list(self, *_, **__):
            raise ClusterError("no answer")

    sweep_if_possible(Down(None), "", lambda _: None)


def managers(document):
    return {entry["manager"] for entry in document["metadata"].get("managedFields", [])}

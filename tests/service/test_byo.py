"""The annotation `baseline` on a canary that the user made, taken in over the API emulator."""

from copy import deepcopy
from dataclasses import replace

import pytest

from canary_analyzer.cluster import records
from canary_analyzer.cluster.client import DEPLOYMENTS, EVENTS, SERVICES, VIRTUAL_SERVICES
from canary_analyzer.rollout import annotations
from canary_analyzer.rollout.phases import Phase
from canary_analyzer.rollout.plan import Offers
from canary_analyzer.rollout.policy import PROFILES
from canary_analyzer.service.byo import NotYet
from canary_analyzer.service.intake import TurnedDown, take_in

NEXT = {"app": "next"}


@pytest.fixture
def canary(cluster, app):
    """A canary beside the app, annotated, with a Service but no route to it yet."""
    metadata = {"name": "next", "namespace": "default"}
    ports = {"selector": NEXT, "ports": [{"name": "http", "port": 80}]}
    cluster.create(SERVICES, {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": ports})
    spec = deepcopy(app.deployment()["spec"]) | {"selector": {"matchLabels": NEXT}}
    spec["template"]["metadata"]["labels"] = NEXT
    spec["template"]["spec"]["containers"][0]["image"] = "app:v2"
    annotated = metadata | {"annotations": {annotations.BASELINE: "app"}}
    cluster.create(DEPLOYMENTS, {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": annotated, "spec": spec})
    return lambda: cluster.get(DEPLOYMENTS, "default", "next")


@pytest.fixture
def take(cluster, canary):
    def taken(now=1000.0):
        counts = dict.fromkeys(("replicas", "updatedReplicas", "availableReplicas"), 2)
        status = {"observedGeneration": canary()["metadata"]["generation"], **counts}
        cluster.merge(DEPLOYMENTS, "default", "next/status", {"status": status})  # as a workload controller would
        return take_in(cluster, canary(), None, Offers(profiles=PROFILES), now)

    return taken


@pytest.fixture
def route_to_both(app):
    def edit():
        both = [{"destination": {"host": "app"}, "weight": 100}, {"destination": {"host": "next"}, "weight": 0}]
        app.edit(VIRTUAL_SERVICES, {"spec": {"http": [{"route": both}]}})

    return edit


def test_a_refusal_is_told_once_leaves_the_annotation_and_is_looked_at_again(cluster, canary, take, route_to_both):
    for now in (1000.0, 1015.0, 1030.0):
        with pytest.raises(NotYet) as raised:
            take(now)
        assert raised.value.news is (now == 1000.0)
    status = annotations.status_of(canary())
    assert status["phase"] == Phase.REFUSED
    assert "Add a destination for next with weight 0" in status["reason"]
    assert len(cluster.list(EVENTS, "default").items) == 1
    assert annotations.of(canary())[annotations.BASELINE] == "app"
    route_to_both()
    assert take(1045.0).run.stable == "app"


def test_a_template_that_was_judged_is_not_judged_again(cluster, take, route_to_both):
    route_to_both()
    record = take()
    ended = record.run.model_copy(update={"phase": Phase.ABORTED})
    records.save(cluster, replace(record, run=ended))
    assert take() is None


def test_a_stable_that_a_brought_canary_is_compared_with_starts_no_run_of_its_own(cluster, app, take, route_to_both):
    route_to_both()
    run = take().run
    app.annotate(image="app:v3")
    with pytest.raises(TurnedDown):
        take_in(cluster, app.deployment(), None, Offers(profiles=PROFILES), 1000.0)
    assert f"run {run.name} compares with app just now" in annotations.status_of(app.deployment())["reason"]

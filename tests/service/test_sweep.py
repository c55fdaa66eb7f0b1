"""What a run leaves when it is cut off between two last writes and its record is lost, over the API emulator."""

import json
import re
from collections import Counter
from contextlib import suppress

import pytest

from canary_analyzer.cluster import autoscaling, records
from canary_analyzer.cluster.act import Subject, act
from canary_analyzer.cluster.client import (
    AUTOSCALERS,
    CONFIGMAPS,
    DEPLOYMENTS,
    DESTINATION_RULES,
    SERVICES,
    VIRTUAL_SERVICES,
    Cluster,
)
from canary_analyzer.cluster.errors import ClusterError
from canary_analyzer.cluster.sweep import sweep, sweep_if_possible
from canary_analyzer.rollout.actions import CreateCanary, DeleteCanary, DeleteCanaryServices, RollStable, SetTraffic
from canary_analyzer.rollout.evidence import fresh
from canary_analyzer.rollout.plan import Offers
from canary_analyzer.rollout.policy import PROFILES
from canary_analyzer.rollout.rolling_spec import MARK
from canary_analyzer.rollout.traces import Traces
from canary_analyzer.routing import Target, Traffic
from canary_analyzer.sandbox.faults import NO_PAGE, Refuse, Rule, faulty
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

DESTINATION_RULE = {
    "apiVersion": "networking.istio.io/v1",
    "kind": "DestinationRule",
    "metadata": {"name": "app", "namespace": "default"},
    "spec": {"host": "app", "trafficPolicy": {"connectionPool": {"http": {"maxRetries": 7}}}},
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


def test_a_rolling_update_that_no_run_will_let_go_on_is_let_go_on(cluster, app):
    before = cluster.get(DEPLOYMENTS, "default", "app")
    app.annotate(image="app:v2", strategy="rolling")
    run = take_in(cluster, app.deployment(), None, Offers(profiles=PROFILES), 1000.0).run
    act(cluster, RollStable(paced=True, paused=True), Subject(run=run, snapshot=()))
    sweep(cluster, "", lambda _: None)
    assert cluster.get(DEPLOYMENTS, "default", "app")["spec"]["paused"] is True  # its run is active
    cluster.delete(CONFIGMAPS, "default", f"canary-run-{run.name}")
    sweep(cluster, "", lambda _: None)
    live = cluster.get(DEPLOYMENTS, "default", "app")
    assert live["spec"] == before["spec"]
    assert MARK not in live["metadata"]["annotations"]


def test_a_floor_that_cannot_be_released_keeps_no_other_held(cluster, app):
    for name, mark in {"app": '{"set": 2}', "other": '{"was": "many", "set": 2}'}.items():
        target = AUTOSCALER["spec"]["scaleTargetRef"] | {"name": name}
        metadata = {"name": name, "namespace": "default", "annotations": {"canary-analyzer.io/floor": mark}}
        spec = AUTOSCALER["spec"] | {"minReplicas": 2, "scaleTargetRef": target}
        cluster.create(AUTOSCALERS, AUTOSCALER | {"metadata": metadata, "spec": spec})
    cluster.patch(VIRTUAL_SERVICES, "default", "app", [{"op": "add", "path": "/spec/hosts/1", "value": "shop"}])
    sweep(cluster, "", lambda _: None)
    assert "annotations" not in cluster.get(AUTOSCALERS, "default", "app")["metadata"]
    assert "annotations" in cluster.get(AUTOSCALERS, "default", "other")["metadata"]
    assert "canary-analyzer" not in managers(app.route())


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


def other_route(cluster, traces, spec=None):
    """Make a route that bears the mark of a run that has no record, with these traces."""
    mark = json.dumps({"traces": traces.model_dump(mode="json"), "spec": spec or {}})
    annotations = {f"run.canary-analyzer.io/{traces.namespace}.{traces.deployment}": mark}
    metadata = {"name": "theirs", "namespace": "default", "annotations": annotations}
    kind = {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService"}
    http = [{"route": [{"destination": {"host": "theirs"}}]}]
    return cluster.create(VIRTUAL_SERVICES, kind | {"metadata": metadata, "spec": {"hosts": ["theirs"], "http": http}})


FORGED = {
    "of another run of a Deployment that has an active one": {"run": "app-9"},
    "with Services of another namespace": {
        "run": "app-9",
        "uid": "gone",
        "target": Target(namespace="payments", stable="pay", canary="evil"),
    },
}


@pytest.mark.parametrize("forgery", FORGED.values(), ids=FORGED)
def test_a_forged_mark_takes_nothing_away_from_an_active_run(cluster, app, forgery):
    app.annotate(image="app:v2")
    run = take_in(cluster, app.deployment(), None, Offers(profiles=PROFILES), 1000.0).run
    act(cluster, CreateCanary(replicas=1), Subject(run=run, snapshot=()))
    marked = other_route(cluster, Traces.of(run).model_copy(update=forgery))
    assert sweep(cluster, "", lambda _: None) == ()
    assert cluster.find(DEPLOYMENTS, "default", "app-canary") is not None
    assert (
        cluster.get(VIRTUAL_SERVICES, "default", "theirs")["metadata"]["annotations"]
        == marked["metadata"]["annotations"]
    )


def test_a_forged_mark_takes_no_deployment_away_that_an_operator_made(cluster, app, make):
    owner = {"apiVersion": "db.example/v1", "kind": "Database", "name": "db", "uid": "d-1"}
    theirs = {key: app.deployment()[key] for key in ("apiVersion", "kind", "spec")}
    cluster.create(
        DEPLOYMENTS, theirs | {"metadata": {"name": "db", "namespace": "default", "ownerReferences": [owner]}}
    )
    run = make.run(name="theirs-1", deployment="theirs", uid="d-1", canary="db", canary_service="db")
    other_route(cluster, Traces.of(run))
    assert [traces.run for traces in sweep(cluster, "", lambda _: None)] == ["theirs-1"]
    assert cluster.find(DEPLOYMENTS, "default", "db") is not None


FORBIDDEN = Rule(action=Refuse(status=403, reason="Forbidden"), methods=("PATCH",), path="/virtualservices/theirs")
IMPOSSIBLE = {
    "its mark makes no sense": ({"http": [{"route": [{"destination": {"host": "theirs"}, "weight": "abc"}]}]}, []),
    "it is not ours to write": ({}, [FORBIDDEN]),
}


@pytest.mark.parametrize(("spec", "rules"), IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_a_route_that_cannot_be_given_back_is_told_and_all_else_is_swept(
    cluster, app, held, make, tmp_path, spec, rules
):
    target = Target(namespace="default", stable="theirs", canary="theirs-canary")
    run = make.run(name="theirs-1", deployment="theirs", uid="gone", target=target)
    marked = other_route(cluster, Traces.of(run), spec)
    kubeconfig = (tmp_path / "kubeconfig").read_text()
    server = re.search(r"http://127.0.0.1:\d+", kubeconfig)[0]
    with faulty(server, rules) as proxy:
        (tmp_path / "proxied").write_text(kubeconfig.replace(server, proxy.url))
        with pytest.raises(ClusterError, match="VirtualService default/theirs cannot be given back"):
            sweep(Cluster.connect(tmp_path / "proxied"), "", lambda _: None)
    assert cluster.get(VIRTUAL_SERVICES, "default", "theirs")["metadata"] == marked["metadata"]
    assert cluster.get(AUTOSCALERS, "default", "app")["spec"] == held["spec"]


def test_the_traces_of_active_runs_cost_no_look_at_each(cluster, app, tmp_path):
    app.annotate(image="app:v2")
    record = take_in(cluster, app.deployment(), None, Offers(profiles=PROFILES), 1000.0)
    act(cluster, SetTraffic(traffic=Traffic(weight=10)), Subject(run=record.run, snapshot=record.routes))
    marked, asked = app.route(), Counter()
    counted = Cluster.connect(tmp_path / "kubeconfig", lambda verb, _: asked.update([verb]))
    assert sweep(counted, "", lambda _: None) == ()
    assert app.route() == marked
    assert set(asked) == {"list"}


class Cut(Exception):
    """The process has ended."""


@pytest.mark.parametrize("allowed", range(4))
@pytest.mark.parametrize("action", [DeleteCanary(), DeleteCanaryServices()], ids=lambda action: type(action).__name__)
def test_what_a_run_made_is_found_wherever_its_deletion_was_cut_off(cluster, app, action, allowed):
    app.annotate(image="app:v2")
    run = take_in(cluster, app.deployment(), None, Offers(profiles=PROFILES), 1000.0).run
    act(cluster, CreateCanary(replicas=1), Subject(run=run, snapshot=()))
    left = iter(range(allowed))

    def before_each_write():
        if next(left, None) is None:
            raise Cut

    with suppress(Cut):
        act(cluster.fenced(before_each_write), action, Subject(run=run, snapshot=()))
    cluster.delete(CONFIGMAPS, "default", "canary-run-app-1")
    sweep(cluster, "", lambda _: None)
    assert cluster.find(DEPLOYMENTS, "default", "app-canary") is None
    assert cluster.find(SERVICES, "default", "app-canary") is None


def test_proxies_have_time_to_leave_what_a_sweep_that_was_cut_off_had_taken_off_the_route(cluster, app):
    app.annotate(image="app:v2")
    record = take_in(cluster, app.deployment(), None, Offers(profiles=PROFILES), 1000.0)
    subject = Subject(run=record.run, snapshot=record.routes)
    act(cluster, CreateCanary(replicas=1), subject)
    act(cluster, SetTraffic(traffic=Traffic(weight=50)), subject)
    cluster.delete(CONFIGMAPS, "default", "canary-run-app-1")

    def killed(_):
        raise Cut

    with suppress(Cut):
        sweep(cluster, "", killed)
    waited = []
    sweep(cluster, "", lambda _: waited.append(cluster.find(DEPLOYMENTS, "default", "app-canary")))
    assert [each is not None for each in waited] == [True]
    assert cluster.find(DEPLOYMENTS, "default", "app-canary") is None


def left_in_the_route(cluster, app):
    """A canary that the route leads to, of a run whose record is lost; returns the list of routes before that."""
    app.annotate(image="app:v2")
    record = take_in(cluster, app.deployment(), None, Offers(profiles=PROFILES), 1000.0)
    subject = Subject(run=record.run, snapshot=record.routes)
    act(cluster, CreateCanary(replicas=1), subject)
    before = cluster.list(VIRTUAL_SERVICES)
    act(cluster, SetTraffic(traffic=Traffic(weight=50)), subject)
    cluster.delete(CONFIGMAPS, "default", "canary-run-app-1")
    return before


def test_an_old_list_of_routes_takes_no_canary_from_under_its_route(cluster, app, tmp_path):
    old = left_in_the_route(cluster, app)

    class Stale(Cluster):
        def list(self, kind, *given, **named):
            return old if kind == VIRTUAL_SERVICES else super().list(kind, *given, **named)

    with pytest.raises(ClusterError, match="were read as they were some time ago"):
        sweep(Stale.connect(tmp_path / "kubeconfig"), "", lambda _: None)
    left = cluster.get(DEPLOYMENTS, "default", "app-canary")["metadata"]["finalizers"]
    assert left == ["canary-analyzer.io/drain"]
    sweep(cluster, "", lambda _: None)
    assert cluster.find(DEPLOYMENTS, "default", "app-canary") is None
    assert app.route()["spec"]["http"] == [{"route": [{"destination": {"host": "app"}}]}]


def test_a_server_that_knows_no_routes_just_then_takes_no_canary_from_under_its_route(cluster, proxy, app):
    left_in_the_route(cluster, app)
    proxy.play(Rule(action=NO_PAGE, methods=("GET",), path="/(virtualservices|httproutes)"))
    with pytest.raises(ClusterError, match="knows no kind of route"):
        sweep(proxy.client, "", lambda _: None)
    assert cluster.find(SERVICES, "default", "app-canary") is not None
    sweep(cluster, "", lambda _: None)
    assert cluster.find(SERVICES, "default", "app-canary") is None
    assert app.route()["spec"]["http"] == [{"route": [{"destination": {"host": "app"}}]}]


def test_a_canary_whose_route_cannot_be_given_back_goes_on_serving(cluster, app):
    left_in_the_route(cluster, app)
    key = "run.canary-analyzer.io/default.app"
    cluster.merge(VIRTUAL_SERVICES, "default", "app", {"metadata": {"annotations": {key: "garbled"}}})
    sweep(cluster, "", lambda _: None)
    for kind in (DEPLOYMENTS, SERVICES):
        assert "finalizers" in cluster.get(kind, "default", "app-canary")["metadata"]


def orphaned(cluster, app):
    """A canary in the route whose Deployment went by `kubectl delete --cascade=orphan`."""
    app.annotate(image="app:v2")
    cluster.create(DESTINATION_RULES, DESTINATION_RULE)
    record = take_in(cluster, app.deployment(), None, Offers(profiles=PROFILES), 1000.0)
    subject = Subject(run=record.run, snapshot=record.routes)
    act(cluster, CreateCanary(replicas=1), subject)
    act(cluster, SetTraffic(traffic=Traffic(weight=50)), subject)
    made = [(kind, "app-canary") for kind in (DEPLOYMENTS, SERVICES, DESTINATION_RULES)]
    for kind, name in [(CONFIGMAPS, "canary-run-app-1"), *made]:
        cluster.merge(kind, "default", name, {"metadata": {"ownerReferences": None}})
    cluster.delete(DEPLOYMENTS, "default", "app")
    return made


def test_what_a_run_made_of_which_nobody_is_the_owner_any_more_is_taken_away_after_its_route(cluster, app):
    before = app.route()["spec"]
    made = orphaned(cluster, app)
    assert [traces.run for traces in sweep(cluster, "", lambda _: None)] == ["app-1"]
    assert app.route()["spec"] == before
    assert [cluster.find(kind, "default", name) for kind, name in made] == [None] * 3


def test_what_a_run_made_of_which_nobody_is_the_owner_any_more_serves_while_a_route_leads_there(cluster, app):
    made = orphaned(cluster, app)
    key = "run.canary-analyzer.io/default.app"
    cluster.merge(VIRTUAL_SERVICES, "default", "app", {"metadata": {"annotations": {key: "garbled"}}})
    sweep(cluster, "", lambda _: None)
    assert None not in [cluster.find(kind, "default", name) for kind, name in made]


def test_a_sweep_that_fails_ends_nothing_else():
    class Down(Cluster):
        def list(self, *_, **__):
            raise ClusterError("no answer")

    sweep_if_possible(Down(None), "", lambda _: None)


def managers(document):
    return {entry["manager"] for entry in document["metadata"].get("managedFields", [])}

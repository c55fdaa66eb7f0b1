"""`abort --all` on the API emulator, with no service and no Prometheus to be reached."""

import time

import pytest

from canary_analyzer.cluster import records, sweep
from canary_analyzer.cluster.client import CONFIGMAPS, DEPLOYMENTS, SERVICES, VIRTUAL_SERVICES
from canary_analyzer.metrics import PrometheusReader, SampleReader
from canary_analyzer.rollout import annotations
from canary_analyzer.rollout.decide import begin
from canary_analyzer.rollout.evidence import fresh
from canary_analyzer.rollout.plan import Offers
from canary_analyzer.rollout.policy import PROFILES
from canary_analyzer.sandbox.faults import Refuse, Rule
from canary_analyzer.service import abort
from canary_analyzer.service.intake import take_in
from canary_analyzer.service.reconcile import Active, Ports, reconcile
from canary_analyzer.service.settings import ServiceSettings

SETTINGS = ServiceSettings.model_validate({"prometheus": {"url": "http://127.0.0.1:9", "timeout_seconds": 1}})


@pytest.fixture
def routed(cluster, app):
    """A run whose canary is in the route, left by a service that is gone; the route as the user had it."""
    before = app.route()["spec"]
    app.annotate(image="app:v2", config="{settle_seconds: 0.01, tick_seconds: 1}")
    now = [time.time()]
    ports = Ports(
        cluster=cluster,
        reader=SampleReader(PrometheusReader("http://127.0.0.1:9", timeout_seconds=1)),
        clock=lambda: now[0],
    )
    record = take_in(cluster, app.deployment(), None, Offers(profiles=PROFILES), now[0])
    active = reconcile(ports, Active(record=record, progress=fresh(record.run)))
    canary = cluster.get(DEPLOYMENTS, "default", "app-canary")
    counts = dict.fromkeys(("replicas", "updatedReplicas", "availableReplicas"), canary["spec"]["replicas"])
    status = {"observedGeneration": canary["metadata"]["generation"], **counts}
    cluster.merge(DEPLOYMENTS, "default", "app-canary/status", {"status": status})
    for _ in range(2):
        now[0] += 1
        active = reconcile(ports, active)
    assert "app-canary" in str(app.route()["spec"])
    return before


def nothing_is_left(cluster, app, before):
    assert app.route()["spec"] == before
    assert "annotations" not in app.route()["metadata"]
    for kind in (DEPLOYMENTS, SERVICES):
        assert cluster.find(kind, "default", "app-canary") is None


def test_every_run_is_ended_and_leaves_nothing(cluster, app, routed, monkeypatch):
    monkeypatch.setattr(abort, "POLL_SECONDS", 0.02)
    told = []
    assert abort.abort_all(SETTINGS, cluster, told.append) == []
    nothing_is_left(cluster, app, routed)
    assert told == ["default/app-1: Aborted; a user asked for it with the annotation abort"]
    found = annotations.of(app.deployment())
    assert not {annotations.IMAGE, annotations.ABORT} & found.keys()
    assert records.active(cluster, "") == ()


REFUSALS = {
    "its Deployment may not be annotated": ("PATCH", "/deployments/other$"),
    "its record cannot be written": ("PATCH", "/canary-run-other-1$"),
}


@pytest.mark.parametrize(("method", "path"), REFUSALS.values(), ids=REFUSALS)
def test_a_run_that_cannot_be_ended_keeps_no_other(cluster, proxy, app, routed, monkeypatch, make, method, path):
    monkeypatch.setattr(abort, "POLL_SECONDS", 0.02)
    monkeypatch.setattr(abort, "PATIENCE_SECONDS", 3.0)
    metadata = {"name": "other", "namespace": "default"}
    other = {key: app.deployment()[key] for key in ("apiVersion", "kind", "spec")} | {"metadata": metadata}
    uid = cluster.create(DEPLOYMENTS, other)["metadata"]["uid"]
    records.create(cluster, begin(make.run(name="other-1", deployment="other", uid=uid, routes=()), time.time()), [])
    proxy.play(Rule(action=Refuse(status=403, reason="Forbidden"), methods=(method,), path=path))
    told = []
    assert abort.abort_all(SETTINGS, proxy.client, told.append) == ["default/other-1"]
    assert told == ["default/app-1: Aborted; a user asked for it with the annotation abort"]
    nothing_is_left(cluster, app, routed)


def test_a_run_whose_deployment_and_record_are_gone_is_ended_too(cluster, app, routed, monkeypatch):
    monkeypatch.setattr(sweep, "SETTLE_SECONDS", 0.0)
    cluster.delete(DEPLOYMENTS, "default", "app")
    cluster.delete(CONFIGMAPS, "default", "canary-run-app-1")
    told = []
    assert abort.abort_all(SETTINGS, cluster, told.append) == []
    nothing_is_left(cluster, app, routed)
    assert told == ["default/app-1: it had no record; its routes are as they were"]


def test_siblings_that_are_in_no_route_go_too_when_their_deployment_and_record_are_gone(cluster, app, routed):
    app.edit(VIRTUAL_SERVICES, {"metadata": {"annotations": None}, "spec": routed})
    cluster.delete(DEPLOYMENTS, "default", "app")
    cluster.delete(DEPLOYMENTS, "default", "app-canary")
    assert cluster.find(DEPLOYMENTS, "default", "app-canary") is not None  # its pods would go on serving
    sweep.sweep(cluster, "", lambda _: None)
    assert cluster.find(DEPLOYMENTS, "default", "app-canary") is not None  # the run of its record will end it
    cluster.delete(CONFIGMAPS, "default", "canary-run-app-1")
    sweep.sweep(cluster, "", lambda _: None)
    nothing_is_left(cluster, app, routed)

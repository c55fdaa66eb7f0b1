"""Passes over the API emulator with no Prometheus to be reached: what is written, in which order, and what is not."""

from copy import deepcopy
from dataclasses import replace

import pytest

from canary_analyzer.cluster import autoscaling, records
from canary_analyzer.cluster.client import (
    AUTOSCALERS,
    CONFIGMAPS,
    DEPLOYMENTS,
    DESTINATION_RULES,
    EVENTS,
    SERVICES,
    VIRTUAL_SERVICES,
    Cluster,
)
from canary_analyzer.cluster.errors import ClusterError
from canary_analyzer.cluster.sweep import sweep
from canary_analyzer.metrics import PrometheusReader, SampleReader
from canary_analyzer.rollout import annotations
from canary_analyzer.rollout.evidence import fresh
from canary_analyzer.rollout.phases import Phase
from canary_analyzer.rollout.plan import Offers
from canary_analyzer.rollout.policy import PROFILES
from canary_analyzer.rollout.story import Finding
from canary_analyzer.sandbox.api import defaults
from canary_analyzer.sandbox.faults import NO_PAGE, Refuse, Rule
from canary_analyzer.service.intake import take_in
from canary_analyzer.service.reconcile import Active, Ports, reconcile


class Passes:
    """One run and a clock that a test moves."""

    def __init__(self, cluster, app):
        app.annotate(image="app:v2", config="{settle_seconds: 1, tick_seconds: 1}")
        self.now = 1000.0
        reader = SampleReader(PrometheusReader("http://127.0.0.1:9", timeout_seconds=1))
        self.ports = Ports(cluster=cluster, reader=reader, clock=lambda: self.now, pause=lambda _: None)
        record = take_in(cluster, app.deployment(), None, Offers(profiles=PROFILES), self.now)
        self.active = Active(record=record, progress=fresh(record.run))

    def go(self, seconds=1.0):
        self.now += seconds
        self.active = reconcile(self.ports, self.active)
        return self.active.run if self.active else None

    def go_to_the_end_without_its_deployment(self):
        """Give the route back, let proxies follow, and tidy up; nothing but the clock is waited for."""
        assert self.go() is not None
        assert self.go(5.0) is not None
        assert self.go(5.0) is None

    def restart(self):
        """Forget all that is not in the cluster."""
        record = records.active(self.ports.cluster, "default")[0]
        self.active = Active(record=record, progress=fresh(record.run))


@pytest.fixture
def passes(cluster, app):
    return Passes(cluster, app)


def available(cluster):
    """Report what a workload controller would of the canary."""
    canary = cluster.get(DEPLOYMENTS, "default", "app-canary")
    counts = dict.fromkeys(("replicas", "updatedReplicas", "availableReplicas"), canary["spec"]["replicas"])
    status = {"observedGeneration": canary["metadata"]["generation"], **counts}
    cluster.merge(DEPLOYMENTS, "default", "app-canary/status", {"status": status})


def test_the_route_is_touched_only_after_the_canary_is_available(passes, cluster, app):
    route = app.route()
    for _ in range(3):
        passes.go()
    assert cluster.get(SERVICES, "default", "app-canary")
    assert app.route() == route
    available(cluster)
    passes.go()
    passes.go()
    weights = {each["destination"]["host"]: each["weight"] for each in app.route()["spec"]["http"][0]["route"]}
    assert weights == {"app": 100, "app-canary": 0}


def test_a_canary_has_a_pod_though_stable_has_none_just_then(passes, cluster, app):
    """Else its weight leads to nobody when stable has been scaled up again."""
    app.edit(DEPLOYMENTS, {"spec": {"replicas": 0}})
    app.roll_out(replicas=0, updatedReplicas=0, availableReplicas=0, readyReplicas=0)
    passes.go()
    assert cluster.get(DEPLOYMENTS, "default", "app-canary")["spec"]["replicas"] == 1


def test_a_run_whose_policy_nobody_could_ask_for_now_goes_on_after_an_upgrade(passes, cluster):
    passes.go()
    run = passes.active.run
    before = run.policy.model_copy(update={"tick_seconds": 86400.0})
    old = replace(passes.active.record, run=run.model_copy(update={"policy": before}))
    records.save(cluster, old)
    passes.restart()
    assert passes.active.run.policy == before
    assert passes.go().name == run.name


def test_what_fails_is_not_recorded_as_done_and_is_tried_again(passes, cluster):
    passes.go()
    cluster.delete(SERVICES, "default", "app-canary")
    assert passes.go().stage == "create canary"
    assert cluster.get(SERVICES, "default", "app-canary")


def test_the_status_tells_the_phase_and_the_events_tell_the_story(passes, cluster, app):
    passes.go()
    assert annotations.status_of(app.deployment())["phase"] == Phase.STARTING
    available(cluster)
    for _ in range(12):
        passes.go()
    status = annotations.status_of(app.deployment())
    assert status["phase"] == Phase.HOLDING
    assert "Prometheus at http://127.0.0.1:9 cannot be reached" in status["reason"]
    told = [event["message"] for event in cluster.list(EVENTS, "default").items]
    assert any("the canary is in the route" in message for message in told)


def test_where_events_are_refused_the_status_tells_the_phase_all_the_same(proxy, cluster, app):
    passes = Passes(proxy.client, app)
    proxy.play(Rule(action=Refuse(status=403, reason="Forbidden"), methods=("POST",), path="/events"))
    passes.go()
    assert annotations.status_of(app.deployment())["phase"] == Phase.STARTING
    app.annotate(image=None)
    while not passes.go().ended:
        pass
    assert annotations.status_of(app.deployment())["phase"] == Phase.ABORTED


def test_where_admission_drops_the_status_a_run_ends_once_its_trigger_is_taken_away(passes, app, monkeypatch):
    def without_status(resource, document, *around, real=defaults.complete):
        completed = deepcopy(real(resource, document, *around))
        (completed["metadata"].get("annotations") or {}).pop(annotations.STATUS, None)
        return completed

    monkeypatch.setattr(defaults, "complete", without_status)
    app.annotate(abort="app-1")
    for _ in range(2000):
        if passes.go().ended:
            break
    assert passes.active.run.phase is Phase.ABORTED
    assert annotations.IMAGE not in annotations.of(app.deployment())


def test_the_story_is_told_on_after_the_clock_was_set_back(passes, cluster, app):
    passes.go()
    passes.now -= 3600
    app.annotate(abort="app-1")
    run = passes.go()
    told = " ".join(event["message"] for event in cluster.list(EVENTS, "default").items)
    assert run.phase is Phase.ABORTING
    assert all(moment.text in told for moment in run.timeline)


def test_a_route_that_cannot_be_given_back_is_seen_with_its_weight_by_whoever_goes_on(proxy, cluster, app):
    """The alert on it goes by the phase and the weight."""
    passes = Passes(proxy.client, app)
    passes.go()
    available(cluster)
    passes.go()
    passes.go()
    shifted = app.route()["spec"]
    for each, weight in zip(shifted["http"][0]["route"], (90, 10), strict=True):
        each["weight"] = weight
    app.edit(VIRTUAL_SERVICES, {"spec": shifted})
    proxy.play(Rule(action=Refuse(status=403, reason="Forbidden"), methods=("PATCH",), path="/virtualservices/"))
    app.annotate(abort="app-1")
    for do in (passes.go, passes.go, passes.restart, passes.go):
        do()
    assert passes.active.run.phase is Phase.ABORTING
    assert passes.active.view.weight == 10


def test_an_abort_without_metrics_gives_the_route_back_byte_for_byte_and_leaves_nothing(passes, cluster, app):
    before = app.route()["spec"]
    passes.go()
    available(cluster)
    passes.go()
    passes.go()
    app.annotate(image=None)
    for _ in range(40):
        passes.restart()
        if passes.go().ended:
            break
    assert passes.active.run.phase is Phase.ABORTED
    assert list(app.route()["spec"].items()) == list(before.items())
    for kind in (DEPLOYMENTS, SERVICES):
        assert cluster.find(kind, "default", "app-canary") is None
    assert annotations.status_of(app.deployment())["reason"] == "the annotation image was removed"
    assert records.active(cluster, "default") == ()


def test_a_defect_in_reading_metrics_holds_a_run_which_still_obeys_its_user(passes, cluster, app):
    def broken(*_):
        raise RuntimeError("a defect")

    defects = []
    reader = SampleReader(PrometheusReader("http://127.0.0.1:9", on_query=broken))
    passes.ports = replace(passes.ports, reader=reader, on_defect=lambda: defects.append(passes.now))
    passes.go()
    available(cluster)
    for _ in range(12):
        passes.go()
    status = annotations.status_of(app.deployment())
    assert status["phase"] == Phase.HOLDING
    assert "by a defect of canary-analyzer" in status["reason"]
    assert len(defects) > 1
    app.annotate(image=None)
    while not passes.go().ended:
        pass
    assert passes.active.run.phase is Phase.ABORTED


def test_edits_of_others_in_mid_run_survive_it(passes, cluster, app):
    passes.go()
    available(cluster)
    passes.go()
    passes.go()
    app.edit(VIRTUAL_SERVICES, {"spec": {"hosts": ["app", "app.example"]}, "metadata": {"labels": {"team": "x"}}})
    app.annotate(image=None)
    while not passes.go().ended:
        pass
    live = app.route()
    assert live["spec"] == {"hosts": ["app", "app.example"], "http": [{"route": [{"destination": {"host": "app"}}]}]}
    assert live["metadata"]["labels"] == {"team": "x"}


def test_a_run_whose_deployment_is_deleted_gives_the_route_back(passes, cluster, app):
    before = app.route()["spec"]
    passes.go()
    available(cluster)
    passes.go()
    passes.go()
    cluster.delete(DEPLOYMENTS, "default", "app")
    passes.go_to_the_end_without_its_deployment()
    assert app.route()["spec"] == before


def test_a_run_whose_deployment_is_deleted_gives_the_route_back_though_its_autoscaler_cannot_be(proxy, cluster, app):
    cluster.create(AUTOSCALERS, AUTOSCALER)
    passes, before = Passes(proxy.client, app), app.route()["spec"]
    passes.go()
    available(cluster)
    passes.go()
    passes.go()
    autoscaling.hold(cluster, "default", "app", 2)
    proxy.play(
        Rule(action=Refuse(status=403, reason="Forbidden"), methods=("PATCH",), path="/horizontalpodautoscalers")
    )
    cluster.delete(DEPLOYMENTS, "default", "app")
    passes.go_to_the_end_without_its_deployment()
    assert app.route()["spec"] == before
    assert cluster.find(SERVICES, "default", "app-canary") is None


def test_a_route_that_cannot_be_written_keeps_no_other_from_going_back(proxy, cluster, app):
    other = {key: value for key, value in app.route().items() if key != "metadata"}
    other["spec"] = other["spec"] | {"hosts": ["shop"]}
    cluster.create(VIRTUAL_SERVICES, other | {"metadata": {"name": "shop", "namespace": "default"}})
    passes = Passes(proxy.client, app)
    assert len(passes.active.run.routes) == 2
    passes.go()
    available(cluster)
    passes.go()
    passes.go()
    first, second = (route.name for route in passes.active.run.routes)
    proxy.play(
        Rule(action=Refuse(status=403, reason="Forbidden"), methods=("PATCH",), path=f"/virtualservices/{first}")
    )
    for name in (first, second):
        weighted = cluster.get(VIRTUAL_SERVICES, "default", name)["spec"]
        for each in weighted["http"][0]["route"]:
            each["weight"] = 50
        cluster.merge(VIRTUAL_SERVICES, "default", name, {"spec": weighted})
    app.annotate(image=None)
    for _ in range(3):
        passes.go()
    route = cluster.get(VIRTUAL_SERVICES, "default", second)["spec"]["http"][0]["route"]
    assert [each["weight"] for each in route] == [100, 0]


def copied(passes, cluster, app):
    """A route that somebody makes of the app's once the canary is in it, for another host; returns its name."""
    passes.go()
    available(cluster)
    passes.go()
    passes.go()
    copy = {key: value for key, value in app.route().items() if key != "metadata"}
    copy["spec"] = copy["spec"] | {"hosts": ["shop"]}
    cluster.create(VIRTUAL_SERVICES, copy | {"metadata": {"name": "shop", "namespace": "default"}})
    return VIRTUAL_SERVICES, "default", "shop"


def test_a_canary_serves_as_long_as_a_copy_of_the_route_that_somebody_made_leads_to_it(passes, cluster, app):
    copy = copied(passes, cluster, app)
    app.annotate(image=None)
    for _ in range(100):
        run = passes.go()
    assert "finalizers" in cluster.get(DEPLOYMENTS, "default", "app-canary")["metadata"]
    assert cluster.find(SERVICES, "default", "app-canary") is not None
    assert "VirtualService default/shop leads to the canary as well" in run.waiting
    cluster.delete(*copy)
    while not passes.go().ended:
        pass
    assert cluster.find(DEPLOYMENTS, "default", "app-canary") is None


def test_a_canary_serves_while_the_api_server_knows_no_kind_of_route(proxy, cluster, app):
    passes = Passes(proxy.client, app)
    passes.go()
    available(cluster)
    passes.go()
    passes.go()
    rule = Rule(action=NO_PAGE, methods=("GET",), path="/(virtualservices|httproutes)$")
    proxy.play(rule)
    app.annotate(image=None)
    for _ in range(100):
        passes.go()
    assert "finalizers" in cluster.get(DEPLOYMENTS, "default", "app-canary")["metadata"]
    proxy.play()
    while not passes.go().ended:
        pass
    assert cluster.find(DEPLOYMENTS, "default", "app-canary") is None


def test_a_canary_whose_stable_is_gone_serves_as_long_as_a_copy_of_the_route_leads_to_it(passes, cluster, app):
    copy = copied(passes, cluster, app)
    cluster.delete(DEPLOYMENTS, "default", "app")
    passes.go_to_the_end_without_its_deployment()
    assert cluster.find(SERVICES, "default", "app-canary") is not None
    cluster.delete(*copy)
    cluster.delete(CONFIGMAPS, "default", "canary-run-app-1")  # the garbage collector's work
    sweep(cluster, "", lambda _: None)
    assert cluster.find(DEPLOYMENTS, "default", "app-canary") is None
    assert cluster.find(SERVICES, "default", "app-canary") is None


def test_a_deployment_that_was_deleted_and_made_again_gets_its_route_back(passes, cluster, app):
    before = app.route()["spec"]
    passes.go()
    available(cluster)
    passes.go()
    passes.go()
    again = {key: app.deployment()[key] for key in ("apiVersion", "kind", "spec")}
    cluster.delete(DEPLOYMENTS, "default", "app")
    cluster.create(DEPLOYMENTS, again | {"metadata": {"name": "app", "namespace": "default"}})
    passes.go_to_the_end_without_its_deployment()
    assert app.route()["spec"] == before


def test_a_record_that_has_become_too_large_goes_on_without_its_story(passes, cluster):
    class Small(Cluster):
        def merge(self, kind, namespace, name, patch):
            if kind == CONFIGMAPS and len(patch["data"]["story.json"]) > 1000:
                raise ClusterError("422 Too long: must have at most 1048576 bytes", 422)
            return super().merge(kind, namespace, name, patch)

    told = Finding(at=1000.0, about="Pod app-canary-1, last log lines", text="x" * 1000)
    story = passes.active.record.story.model_copy(update={"findings": (told,)})
    passes.active = replace(passes.active, record=replace(passes.active.record, story=story))
    passes.ports = replace(passes.ports, cluster=Small(cluster._api))
    passes.go()
    available(cluster)
    assert passes.go().stage == "route canary"
    assert records.load(cluster, "default", "app-1").run == passes.active.run


def test_a_record_that_somebody_deletes_is_made_anew(passes, cluster):
    cluster.delete(CONFIGMAPS, "default", "canary-run-app-1")
    passes.go()
    available(cluster)
    passes.go()
    assert [record.run.name for record in records.active(cluster, "default")] == ["app-1"]


def test_a_run_whose_deployment_went_while_no_service_was_there_is_swept(passes, cluster, app):
    before = app.route()["spec"]
    passes.go()
    available(cluster)
    passes.go()
    passes.go()
    waited = []
    assert sweep(cluster, "", waited.append) == ()
    cluster.delete(DEPLOYMENTS, "default", "app")
    cluster.delete(CONFIGMAPS, "default", "canary-run-app-1")  # the garbage collector's work
    assert [traces.run for traces in sweep(cluster, "", waited.append)] == ["app-1"]
    live = app.route()
    assert live["spec"] == before
    assert list(live["spec"]) == list(before)
    assert "annotations" not in live["metadata"]
    assert "canary-analyzer" not in managers(live)
    assert waited == [10.0]
    assert sweep(cluster, "", waited.append) == ()


def test_what_a_run_without_a_record_made_is_deleted_after_its_route_is_back(passes, cluster, app):
    passes.go()
    available(cluster)
    passes.go()
    passes.go()
    cluster.delete(CONFIGMAPS, "default", "canary-run-app-1")

    def still_there(_):
        assert cluster.find(DEPLOYMENTS, "default", "app-canary") is not None
        assert "app-canary" not in str(app.route()["spec"])

    sweep(cluster, "default", still_there)
    for kind in (DEPLOYMENTS, SERVICES):
        assert cluster.find(kind, "default", "app-canary") is None


def test_a_mark_that_somebody_garbled_is_left_alone(cluster, app):
    garbled = {"run.canary-analyzer.io/default.app": "{"}
    app.edit(VIRTUAL_SERVICES, {"metadata": {"annotations": garbled}})
    assert sweep(cluster, "", lambda _: None) == ()
    assert app.route()["metadata"]["annotations"] == garbled


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


def test_the_autoscaler_cannot_shrink_stable_during_a_run_and_is_the_user_s_again_after_it(passes, cluster, app):
    cluster.create(AUTOSCALERS, AUTOSCALER)
    before = cluster.get(AUTOSCALERS, "default", "app")
    passes.go()
    available(cluster)
    for _ in range(12):
        passes.go()
    autoscaling.hold(cluster, "default", "app", 2)
    assert cluster.get(AUTOSCALERS, "default", "app")["spec"]["minReplicas"] == 2
    app.annotate(image=None)
    while not passes.go().ended:
        pass
    after = cluster.get(AUTOSCALERS, "default", "app")
    assert after["spec"] == before["spec"]
    assert "annotations" not in after["metadata"]
    assert "canary-analyzer" not in managers(after)


def test_what_we_did_not_make_is_neither_used_nor_deleted(passes, cluster, app):
    theirs = {"apiVersion": "networking.istio.io/v1", "kind": "DestinationRule", "spec": {"host": "app-canary"}}
    cluster.create(DESTINATION_RULES, theirs | {"metadata": {"name": "app-canary", "namespace": "default"}})
    app.annotate(image=None)
    while not passes.go().ended:
        pass
    assert cluster.find(DESTINATION_RULES, "default", "app-canary") is not None


def test_after_a_run_no_field_of_the_route_is_ours(passes, cluster, app):
    passes.go()
    available(cluster)
    passes.go()
    passes.go()
    assert "canary-analyzer" in managers(app.route())
    app.annotate(image=None)
    while not passes.go().ended:
        pass
    assert "canary-analyzer" not in managers(app.route())


def managers(document):
    return {entry["manager"] for entry in document["metadata"].get("managedFields", [])}

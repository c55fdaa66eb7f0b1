"""Requests on the API emulator: which start a run, which are refused, and what that writes."""

from contextlib import suppress
from copy import deepcopy
from dataclasses import replace

import pytest

from canary_analyzer.cluster import records
from canary_analyzer.cluster.client import CONFIGMAPS, DEPLOYMENTS, EVENTS, VIRTUAL_SERVICES
from canary_analyzer.cluster.errors import ClusterError, Conflict
from canary_analyzer.rollout import annotations, sibling
from canary_analyzer.rollout.intake import Seen
from canary_analyzer.rollout.phases import Phase
from canary_analyzer.rollout.plan import Offers
from canary_analyzer.rollout.policy import PROFILES
from canary_analyzer.rollout.run import RouteRef
from canary_analyzer.routing import Target
from canary_analyzer.sandbox.api import defaults
from canary_analyzer.sandbox.faults import UNAVAILABLE, Drop, Refuse, Rule
from canary_analyzer.service import intake
from canary_analyzer.service.intake import StillChanging, TurnedDown, seen, take_in


@pytest.fixture
def take(cluster, app):
    """Take in what the app's annotations ask for; `before` is how the service last saw it."""

    def take(before=None):
        return take_in(cluster, app.deployment(), before, Offers(profiles=PROFILES), now=1000.0)

    return take


def warnings(cluster):
    return [event["message"] for event in cluster.list(EVENTS, "default").items if event["type"] == "Warning"]


def test_without_a_trigger_nothing_is_read_or_written(app, take, cluster):
    version = app.deployment()["metadata"]["resourceVersion"]
    assert take() is None
    assert app.deployment()["metadata"]["resourceVersion"] == version
    assert not cluster.list(CONFIGMAPS, "default", records.ACTIVE_LABEL).items


def test_a_trigger_starts_one_run_whose_record_holds_the_route_as_it_was(app, take, cluster):
    app.annotate(image="app:v2", profile="quick")
    record = take()
    assert (record.run.name, record.run.phase) == ("app-1", Phase.STARTING)
    assert record.run.policy == PROFILES["quick"]
    assert record.routes == [app.route()]
    assert records.active(cluster, "default") == (record,)
    owner = cluster.get(CONFIGMAPS, "default", "canary-run-app-1")["metadata"]["ownerReferences"][0]
    assert owner["uid"] == app.deployment()["metadata"]["uid"]


def test_a_number_that_another_replica_has_taken_starts_no_second_run(app, take, cluster):
    app.annotate(image="app:v2")
    record = take()
    with pytest.raises(Conflict):
        records.create(cluster, record.run, record.routes)
    assert len(records.active(cluster, "default")) == 1


def test_where_the_list_of_runs_was_an_old_one_the_request_is_looked_at_again(app, take, cluster, monkeypatch):
    """A name that is taken must not pass for a request that another replica has met: nobody would come back to it."""
    app.annotate(image="app:v2")
    record = take()
    records.save(cluster, replace(record, run=record.run.model_copy(update={"phase": Phase.ABORTED})))
    app.annotate(image="app:v3")
    monkeypatch.setattr(records, "runs_of_deployment", lambda *_: ())
    with pytest.raises(Conflict):
        take()


REFUSED = {
    "the image already runs": ({"image": "app:v1"}, {}, "already runs app:v1"),
    "the annotation does not parse": ({"image": "web=app:v2"}, {}, "no container 'web'"),
    "unknown field": ({"image": "app:v2", "config": "{tick: 1}"}, {}, "tick: there is no such field"),
    "no replicas": ({"image": "app:v2"}, {DEPLOYMENTS: {"spec": {"replicas": 0}}}, "0 replicas"),
    "strategy Recreate": (
        {"image": "app:v2"},
        {DEPLOYMENTS: {"spec": {"strategy": {"type": "Recreate", "rollingUpdate": None}}}},
        "strategy Recreate",
    ),
    "no route": (
        {"image": "app:v2"},
        {VIRTUAL_SERVICES: {"spec": {"http": [{"route": [{"destination": {"host": "elsewhere"}}]}]}}},
        "no entry has the Service",
    ),
    "only tcp": (
        {"image": "app:v2"},
        {VIRTUAL_SERVICES: {"spec": {"http": None, "tcp": [{"route": [{"destination": {"host": "app"}}]}]}}},
        "only a tcp route",
    ),
    "fault": (
        {"image": "app:v2"},
        {
            VIRTUAL_SERVICES: {
                "spec": {
                    "http": [
                        {
                            "fault": {"abort": {"httpStatus": 500, "percentage": {"value": 1}}},
                            "route": [{"destination": {"host": "app"}}],
                        }
                    ]
                }
            }
        },
        "fault",
    ),
}


@pytest.mark.parametrize(("annotated", "edits", "says"), REFUSED.values(), ids=REFUSED)
def test_a_refusal_is_a_warning_event_and_a_status_and_changes_nothing_else(app, take, cluster, annotated, edits, says):
    for kind, patch in edits.items():
        app.edit(kind, patch)
    app.annotate(**annotated)
    route, spec = app.route(), app.deployment()["spec"]
    with pytest.raises(TurnedDown):
        take()
    status = annotations.status_of(app.deployment())
    assert status["phase"] == Phase.REFUSED
    assert says in status["reason"]
    assert any(says in message for message in warnings(cluster))
    assert (app.route(), app.deployment()["spec"]) == (route, spec)
    assert [d["metadata"]["name"] for d in cluster.list(DEPLOYMENTS, "default").items] == ["app"]
    assert annotations.IMAGE not in annotations.of(app.deployment())


def test_where_events_are_refused_a_refusal_is_told_by_the_status(app, proxy):
    proxy.play(Rule(action=Refuse(status=403, reason="Forbidden"), methods=("POST",), path="/events"))
    app.annotate(image="app:v1")
    with pytest.raises(TurnedDown):
        take_in(proxy.client, app.deployment(), None, Offers(profiles=PROFILES), 1000.0)
    assert "already runs app:v1" in annotations.status_of(app.deployment())["reason"]
    assert annotations.IMAGE not in annotations.of(app.deployment())


def test_an_event_steers_no_terminal(app, take, cluster):
    app.annotate(image="app:v2", config='{"\\e]0;pwned\\a": 1, steps: [\u202e')
    with pytest.raises(TurnedDown):
        take()
    assert all(message.isprintable() for message in warnings(cluster)), warnings(cluster)


def test_it_is_refused_while_stable_is_not_rolled_out(app, take):
    app.annotate(image="app:v2")
    app.roll_out(availableReplicas=1)
    with pytest.raises(TurnedDown):
        take()
    assert (
        "not fully rolled out (2 updated, 1 available, 2 wanted)" in annotations.status_of(app.deployment())["reason"]
    )


def test_it_is_refused_where_several_virtual_services_bind_one_mesh_host(app, take, cluster):
    other = {key: value for key, value in app.route().items() if key != "metadata"}
    cluster.create(VIRTUAL_SERVICES, deepcopy(other) | {"metadata": {"name": "app-too", "namespace": "default"}})
    app.annotate(image="app:v2")
    with pytest.raises(TurnedDown):
        take()
    assert "app-too" in annotations.status_of(app.deployment())["reason"]


def test_every_objection_is_told_at_once(app, take):
    app.edit(DEPLOYMENTS, {"spec": {"strategy": {"type": "Recreate", "rollingUpdate": None}}})
    app.annotate(image="web=app:v2", config="{tick: 1}", profile="quick")
    with pytest.raises(TurnedDown):
        take()
    reason = annotations.status_of(app.deployment())["reason"]
    assert all(part in reason for part in ("strategy Recreate", "no container 'web'", "tick: there is no such field"))


def test_a_trigger_that_an_undo_brought_back_is_taken_away_with_an_event_and_starts_nothing(app, take, cluster):
    before = Seen(image=None, request=None, template="another template")
    app.annotate(image="app:v2")
    assert take(before) is None
    assert any("kubectl rollout undo" in message for message in warnings(cluster))
    assert annotations.IMAGE not in annotations.of(app.deployment())


def test_an_echo_is_gone_before_it_is_told_for_whoever_starts_anew_could_not_tell_it_from_a_wish(
    app, take, monkeypatch
):
    def killed(*_):
        raise ClusterError("killed before this write")

    monkeypatch.setattr(intake, "emit", killed)
    app.annotate(image="app:v2")
    with pytest.raises(ClusterError):
        take(Seen(image=None, request=None, template="another template"))
    assert annotations.IMAGE not in annotations.of(app.deployment())


ANSWERS = {
    "the answer to the first write is lost": Rule(action=Drop(after=True), methods=("PATCH",), path="/deployments/"),
    "the server cannot take the Event at once": Rule(action=UNAVAILABLE, methods=("POST",), path="/events", times=2),
}


@pytest.mark.parametrize("rule", ANSWERS.values(), ids=ANSWERS)
def test_an_echo_is_told_also_when(app, cluster, proxy, rule):
    proxy.play(rule)
    app.annotate(image="app:v2")
    with suppress(ClusterError):
        before = Seen(image=None, request=None, template="another template")
        take_in(proxy.client, app.deployment(), before, Offers(profiles=PROFILES), now=1000.0)
    assert any("kubectl rollout undo" in message for message in warnings(cluster))
    assert annotations.IMAGE not in annotations.of(app.deployment())


def test_a_trigger_that_was_annotated_while_we_watched_starts_a_run(app, take):
    before = seen(app.deployment())
    app.annotate(image="app:v2")
    assert take(before) is not None


def test_only_the_last_ten_ended_runs_are_kept(app, take, cluster, make):
    app.annotate(image="app:v2")
    uid = app.deployment()["metadata"]["uid"]
    for number in range(1, 14):
        ended = make.run(name=f"app-{number}", uid=uid, phase=Phase.ABORTED, trigger="app:v9")
        records.create(cluster, ended, [])
    assert take().run.name == "app-14"
    kept = [record.run.name for record in records.of_deployment(cluster, "default", "app")]
    assert kept == [f"app-{number}" for number in range(4, 15)]


def test_a_garbled_record_does_not_stop_the_other_runs(app, take, cluster):
    app.annotate(image="app:v2")
    record = take()
    garbled = cluster.get(CONFIGMAPS, "default", "canary-run-app-1")
    labels = garbled["metadata"]["labels"]
    metadata = {"name": "canary-run-app-9", "namespace": "default", "labels": labels}
    cluster.create(CONFIGMAPS, {"metadata": metadata, "data": {"run.json": "{", "routes.json": "[]"}})
    assert records.active(cluster, "default") == (record,)


UNREADABLE = {
    "it belongs to nobody, as after `kubectl delete --cascade=orphan`": {"metadata": {"ownerReferences": None}},
    "it makes no sense": {"data": {"run.json": "{"}},
}


@pytest.mark.parametrize("change", UNREADABLE.values(), ids=UNREADABLE)
def test_a_record_of_an_earlier_run_that_nobody_can_read_keeps_its_number_and_stops_no_other(
    app, take, cluster, change
):
    app.annotate(image="app:v2")
    first = take()
    ended = first.run.model_copy(update={"phase": Phase.ABORTED, "revision": "1"})
    records.save(cluster, replace(first, run=ended))
    cluster.merge(CONFIGMAPS, "default", "canary-run-app-1", change)
    assert take().run.name == "app-2"


def test_a_record_that_somebody_may_mend_keeps_its_deployment_from_another_run(app, take, cluster):
    app.annotate(image="app:v2")
    take()
    cluster.merge(CONFIGMAPS, "default", "canary-run-app-1", {"data": {"run.json": "{"}})
    with pytest.raises(Conflict):
        take()


def test_a_record_of_a_run_without_a_number_is_left_out(app, take, cluster):
    app.annotate(image="app:v2")
    record = take()
    forged = cluster.get(CONFIGMAPS, "default", "canary-run-app-1")
    metadata = {key: forged["metadata"][key] for key in ("namespace", "labels", "ownerReferences")}
    run = record.run.model_copy(update={"name": "app-first"})
    data = {**forged["data"], "run.json": run.model_dump_json()}
    cluster.create(CONFIGMAPS, {"metadata": {**metadata, "name": "canary-run-app-first"}, "data": data})
    assert take() == record


GARBLED = {
    "nothing is there": None,
    "a run that is no JSON": {"run.json": "{", "routes.json": "[]"},
    "an old run whose routes are a number": {"run.json": '{"virtual_services": 5}'},
    "routes that are nested without end": {"routes.json": "[" * 100_000},
}


@pytest.mark.parametrize("data", GARBLED.values(), ids=GARBLED)
def test_a_record_that_cannot_be_read_is_named_to_whoever_asks_for_it(app, take, cluster, data):
    app.annotate(image="app:v2")
    take()
    app_1 = ("default", "canary-run-app-1")
    cluster.merge(CONFIGMAPS, *app_1, {"data": data})
    with pytest.raises(records.Garbled, match="ConfigMap default/canary-run-app-1 cannot be read"):
        records.load(cluster, "default", "app-1")
    assert records.active(cluster, "default") == ()


def test_a_change_that_the_controller_has_not_seen_yet_is_waited_for(app, take):
    app.annotate(image="app:v2")
    app.roll_out(observedGeneration=0)
    with pytest.raises(StillChanging):
        take()
    app.roll_out()
    assert take() is not None


FORGED = {
    "the run is of another namespace": {"namespace": "payments"},
    "the Services are of another namespace": {
        "name": "app-7",
        "routes": (RouteRef(namespace="payments", name="pay"),),
        "target": Target(namespace="payments", stable="pay", canary="evil"),
    },
}


@pytest.mark.parametrize("forgery", FORGED.values(), ids=FORGED)
def test_a_record_that_speaks_of_another_namespace_is_not_taken_up(app, take, cluster, forgery):
    app.annotate(image="app:v2")
    record = take()
    document = cluster.get(CONFIGMAPS, "default", "canary-run-app-1")
    forged = record.run.model_copy(update=forgery)
    metadata = {key: document["metadata"][key] for key in ("labels", "ownerReferences")}
    metadata |= {"name": "canary-run-app-7", "namespace": "default"}
    cluster.create(
        CONFIGMAPS, {"metadata": metadata, "data": {**document["data"], "run.json": forged.model_dump_json()}}
    )
    assert records.active(cluster, "") == (record,)


def pinned(resource, document, *around, real=defaults.complete):
    """What an admission webhook makes of a Deployment that pins tags to digests."""
    completed = deepcopy(real(resource, document, *around))
    for container in completed["spec"]["template"]["spec"]["containers"] if resource.plural == "deployments" else ():
        container["image"] = container["image"].partition("@")[0] + "@sha256:feed"
    return completed


@pytest.mark.parametrize("strategy", ["canary", "rolling"])
def test_the_images_of_a_run_are_those_that_admission_makes_of_them(app, take, cluster, monkeypatch, strategy):
    monkeypatch.setattr(defaults, "complete", pinned)
    app.annotate(image="app:v2", strategy=strategy)
    run = take().run
    assert (run.trigger, run.images) == ("app:v2", {"app": "app:v2@sha256:feed"})
    assert sibling.container_images(app.deployment()) == {"app": "app:v1@sha256:feed"}, "nothing was written"


def test_images_that_admission_makes_those_that_run_are_refused(app, take, cluster, monkeypatch):
    monkeypatch.setattr(defaults, "complete", pinned)
    app.annotate(image="app:v1")
    with pytest.raises(TurnedDown):
        take()
    assert "app already runs app:v1@sha256:feed" in warnings(cluster)[0]


def test_where_nobody_tells_what_admission_makes_of_images_they_are_as_the_user_wrote_them(app, cluster, proxy):
    app.annotate(image="app:v2")
    proxy.play(Rule(action=Refuse(status=400, reason="BadRequest"), query="dryRun=All"))
    record = take_in(proxy.client, app.deployment(), None, Offers(profiles=PROFILES), 1000.0)
    assert record.run.images == {"app": "app:v2"}

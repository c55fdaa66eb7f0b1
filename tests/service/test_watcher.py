"""What the watcher takes up, whatever else it meets on the way."""

import gc
import json
from concurrent.futures import ThreadPoolExecutor
from threading import Thread
from unittest import mock

import pytest
from apscheduler.schedulers.background import BackgroundScheduler

from canary_analyzer.cluster.client import CONFIGMAPS, DEPLOYMENTS, VIRTUAL_SERVICES
from canary_analyzer.metrics import PrometheusReader, SampleReader
from canary_analyzer.rollout import annotations
from canary_analyzer.rollout.intake import Seen
from canary_analyzer.rollout.plan import Offers
from canary_analyzer.rollout.policy import PROFILES
from canary_analyzer.service import watcher as watching
from canary_analyzer.service.agenda import Agenda
from canary_analyzer.service.reconcile import Ports
from canary_analyzer.service.replicas import Alone
from canary_analyzer.service.rollouts import Rollouts
from canary_analyzer.service.watcher import Watcher

FORGED_MARK = {
    "traces": {
        "run": "gone-1",
        "namespace": "default",
        "deployment": "gone",
        "uid": "u",
        "target": {"namespace": "default", "stable": "app", "canary": "gone-canary"},
        "siblings": [],
        "services": [],
    },
    "spec": {"http": [{"route": [{"destination": {"host": "app"}, "weight": "abc"}]}]},
}


@pytest.fixture
def watch():
    """Make a watcher of a cluster; with it come the scheduler of what it wants to have done, and the defects it met."""
    with ThreadPoolExecutor(1) as workers:

        def watch(cluster):
            defects, scheduler = [], BackgroundScheduler()  # never started: what is planned stays to be seen
            reader = SampleReader(PrometheusReader("http://127.0.0.1:9"))
            ports = Ports(cluster=cluster, reader=reader, clock=lambda: 1e9)
            rollouts = Rollouts(ports, None, Agenda(scheduler, workers), Offers(profiles=PROFILES), Alone())
            return Watcher("", cluster, rollouts, Alone(), lambda: defects.append(1)), scheduler, defects

        yield watch


@pytest.fixture
def look(watch):
    """Let a watcher look at a cluster; returns whose wishes it wants to take in, and how many defects it has met."""

    def look(cluster):
        watcher, scheduler, defects = watch(cluster)
        watcher.look()
        assert watcher.synced.is_set()
        return [job.id for job in scheduler.get_jobs()], len(defects)

    return look


WISH = {annotations.IMAGE: "app:v2"}


def annotated(cluster, **values):
    named = {f"{annotations.PREFIX}{key}": value for key, value in values.items()}
    cluster.merge(DEPLOYMENTS, "default", "app", {"metadata": {"annotations": named}})


def with_record(cluster, run):
    metadata = {"name": "canary-run-q", "namespace": "default", "labels": {"canary-analyzer.io/active": "true"}}
    cluster.create(CONFIGMAPS, {"metadata": metadata, "data": {"run.json": run}})


def with_mark(cluster):
    marks = {"run.canary-analyzer.io/default.gone": json.dumps(FORGED_MARK)}
    cluster.merge(VIRTUAL_SERVICES, "default", "app", {"metadata": {"annotations": marks}})


HOSTILE = {
    "a status whose phase is a list": lambda cluster: annotated(cluster, status='{"phase": []}'),
    "a status that is nested without end": lambda cluster: annotated(cluster, status="[" * 100_000),
    "a record whose routes are a number": lambda cluster: with_record(
        cluster, '{"virtual_services": 5, "namespace": "a"}'
    ),
    "a route whose mark no route can follow": with_mark,
}


@pytest.mark.parametrize("spoil", HOSTILE.values(), ids=HOSTILE)
def test_what_one_team_garbles_keeps_no_other_from_being_taken_in(cluster, app, look, spoil):
    other = {"name": "other", "namespace": "default", "annotations": WISH}
    cluster.create(DEPLOYMENTS, {"metadata": other, "spec": app.deployment()["spec"]})
    spoil(cluster)
    assert look(cluster) == (["intake/default/other"], 0)


def test_what_a_deleted_deployment_was_like_says_nothing_of_a_new_one_of_its_name(cluster, app, watch):
    """Nobody watched: between the end of a watch and the next list it went and came back, its wish in its manifest."""
    watcher, scheduler, _ = watch(cluster)
    watcher.look()
    spec = app.deployment()["spec"]
    spec["template"]["spec"]["containers"][0]["image"] = "app:v1.1"
    cluster.delete(DEPLOYMENTS, "default", "app")
    cluster.create(
        DEPLOYMENTS, {"metadata": {"name": "app", "namespace": "default", "annotations": WISH}, "spec": spec}
    )
    watcher.look()
    (job,) = scheduler.get_jobs()
    key, before, _ = job.args
    assert (key, before) == (("default", "app"), None)


def test_what_the_watch_tells_is_not_undone_by_a_list_that_another_thread_had_begun_before(
    cluster, app, watch, monkeypatch
):
    """A replica lists when another one goes, beside its watch: the Deployment came between the list and its use."""
    watcher, scheduler, _ = watch(cluster)
    watcher.look()
    spec, take_list, threads = app.deployment()["spec"], cluster.list, []

    def interrupted(kind, *arguments, **options):
        listing = take_list(kind, *arguments, **options)
        if kind == DEPLOYMENTS and not threads:
            cluster.create(DEPLOYMENTS, {"metadata": {"name": "new", "namespace": "default"}, "spec": spec})
            threads.append(Thread(target=watcher.look))
            threads[0].start()
            threads[0].join(0.3)  # it must not have gone on, however long it is given
        return listing

    monkeypatch.setattr(watching, "sweep_if_possible", lambda *_: None)  # it lists Deployments as well
    monkeypatch.setattr(cluster, "list", interrupted)
    watcher.look()
    threads[0].join()
    cluster.merge(DEPLOYMENTS, "default", "new", {"metadata": {"annotations": WISH}})
    watcher.look()
    (job,) = scheduler.get_jobs()
    key, before, _ = job.args
    assert (key[1], before is not None) == ("new", True)


def test_nothing_is_remembered_of_a_deployment_that_went_while_nobody_watched(cluster, app, watch):
    watcher, _, _ = watch(cluster)
    others = {id(each) for each in remembered()}
    watcher.look()
    assert len([each for each in remembered() if id(each) not in others]) == 1
    cluster.delete(DEPLOYMENTS, "default", "app")
    watcher.look()
    assert not [each for each in remembered() if id(each) not in others]


def remembered():
    gc.collect()
    return [each for each in gc.get_objects() if isinstance(each, Seen)]


def test_a_deployment_that_cannot_be_understood_is_left_out_alone(api, look):
    broken = {"metadata": {"name": "broken", "namespace": "default", "annotations": WISH}, "spec": None}
    whole = {"metadata": {"name": "whole", "namespace": "default", "annotations": WISH}, "spec": {"template": {}}}

    def answer(asked):
        items = [broken, whole] if asked.path.startswith("/apis/apps/v1/deployments") else []
        asked.say({"metadata": {"resourceVersion": "1"}, "items": items})

    api.answer = answer
    assert look(api.cluster) == (["intake/default/whole"], 1)


class Enough(BaseException):
    """The test has seen what it wanted."""


class Clock:
    """Stands for the module `time`: pauses are over at once, and after some of them the test is."""

    def __init__(self, pauses):
        self.now, self.left, self.slept = 0.0, pauses, []

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds
        self.slept.append(seconds)
        if len(self.slept) == self.left:
            raise Enough


GONE = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "message": "too old resource version"}}


def line(event):
    return json.dumps(event).encode() + b"\n"


GROWING = [1, 2, 4, 8, 16, 30, 30]
ENDS = {
    "the version is too old": (lambda asked: asked.say({"kind": "Status"}, 410), GROWING),
    "the version turns out to be too old": (lambda asked: asked.say(line(GONE)), GROWING),
    "it ends at once": (lambda asked: asked.say(b""), GROWING),
    "it is refused": (lambda asked: asked.say({"kind": "Status"}, 403), GROWING),
    "what it tells is no object": (lambda asked: asked.say(line({"type": "ADDED", "object": None})), GROWING),
    "the server wants to be left alone": (
        lambda asked: asked.say({"kind": "Status"}, 429, Retry_After="10"),
        [10, 10, 10, 10, 16, 30, 30],
    ),
}


@pytest.mark.parametrize(("end", "slept"), ENDS.values(), ids=ENDS)
def test_a_watch_that_ends_too_soon_is_begun_anew_less_and_less_often(api, watch, end, slept):
    def answer(asked):
        if "watch=true" in asked.path:
            end(asked)
        else:
            asked.say({"metadata": {"resourceVersion": "1"}, "items": []})

    api.answer = answer
    watcher, _, _ = watch(api.cluster)
    clock = Clock(len(slept))
    with mock.patch.object(watching, "time", clock), pytest.raises(Enough):
        watcher.run()
    assert clock.slept == slept


def test_a_watch_that_lasted_is_begun_anew_at_once(api, watch):
    clock = Clock(4)
    lasting = iter([0, 0, 240, 0])

    def answer(asked):
        if "watch=true" in asked.path:
            clock.now += next(lasting)
        asked.say({"metadata": {"resourceVersion": "1"}, "items": []} if "watch=true" not in asked.path else b"")

    api.answer = answer
    watcher, _, _ = watch(api.cluster)
    with mock.patch.object(watching, "time", clock), pytest.raises(Enough):
        watcher.run()
    assert clock.slept == [1, 2, 0, 1]

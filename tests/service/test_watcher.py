"""What the watcher takes up, whatever else it meets on the way."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from apscheduler.schedulers.background import BackgroundScheduler

from canary_analyzer.cluster.client import CONFIGMAPS, DEPLOYMENTS, VIRTUAL_SERVICES
from canary_analyzer.metrics import PrometheusReader, SampleReader
from canary_analyzer.rollout import annotations
from canary_analyzer.rollout.plan import Offers
from canary_analyzer.rollout.policy import PROFILES
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
def look():
    """Let a watcher look at a cluster; returns whose wishes it wants to take in, and how many defects it has met."""

    def look(cluster):
        defects, scheduler = [], BackgroundScheduler()  # never started: what is planned stays to be seen
        ports = Ports(cluster=cluster, reader=SampleReader(PrometheusReader("http://127.0.0.1:9")), clock=lambda: 1e9)
        with ThreadPoolExecutor(1) as workers:
            rollouts = Rollouts(ports, None, Agenda(scheduler, workers), Offers(profiles=PROFILES), Alone())
            watcher = Watcher("", cluster, rollouts, Alone(), lambda: defects.append(1))
            watcher.look()
        assert watcher.synced.is_set()
        return [job.id for job in scheduler.get_jobs()], len(defects)

    return look


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
    other = {"name": "other", "namespace": "default", "annotations": {annotations.IMAGE: "app:v2"}}
    cluster.create(DEPLOYMENTS, {"metadata": other, "spec": app.deployment()["spec"]})
    spoil(cluster)
    assert look(cluster) == (["intake/default/other"], 0)


def test_a_deployment_that_cannot_be_understood_is_left_out_alone(api, look):
    wish = {annotations.IMAGE: "app:v2"}
    broken = {"metadata": {"name": "broken", "namespace": "default", "annotations": wish}, "spec": None}
    whole = {"metadata": {"name": "whole", "namespace": "default", "annotations": wish}, "spec": {"template": {}}}

    def answer(asked):
        items = [broken, whole] if asked.path.startswith("/apis/apps/v1/deployments") else []
        asked.say({"metadata": {"resourceVersion": "1"}, "items": items})

    api.answer = answer
    assert look(api.cluster) == (["intake/default/whole"], 1)

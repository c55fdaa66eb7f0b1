"""The story of a run over the API emulator: how it grows, when it is written, and what a restart leaves of it."""

from itertools import pairwise

import numpy as np
import pytest

from canary_analyzer.analysis import Tick
from canary_analyzer.analysis.types import ArmTick
from canary_analyzer.cluster import records
from canary_analyzer.cluster.client import DEPLOYMENTS, PODS, Cluster
from canary_analyzer.metrics import PrometheusReader, SampleReader
from canary_analyzer.rollout.evidence import Counted, Edges, Reading, absorb, boundaries, fresh
from canary_analyzer.rollout.phases import Phase
from canary_analyzer.rollout.plan import Offers
from canary_analyzer.rollout.policy import PROFILES
from canary_analyzer.service.intake import take_in
from canary_analyzer.service.reconcile import STORY_TICKS, Active, Ports, conclude, following

EDGES = Edges(latency=(10.0, 100.0))
CONFIG = "{settle_seconds: 1, tick_seconds: 1, steps: [{weight: 10, seconds: 3000, requests: 10}]}"


class Told:
    """A run of which a tick is read with each pass."""

    def __init__(self, cluster: Cluster, app) -> None:
        app.annotate(image="app:v2", config=CONFIG)
        self.cluster, self.now, self.failing = cluster, 1000.0, 0
        reader = SampleReader(PrometheusReader("http://127.0.0.1:9", timeout_seconds=1))
        self.ports = Ports(cluster=cluster, reader=reader, clock=lambda: self.now, pause=lambda _: None)
        record = take_in(cluster, app.deployment(), None, Offers(profiles=PROFILES), self.now)
        self.active = Active(record=record, progress=fresh(record.run))

    def go(self, ticks: int = 1):
        for _ in range(ticks):
            self.now += 1
            active = following(self.active, absorb(self._reading()))
            self.active = conclude(self.ports, active)
        return self.active.run

    def _reading(self):
        run, progress = self.active.run, self.active.progress
        grid = pairwise(boundaries(progress, run, self.now))
        counted = [Counted(since=since, until=until, tick=self._tick()) for since, until in grid]
        return Reading(progress=progress, run=run, counted=counted, edges=EDGES)

    def until(self, stage: str):
        for _ in range(20):
            if self.go().stage == stage:
                return
            self._available()
        raise AssertionError(f"it is at {self.active.run.stage}")

    def restart(self) -> None:
        record = records.active(self.cluster, "default")[0]
        self.active = Active(record=record, progress=fresh(record.run))

    @property
    def recorded(self):
        return records.load(self.cluster, "default", self.active.run.name).story

    def _tick(self) -> Tick:
        weight = self.active.run.weight
        canary = ArmTick(requests=weight, errors=min(weight, self.failing), latency=np.array([weight, 0, 0]))
        return Tick(
            canary=canary, baseline=ArmTick(requests=100 - weight, errors=0, latency=np.array([90, 10 - weight, 0]))
        )

    def _available(self) -> None:
        """Report what a workload controller would of the canary."""
        canary = self.cluster.find(DEPLOYMENTS, "default", "app-canary")
        if canary is not None:
            counts = dict.fromkeys(("replicas", "updatedReplicas", "availableReplicas"), canary["spec"]["replicas"])
            status = {"observedGeneration": canary["metadata"]["generation"], **counts}
            self.cluster.merge(DEPLOYMENTS, "default", "app-canary/status", {"status": status})


@pytest.fixture
def told(cluster, app):
    told = Told(cluster, app)
    told.until("analyse")
    return told


def test_the_story_grows_with_every_tick_and_costs_few_writes(told):
    version, ticks, writes = told.active.record.version, told.active.record.story.ticks, 0
    for _ in range(STORY_TICKS + 10):
        told.go()
        writes += told.active.record.version != version
        version = told.active.record.version
    assert told.active.record.story.ticks == ticks + STORY_TICKS + 10
    assert writes == 1


def test_it_is_written_with_whatever_changes_the_run(told, app):
    told.go(3)
    app.annotate(hold="true")
    assert told.go().phase is Phase.HOLDING
    assert told.recorded == told.active.record.story


def test_after_a_restart_it_goes_on_and_no_tick_is_told_twice(told):
    told.go(STORY_TICKS + 5)
    before = told.active.record.story
    told.restart()
    assert told.active.record.story.ticks < before.ticks
    told.go()
    after = told.active.record.story
    assert after.ticks == before.ticks + 1
    assert [s.at for s in after.all_samples] == sorted({s.at for s in after.all_samples})


def canary_pod(cluster):
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "app-canary-5d", "uid": "u"}
    labels = cluster.get(DEPLOYMENTS, "default", "app-canary")["spec"]["template"]["metadata"]["labels"]
    metadata = {"name": "app-canary-5d-x", "namespace": "default", "labels": labels, "ownerReferences": [owner]}
    cluster.create(PODS, {"metadata": metadata, "spec": {"containers": [{"name": "app", "image": "app:v2"}]}})
    status = {"name": "app", "image": "", "imageID": "", "ready": True, "restartCount": 2, "state": {"running": {}}}
    cluster.merge(PODS, "default", "app-canary-5d-x/status", {"status": {"containerStatuses": [status]}})


def test_what_the_pods_looked_like_is_kept_once_and_outlives_them(told, cluster):
    canary_pod(cluster)
    told.failing = 10
    while told.go().phase is not Phase.ABORTING:
        pass
    found = told.recorded.findings
    assert found[0].about == "Pod app-canary-5d-x, container app"
    assert "restarted 2 times" in found[0].text
    cluster.delete(PODS, "default", "app-canary-5d-x")
    told.restart()
    told.go()
    assert told.recorded.findings == found

"""What a pass costs the API server where nothing is to be done, and that it still sees what happens."""

import time
from collections import Counter

import pytest

from canary_analyzer.cluster.cache import Cache
from canary_analyzer.cluster.client import DEPLOYMENTS, Cluster
from canary_analyzer.metrics import PrometheusReader, SampleReader
from canary_analyzer.rollout.evidence import fresh
from canary_analyzer.rollout.phases import Phase
from canary_analyzer.rollout.plan import Offers
from canary_analyzer.rollout.policy import PROFILES
from canary_analyzer.service.intake import take_in
from canary_analyzer.service.reconcile import Active, Ports, reconcile

PATIENCE = 30.0


class Passes:
    """One run over a cache, with no Prometheus to be reached: it holds as soon as the canary is in the route."""

    def __init__(self, cluster, app, kubeconfig):
        app.annotate(image="app:v2", config="{settle_seconds: 1, tick_seconds: 1}")
        self.asked, self.now = Counter(), 1000.0
        counted = Cluster.connect(kubeconfig, lambda verb, _: self.asked.update([verb]))
        reader = SampleReader(PrometheusReader("http://127.0.0.1:9", timeout_seconds=1))
        self.cache = Cache(counted)
        self.ports = Ports(cluster=counted, cache=self.cache, reader=reader, clock=lambda: self.now)
        record = take_in(cluster, app.deployment(), None, Offers(profiles=PROFILES), self.now)
        self.active = Active(record=record, progress=fresh(record.run))

    def until(self, check):
        """Go on until it is so; time passes for the run faster than for the watches."""
        end = time.monotonic() + PATIENCE
        while not check(self.active.run):
            assert time.monotonic() < end, self.active.run
            self.go()
            time.sleep(0.02)

    def is_quiet(self):
        """Whether a pass costs nothing."""
        before = self.asked.total()
        self.go()
        return self.asked.total() == before

    def go(self):
        self.now += 1
        self.active = reconcile(self.ports, self.active)


@pytest.fixture
def passes(cluster, app, tmp_path):
    made = Passes(cluster, app, tmp_path / "kubeconfig")
    made.until(lambda run: run.stage == "await canary")
    canary = cluster.get(DEPLOYMENTS, "default", "app-canary")
    counts = dict.fromkeys(("replicas", "updatedReplicas", "availableReplicas"), canary["spec"]["replicas"])
    status = {"observedGeneration": canary["metadata"]["generation"], **counts}
    cluster.merge(DEPLOYMENTS, "default", "app-canary/status", {"status": status})
    made.until(lambda run: run.phase is Phase.HOLDING)
    made.until(lambda _: made.is_quiet())  # the watches have seen the last writes
    yield made
    made.cache.close()


def test_where_nothing_is_to_be_done_a_pass_costs_no_request(passes):
    before = dict(passes.asked)
    for _ in range(20):
        passes.go()
    assert dict(passes.asked) == before


def test_what_a_user_asks_for_meanwhile_is_seen_and_done(passes, app, cluster):
    app.annotate(abort="app-1")
    passes.until(lambda run: run.phase is Phase.ABORTING)
    assert passes.active.run.reason == "a user asked for it with the annotation abort"


def test_what_changes_is_decided_anew_from_the_cluster_itself(passes, app):
    """The cache says that the Deployment is gone, which it is not: nothing is given up because of it."""
    passes.cache.find = lambda *_: None
    passes.go()
    assert passes.active.run.phase is Phase.HOLDING

"""The API emulator with an app in it, and `kubectl canary` as a user types it."""

import asyncio
import threading
import time
from copy import deepcopy
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from canary_analyzer.cli.plugin import app as plugin
from canary_analyzer.cluster import records
from canary_analyzer.cluster.client import DEPLOYMENTS, SERVICES, VIRTUAL_SERVICES, Cluster, Kind
from canary_analyzer.rollout import annotations
from canary_analyzer.rollout.phases import RAMPING, Phase
from canary_analyzer.rollout.plan import Offers
from canary_analyzer.rollout.policy import PROFILES
from canary_analyzer.rollout.story import Arms, Figures, Sample, Story
from canary_analyzer.routing.traffic import Traffic
from canary_analyzer.sandbox.api import ApiServer, identities, kubeconfig
from canary_analyzer.service.intake import take_in

LABELS = {"app": "app"}
DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "app", "namespace": "default"},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": LABELS},
        "template": {
            "metadata": {"labels": LABELS},
            "spec": {"containers": [{"name": "app", "image": "app:v1"}]},
        },
    },
}
SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "app", "namespace": "default"},
    "spec": {"selector": LABELS, "ports": [{"name": "http", "port": 80}]},
}
VIRTUAL_SERVICE = {
    "apiVersion": "networking.istio.io/v1",
    "kind": "VirtualService",
    "metadata": {"name": "app", "namespace": "default"},
    "spec": {"hosts": ["app"], "http": [{"route": [{"destination": {"host": "app"}}]}]},
}
STORY = Story(
    metrics=("errors", "latency_p99"),
    reasons=("errors: 3 of 100 against 2 of 900", "latency_p99: much alike"),
).with_samples(
    [
        Sample(
            at=1e9,
            weight=5,
            requests=Arms(100, 900),
            errors=Arms(3, 2),
            metrics=(Figures(0.4, 0.1, 0.02, -0.01, 0.05), Figures(0.0, 0.9, 1.02, 0.9, None)),
        ),
    ]
)


class Emulator:
    """A cluster in a thread, and the users that it knows."""

    def __init__(self, folder):
        self._loop, self._server, self._folder = asyncio.new_event_loop(), ApiServer(enforce_rbac=True), folder
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._call(self._server.__aenter__())
        self.kubeconfig = self._written("admin", self._server.tokens.admin)
        self.cluster = Cluster.connect(self.kubeconfig)

    def _call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    def _written(self, user, token):
        path = self._folder / f"{user}.kubeconfig"
        kubeconfig.write(path, self._server.url, token)
        return path

    def user(self, name, *rules):
        """Return the kubeconfig of a user who may do so much in the namespace: (apiGroup, resources, verbs)."""
        identity = identities.service_account("default", name)
        told = [{"apiGroups": [group], "resources": things, "verbs": verbs} for group, things, verbs in rules]
        about = {"name": name, "namespace": "default"}
        api = "rbac.authorization.k8s.io"
        self.cluster.create(
            Kind(api=f"{api}/v1", plural="roles"),
            {"apiVersion": f"{api}/v1", "kind": "Role", "metadata": about, "rules": told},
        )
        self.cluster.create(
            Kind(api=f"{api}/v1", plural="rolebindings"),
            {
                "apiVersion": f"{api}/v1",
                "kind": "RoleBinding",
                "metadata": about,
                "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": "default"}],
                "roleRef": {"apiGroup": api, "kind": "Role", "name": name},
            },
        )
        return self._written(name, self._server.tokens.issue(identity))

    def used(self, name):
        """Return what a user has asked for and got: (apiGroup, resource, verb)."""
        user, rows = identities.service_account("default", name).name, self._server.audit.document()
        return {(r["group"], r["resource"], r["verb"]) for r in rows if r["identity"] == user and r["allowed"]}

    def close(self):
        self._call(self._server.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@pytest.fixture
def emulator(tmp_path):
    started = Emulator(tmp_path)
    yield started
    started.close()


class Shop:
    """An app that is rolled out and routed to; `run` gives it a run as the service would record it."""

    def __init__(self, cluster):
        self.cluster = cluster
        for kind, document in (
            (DEPLOYMENTS, DEPLOYMENT),
            (SERVICES, SERVICE),
            (VIRTUAL_SERVICES, VIRTUAL_SERVICE),
        ):
            self.cluster.create(kind, deepcopy(document))
        self.roll_out()

    def roll_out(self, **status):
        generation = self.deployment()["metadata"]["generation"]
        counts = dict.fromkeys(("replicas", "updatedReplicas", "availableReplicas", "readyReplicas"), 2)
        whole = {"observedGeneration": generation, **counts, **status}
        self.cluster.merge(DEPLOYMENTS, "default", "app/status", {"status": whole})

    def edit(self, patch):
        self.cluster.merge(DEPLOYMENTS, "default", "app", patch)

    def annotate(self, **values):
        named = {f"canary-analyzer.io/{key}": value for key, value in values.items()}
        self.edit({"metadata": {"annotations": named}})
        self.roll_out()

    def deployment(self):
        return self.cluster.get(DEPLOYMENTS, "default", "app")

    def notes(self):
        return {key.partition("/")[2]: value for key, value in annotations.of(self.deployment()).items()}

    def run(self, phase=Phase.ANALYSING, **fields):
        """Record a run of app:v2 at a phase, and return its record."""
        self.annotate(image="app:v2")
        begun = take_in(self.cluster, self.deployment(), None, Offers(profiles=PROFILES), time.time() - 120)
        stage = {"stage": "analyse", "weight": 5, "traffic": Traffic(weight=5)} if phase in RAMPING else {}
        moved = begun.run.model_copy(update={"phase": phase, **stage, **fields})
        return self.becomes(replace(begun, run=moved, story=STORY), phase)

    def becomes(self, record, phase, **fields):
        """Record that a run has gone on, the trigger taken away at its end, and return its record."""
        moved = record.run.model_copy(update={"phase": phase, **fields})
        told = moved.noting(moved.reason or f"it came to {phase}", time.time())
        if told.ended:
            self.annotate(image=None)
        return records.save(self.cluster, replace(record, run=told))


@pytest.fixture
def shop(emulator):
    return Shop(emulator.cluster)


@pytest.fixture
def canary(emulator):
    """`kubectl canary` as a user types it, by default the administrator."""

    def invoke(*words, kubeconfig=emulator.kubeconfig, app=plugin):
        return CliRunner().invoke(app, words, env={"KUBECONFIG": str(kubeconfig), "NO_COLOR": "1", "COLUMNS": "200"})

    return invoke

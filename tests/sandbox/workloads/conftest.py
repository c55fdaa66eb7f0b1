"""Documents, and a cluster that is a value: it carries writes out and makes pods ready when told."""

from copy import deepcopy
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from canary_analyzer.sandbox.client import DEPLOYMENTS, PODS, REPLICASETS
from canary_analyzer.sandbox.workloads import deployments, replicasets
from canary_analyzer.sandbox.workloads.objects import controlled, terminating, timestamp
from canary_analyzer.sandbox.workloads.view import View
from canary_analyzer.sandbox.workloads.writes import Create, Delete, Patch

START = datetime(2026, 1, 1, tzinfo=UTC)


def merged(document, body):
    """RFC 7396."""
    result = dict(document)
    for name, value in body.items():
        if value is None:
            result.pop(name, None)
        elif isinstance(value, dict):
            result[name] = merged(result.get(name) or {}, value)
        else:
            result[name] = value
    return result


def make_deployment(**spec):
    template = {"metadata": {"labels": {"app": "app"}}, "spec": {"containers": [{"name": "app", "image": "app:v1"}]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "app", "namespace": "default", "uid": "d", "generation": 1},
        "spec": {"replicas": 3, "selector": {"matchLabels": {"app": "app"}}, "template": template, **spec},
    }


def make_pod(name="pod", *, ready=True, labels=None, **metadata):
    condition = {"type": "Ready", "status": str(ready), "lastTransitionTime": timestamp(START)}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "uid": f"uid-{name}", "labels": labels or {}, **metadata},
        "spec": {
            "nodeName": "sandbox",
            "containers": [{"name": "app", "ports": [{"name": "http", "containerPort": 8080}]}],
        },
        "status": {"phase": "Running", "podIP": "127.1.0.1", "conditions": [condition]},
    }


class World:
    """One Deployment with its ReplicaSets and pods; a controller's pass is `step`."""

    def __init__(self, deployment):
        self.deployment = deployment
        self.now = START
        self.replicasets, self.pods = {}, {}
        self._numbers = count()

    @property
    def view(self):
        own = controlled(self.deployment, self.replicasets.values())
        return View(deployment=self.deployment, replicasets=own, pods=list(self.pods.values()), now=self.now)

    def change(self, **spec):
        generation = self.deployment["metadata"]["generation"] + 1
        self.deployment = merged(self.deployment, {"spec": spec, "metadata": {"generation": generation}})

    def release(self, image):
        template = deepcopy(self.deployment["spec"]["template"])
        template["spec"]["containers"][0]["image"] = image
        self.change(template=template)

    def step(self):
        """One pass of the Deployment's plan, then of every ReplicaSet's; the writes."""
        writes = deployments.plan(self.view)
        self.apply(writes)
        for replicaset in list(self.replicasets.values()):
            more = replicasets.plan(replicaset, controlled(replicaset, self.pods.values()), self.now)
            self.apply(more)
            writes = writes + more
        return writes

    def apply(self, writes):
        for write in writes:
            if write.resource is DEPLOYMENTS:
                self.deployment = merged(self.deployment, write.body)
                continue
            store = {REPLICASETS: self.replicasets, PODS: self.pods}[write.resource]
            match write:
                case Create(document=document):
                    self._create(store, document)
                case Patch(name=name, body=body):
                    store[name] = merged(store[name], body)
                case Delete(name=name) if write.resource is PODS:
                    store[name]["metadata"]["deletionTimestamp"] = timestamp(self.now)
                case Delete(name=name):
                    del store[name]

    def _create(self, store, document):
        number = f"{next(self._numbers):04}"
        metadata = {**document["metadata"], "uid": f"uid-{number}", "creationTimestamp": number}
        metadata.setdefault("name", metadata.get("generateName", "") + number)
        store[metadata["name"]] = document | {"metadata": metadata}

    def make_ready(self, name):
        pod = self.pods[name]
        pod["status"] = make_pod()["status"]
        pod["status"]["conditions"][0]["lastTransitionTime"] = timestamp(self.now)

    def remove(self, name):
        del self.pods[name]

    def settle(self, *, ready=lambda pod: True):
        """Pass after pass until nothing happens; pods become ready, and terminating ones go."""
        for _ in range(200):
            writes = self.step()
            self.now += timedelta(seconds=1)
            going = [name for name, pod in self.pods.items() if terminating(pod)]
            coming = [name for name, pod in self.pods.items() if "status" not in pod and ready(pod)]
            for name in going:
                self.remove(name)
            for name in set(coming) - set(going):
                self.make_ready(name)
            if not (writes or going or coming):
                return
        raise AssertionError("does not come to rest")

    @property
    def sizes(self):
        """Image -> replicas asked for, of ReplicaSets that are not empty."""
        pairs = (
            (each["spec"]["template"]["spec"]["containers"][0]["image"], each["spec"]["replicas"])
            for each in self.replicasets.values()
        )
        return {image: replicas for image, replicas in pairs if replicas}

    def condition(self, kind):
        return next(each for each in self.deployment["status"]["conditions"] if each["type"] == kind)


@pytest.fixture
def world():
    """Makes a World with one Deployment of the given spec."""
    return lambda **spec: World(make_deployment(**spec))


@pytest.fixture
def pod():
    return make_pod


@pytest.fixture
def deployment():
    return make_deployment


@pytest.fixture
def start():
    return START

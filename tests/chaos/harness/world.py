"""What makes Deployments roll out: the sandbox's workload controllers and a kubelet, a pass at a time."""

from collections.abc import Iterable
from datetime import UTC, datetime

from canary_analyzer.sandbox.client import (
    DEPLOYMENTS,
    HORIZONTALPODAUTOSCALERS,
    HTTPROUTES,
    PODS,
    REPLICASETS,
    VIRTUALSERVICES,
    Resource,
)
from canary_analyzer.sandbox.workloads import autoscaler, deployments, garbage, replicasets
from canary_analyzer.sandbox.workloads.controller import COLLECTED, OWNERS
from canary_analyzer.sandbox.workloads.objects import controlled, terminating, timestamp
from canary_analyzer.sandbox.workloads.view import View
from canary_analyzer.sandbox.workloads.writes import Create, Delete, Patch, Write
from harness.emulator import NAMESPACE, Document, Emulator, Refused

CRASHING = "crash"
"""Images with this in their name never become Ready."""
PATIENCE = 3.0
"""Seconds after which it is looked again whether time alone has changed something."""
KINDS = {DEPLOYMENTS: ("apps/v1", "Deployment"), REPLICASETS: ("apps/v1", "ReplicaSet"), PODS: ("v1", "Pod")}


class World:
    """The workloads of one emulator."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self._quiet = (0, 0.0)

    def step(self, now: float) -> bool:
        """Take every controller one pass further and say whether anything has changed."""
        before, moment = self._emulator.store.revision, datetime.fromtimestamp(now, UTC)
        if before == self._quiet[0] and now < self._quiet[1] + PATIENCE:
            return False
        self._pass(moment)
        changed = self._emulator.store.revision != before
        if not changed:
            self._quiet = (before, now)
        return changed

    def _pass(self, moment: datetime) -> None:
        for pod in self._all(PODS):
            self._run(pod, moment)
        scaled = {(NAMESPACE, each["metadata"]["name"]): each for each in self._all(DEPLOYMENTS)}
        for each in self._all(HORIZONTALPODAUTOSCALERS):
            self._apply(autoscaler.plan(each, scaled))
        for each in self._all(DEPLOYMENTS):
            own = controlled(each, self._all(REPLICASETS))
            view = View(deployment=each, replicasets=own, pods=self._all(PODS), now=moment)
            self._apply(deployments.plan(view))
        for each in self._all(REPLICASETS):
            self._apply(replicasets.plan(each, controlled(each, self._all(PODS)), moment))
        self._collect()

    def settle(self, now: float) -> None:
        """Take passes until nothing changes."""
        while self.step(now):
            pass

    def _all(self, resource: Resource) -> list[Document]:
        api, kind = KINDS.get(resource, ("", ""))
        return [{"apiVersion": api, "kind": kind, **each} for each in self._emulator.all(resource)]

    def _run(self, pod: Document, now: datetime) -> None:
        """Be the kubelet: what was made a pass ago runs, what was deleted a pass ago is gone."""
        name = pod["metadata"]["name"]
        if terminating(pod):
            self._emulator.ask("DELETE", PODS.path(NAMESPACE, name), {"gracePeriodSeconds": 0})
        elif not pod.get("status", {}).get("containerStatuses"):
            self._emulator.merge(PODS, name, {"status": _status(pod, timestamp(now))}, "status")

    def _collect(self) -> None:
        kinds = (*COLLECTED, HTTPROUTES, VIRTUALSERVICES)
        owned = {resource: self._all(resource) for resource in kinds}
        for suspect in list(garbage.suspects(owned, frozenset(OWNERS))):
            self._apply([suspect.deletion])

    def _apply(self, writes: Iterable[Write]) -> None:
        for write in writes:
            try:
                self._write(write)
            except Refused as refused:
                if refused.status not in (404, 409):
                    raise
                return

    def _write(self, write: Write) -> None:
        match write:
            case Create():
                self._emulator.create(write.resource, write.document)
            case Patch():
                self._emulator.merge(write.resource, write.name, write.body, "status" if write.status else None)
            case Delete():
                options = {"preconditions": {"uid": write.uid}, "propagationPolicy": "Background"}
                self._emulator.ask("DELETE", write.resource.path(NAMESPACE, write.name), options)


def _status(pod: Document, now: str) -> Document:
    containers = pod["spec"]["containers"]
    ready = not any(CRASHING in each["image"] for each in containers)
    waiting = {"waiting": {"reason": "CrashLoopBackOff"}}
    return {
        "phase": "Running",
        "conditions": [{"type": "Ready", "status": str(ready), "lastTransitionTime": now}],
        "containerStatuses": [
            {
                "name": each["name"],
                "image": each["image"],
                "ready": ready,
                "restartCount": 0 if ready else 3,
                "state": {"running": {}} if ready else waiting,
            }
            for each in containers
        ],
    }

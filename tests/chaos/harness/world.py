"""What makes Deployments roll out: the sandbox's workload controllers and a kubelet, a pass at a time."""

from collections.abc import Iterable
from datetime import UTC, datetime
from math import inf
from random import Random

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
COMING, GOING = (3.0, 20.0), (1.0, 10.0)
"""Seconds within which a pod becomes Ready, and within which one that is deleted is gone."""
KINDS = {DEPLOYMENTS: ("apps/v1", "Deployment"), REPLICASETS: ("apps/v1", "ReplicaSet"), PODS: ("v1", "Pod")}


class World:
    """The workloads of one emulator.

    Attributes:
        broken: images of which no new pod becomes Ready from now on.
    """

    def __init__(self, emulator: Emulator, chance: Random) -> None:
        self._emulator, self._chance = emulator, chance
        self._quiet = 0
        self._due: dict[tuple[str, bool], float] = {}
        """When a pod, by its uid, will have come, or (True) have gone."""
        self.broken: set[str] = set()

    def step(self, now: float) -> bool:
        """Take every controller one pass further and say whether anything has changed."""
        before, moment = self._emulator.store.revision, datetime.fromtimestamp(now, UTC)
        if before == self._quiet and now < min(self._due.values(), default=inf):
            return False
        self._pass(now, moment)
        changed = self._emulator.store.revision != before
        if not changed:
            self._quiet = before
        return changed

    def _pass(self, now: float, moment: datetime) -> None:
        for pod in self._all(PODS):
            self._run(pod, now)
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
        """Take passes until nothing changes, whatever time pods take."""
        while self.step(now) or self._due:
            self._due = dict.fromkeys(self._due, now)

    def _all(self, resource: Resource) -> list[Document]:
        api, kind = KINDS.get(resource, ("", ""))
        return [{"apiVersion": api, "kind": kind, **each} for each in self._emulator.all(resource)]

    def _run(self, pod: Document, now: float) -> None:
        """Be the kubelet: each pod takes its time to come, and to go."""
        name, going = pod["metadata"]["name"], terminating(pod)
        if not going and pod.get("status", {}).get("containerStatuses"):
            return
        key = (pod["metadata"]["uid"], going)
        if now < self._due.setdefault(key, now + self._chance.uniform(*(GOING if going else COMING))):
            return
        del self._due[key]
        if going:
            self._due.pop((pod["metadata"]["uid"], False), None)
            self._emulator.ask("DELETE", PODS.path(NAMESPACE, name), {"gracePeriodSeconds": 0})
        else:
            self._emulator.merge(PODS, name, {"status": _status(pod, self.broken, now)}, "status")

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


def _status(pod: Document, broken: set[str], now: float) -> Document:
    containers = pod["spec"]["containers"]
    ready = not any(CRASHING in each["image"] or each["image"] in broken for each in containers)
    since = timestamp(datetime.fromtimestamp(now, UTC))
    waiting = {"waiting": {"reason": "CrashLoopBackOff"}}
    return {
        "phase": "Running",
        "conditions": [{"type": "Ready", "status": str(ready), "lastTransitionTime": since}],
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

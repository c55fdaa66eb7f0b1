"""One app, its cluster and the service, on one clock; every write of the service is looked at as it happens."""

import json
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from types import SimpleNamespace
from unittest import mock

import urllib3

from canary_analyzer.metrics import SampleReader
from canary_analyzer.rollout import annotations
from canary_analyzer.sandbox.client import CONFIGMAPS, DEPLOYMENTS, PODS, REPLICASETS, SERVICES
from canary_analyzer.sandbox.workloads import pods as podview
from canary_analyzer.sandbox.workloads.objects import controlled, selects
from canary_analyzer.service import watcher
from harness.emulator import Document, Emulator
from harness.process import Process
from harness.quiet import defects
from harness.routes import STABLE, short, splits
from harness.traffic import Moment, Quality, ScriptedReader, Traffic
from harness.wire import Wire
from harness.world import World

START = 1_800_000_000.0
SETTLE_SECONDS = 5.0
"""So long a proxy may go on with an older route: as long as the policy waits for them."""


class Killed(BaseException):
    """The process has ended in the middle of its work."""


PODS_SECONDS = 60.0
"""Pods that no route leads to are not waited for any longer than that (`promote_seconds`), was anybody there or not."""


@dataclass(frozen=True, kw_only=True)
class Routed:
    """The largest percentage that some rule sends to each Service that it names, from a time on."""

    at: float
    weights: Mapping[str, int]


class Arena:
    """Where a rollout happens.

    Args:
        route_kind: VirtualService or HTTPRoute.
        kill_at: number of the write after which the service is killed, the first being 1; 0 lets it live.
        lose_at: number of the write that is made, but of which the service gets no answer.
        seed: of the time that each pod takes to come and to go.
    """

    def __init__(
        self, *, route_kind: str = "VirtualService", kill_at: int = 0, lose_at: int = 0, seed: int = 0
    ) -> None:
        self.now = START
        self.emulator = Emulator()
        self.world = World(self.emulator, Random(seed))
        self.quality = Quality.GOOD
        self.violations: list[str] = []
        self.hasty: list[str] = []
        """What was wrong unless somebody has deleted the app or the record of its run."""
        self._services: dict[str, Document] = {}
        self.writes: list[str] = []
        self.kill_at, self.lose_at = kill_at, lose_at
        self.kills = 0
        self.down_seconds = 0.0
        self._down_until = 0.0
        self._route_kind = route_kind
        self.traffic = Traffic()
        self._reader: SampleReader | ScriptedReader = ScriptedReader(self.traffic)
        self._routed: deque[Routed] = deque()
        self._short: frozenset[tuple[str, str]] = frozenset()
        self._rolled_by_user = False
        self._uneven: frozenset[str] = frozenset()
        self.wire = Wire(self.emulator, self._written, self)
        self._process: Process | None = None

    # Time --------------------------------------------------------------------------------------------------------

    def sleep(self, seconds: float) -> None:
        """Let time pass while the service waits; the world goes on meanwhile."""
        until = self.now + seconds
        while self.now < until:
            self.now = min(until, self.now + 1.0)
            self._go_on()

    def run(self, seconds: float) -> None:
        """Let the service work for so long."""
        until = self.now + seconds
        while self.now < until:
            due = self._process.jobs.next_at if self._process else float("inf")
            self.now = min(until, max(self.now + 0.001, min(due, float(int(self.now) + 1))))
            if self.now == int(self.now):
                self._go_on()
            self._work()

    def _go_on(self) -> None:
        self.world.step(self.now)
        self._note_traffic()
        self._check("time goes on")

    def _work(self) -> None:
        if self._process is None:
            if self.now < self._down_until:
                return
            self._process = self._started()
        try:
            with mock.patch.object(watcher, "time", SimpleNamespace(monotonic=lambda: self.now, sleep=self.wire.sleep)):
                self._process.work(self.now)
        except Killed:
            self.kill()
        self.violations += defects()

    @property
    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return self.now - START

    def _started(self) -> Process:
        return Process(self.wire, self._reader, lambda: self.now, self._route_kind)

    def read_by(self, reader: SampleReader) -> None:
        """Let the service read samples by this reader from its next start, which is now."""
        self._reader = reader
        self.kill()

    def kill(self) -> None:
        """End the service; it starts again after `down_seconds`."""
        self.kills += 1
        self.end()
        self._down_until = self.now + self.down_seconds

    def end(self) -> None:
        """End the service, and start it again as soon as time goes on."""
        if self._process is not None:
            self._process.watching.end(Killed())
        self._process = None

    # What is watched -----------------------------------------------------------------------------------------------

    def _written(self, write: str) -> None:
        self.writes.append(write)
        self._check(write)
        self._note_traffic()
        if len(self.writes) == self.kill_at:
            raise Killed
        if len(self.writes) == self.lose_at:
            raise urllib3.exceptions.ProtocolError("the connection broke before the answer was there")

    def _check(self, since: str) -> None:
        """Whatever was wrong before was not done by this."""
        short, uneven = self._now_short(), self._now_uneven()
        self._rolled_by_user = self._rolled_by_user and not self._is_rolled_out()
        for host, lack in sorted(short - self._short):
            if host != STABLE or not self._rolled_by_user:
                self._violated(since, f"{host}: {lack}")
        for rule in uneven - self._uneven:
            self._violated(since, f"weights do not add up to 100: {rule}")
        self._short, self._uneven = short, uneven
        services = {each["metadata"]["name"]: each["spec"].get("selector") for each in self.emulator.all(SERVICES)}
        for name in self._services.keys() - services.keys():
            if self.down_seconds < PODS_SECONDS and any(
                selects(self._services[name], pod["metadata"]["labels"]) for pod in self.emulator.all(PODS)
            ):
                self.hasty.append(f"write {len(self.writes)} ({since}): Service {name} is gone before its pods")
        self._services = services

    def _violated(self, since: str, what: str) -> None:
        self.violations.append(f"write {len(self.writes)} ({since}) at {self.now - START:.1f} s: {what}")

    def take_as_given(self) -> None:
        """Whatever is wrong now, and comes of what a user rolls out now, was done by somebody else."""
        self._short, self._uneven = self._now_short(), self._now_uneven()
        self._rolled_by_user = self._rolled_by_user or not self._is_rolled_out()
        self._note_traffic()

    def _is_rolled_out(self) -> bool:
        stable = self.emulator.find(DEPLOYMENTS, STABLE)
        if stable is None:
            return False
        counts = [
            stable.get("status", {}).get(each, 0) for each in ("updatedReplicas", "replicas", "availableReplicas")
        ]
        seen = stable.get("status", {}).get("observedGeneration") == stable["metadata"]["generation"]
        return seen and set(counts) == {stable["spec"]["replicas"]}

    def _now_short(self) -> frozenset[tuple[str, str]]:
        weights: dict[str, int] = {}
        for host, weight in (each for split in splits(self.emulator) for each in split.weights):
            weights[host] = max(weight, weights.get(host, 0))
        self._routed.append(Routed(at=self.now, weights=weights))
        while len(self._routed) > 1 and self._routed[1].at <= self.now - SETTLE_SECONDS + 0.001:
            self._routed.popleft()
        sent: dict[str, int] = {}
        for host, weight in (each for routed in self._routed for each in routed.weights.items()):
            sent[host] = max(weight, sent.get(host, 0))
        return frozenset(short(self.emulator, sent))

    def _now_uneven(self) -> frozenset[str]:
        return frozenset(f"{s.route}: {s.weights}" for s in splits(self.emulator) if not s.sums_up)

    def _note_traffic(self) -> None:
        self.traffic.note(Moment(at=self.now, shares=self._shares(), quality=self.quality))

    def _shares(self) -> dict[str, float]:
        routed = splits(self.emulator)
        first = dict(routed[0].weights) if routed else {}
        return {host: weight / 100 for host, weight in first.items()} | self._pod_shares()

    def _pod_shares(self) -> dict[str, float]:
        stable = self.emulator.find(DEPLOYMENTS, "app")
        if stable is None:
            return {}
        owner = {"apiVersion": "apps/v1", "kind": "Deployment", **stable}
        pods = self.emulator.all(PODS)
        ready = {
            each["metadata"]["labels"]["pod-template-hash"]: sum(
                podview.ready_since(pod) is not None for pod in controlled({"kind": "ReplicaSet", **each}, pods)
            )
            for each in controlled(owner, self.emulator.all(REPLICASETS))
        }
        return {name: count / max(1, sum(ready.values())) for name, count in ready.items()}

    # What users do ---------------------------------------------------------------------------------------------------

    def annotate(self, deployment: str = "app", /, **values: str | None) -> None:
        """Annotate a Deployment."""
        named = {annotations.PREFIX + key.replace("_", "-"): value for key, value in values.items()}
        self.emulator.merge(DEPLOYMENTS, deployment, {"metadata": {"annotations": named}})

    def status(self, deployment: str = "app") -> Document:
        """What the service says of its run."""
        found = self.emulator.find(DEPLOYMENTS, deployment)
        return dict(annotations.status_of(found)) if found is not None else {}

    def images(self, deployment: str = "app") -> list[str]:
        """What a Deployment runs."""
        found = self.emulator.find(DEPLOYMENTS, deployment) or {}
        return [each["image"] for each in found["spec"]["template"]["spec"]["containers"]] if found else []

    def runs(self) -> list[Document]:
        """The records of all runs."""
        return [json.loads(each["data"]["run.json"]) for each in self.emulator.all(CONFIGMAPS)]

    def phases(self) -> list[str]:
        """Where all runs stand."""
        return [run["phase"] for run in self.runs()]

    def run_until(self, phases: set[str], patience: float = 400.0) -> bool:
        """Let the service work until every run is in one of these phases and it has nothing more to write."""
        until = self.now + patience
        while self.now < until:
            self.run(1.0)
            found = self.phases()
            if found and set(found) <= phases:
                return True
        return False

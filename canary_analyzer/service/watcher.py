"""Deployments as they change: whose annotation asks for a canary, and which runs an earlier process left behind."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from math import inf
from threading import Event, Lock

import structlog

from canary_analyzer.cluster import records
from canary_analyzer.cluster.client import DEPLOYMENTS, Cluster
from canary_analyzer.cluster.errors import ClusterError, Expired
from canary_analyzer.cluster.pauses import Pauses
from canary_analyzer.cluster.sweep import sweep_if_possible
from canary_analyzer.rollout import annotations
from canary_analyzer.rollout.intake import Seen
from canary_analyzer.routing import Document
from canary_analyzer.service.agenda import Key
from canary_analyzer.service.intake import calls, seen
from canary_analyzer.service.replicas import Shards
from canary_analyzer.service.rollouts import Rollouts

log = structlog.get_logger()

SWEEP = "(sweep)"
"""Stands for a Deployment's name where replicas agree on who sweeps; none can have it."""


@dataclass(frozen=True, kw_only=True)
class _Known:
    """A Deployment as it was when it was last looked at."""

    uid: str
    seen: Seen
    wishes: Mapping[str, str]
    before: Seen | None
    """How it looked before its trigger became what it is; None where nobody watched."""


class Watcher:
    """Watches the Deployments of one namespace, or of all (""); lists again whenever the watch breaks.

    `synced` is set once the first list has been worked through; `on_defect` is called for what a defect of ours ends.
    """

    def __init__(
        self, namespace: str, cluster: Cluster, rollouts: Rollouts, shards: Shards, on_defect: Callable[[], None]
    ) -> None:
        self._namespace = namespace
        self._cluster = cluster
        self._rollouts = rollouts
        self._shards = shards
        self._on_defect = on_defect
        self._looking = Lock()
        self._known: dict[Key, _Known] = {}
        self._since = inf
        """When the present watch began, by the monotonic clock."""
        self.synced = Event()

    def run(self) -> None:
        """Watch for ever; meant for a daemon thread."""
        pauses = Pauses()
        while True:
            self._since, wait = inf, 0.0
            try:
                self._follow()
            except Expired:
                log.info("watch expired, listing again")
            except ClusterError as error:
                log.warning("the API server does not answer, trying again", error=str(error))
                wait = error.retry_after
            except Exception:
                log.exception("watching failed by a defect of ours, trying again")
                self._on_defect()
            time.sleep(max(wait, pauses.after(time.monotonic() - self._since)))

    def look(self) -> str:
        """List everything and take up what is ours: runs, and Deployments that ask for one; return the list's version.

        Raises:
            ClusterError: the API server did not answer.
        """
        for record in records.active(self._cluster, self._namespace, self._rollouts.lacks):
            with self._apart(record.run.namespace, record.run.deployment):
                self._rollouts.add(record)
        with self._apart(self._namespace, SWEEP):
            self._sweep()
        with self._looking:
            # No event is taken in meanwhile: one of a Deployment that came after the list would be undone by it.
            listing = self._cluster.list(DEPLOYMENTS, self._namespace)
            for key in self._known.keys() - set(map(_key, listing.items)):
                self._forget(key)  # it went while nobody watched
            for deployment in listing.items:
                self._look_at(deployment)
        self.synced.set()
        return listing.version

    def _follow(self) -> None:
        version = self.look()
        self._since = time.monotonic()
        for kind, deployment in self._cluster.watch(DEPLOYMENTS, version, self._namespace):
            with self._looking:
                if kind == "DELETED":
                    self._forget(_key(deployment))
                elif kind in ("ADDED", "MODIFIED"):
                    self._look_at(deployment)

    def _sweep(self) -> None:
        """Sweep, where this is the replica to do so: with each list, since what an old one lacks would stay."""
        sweeping = (self._namespace, SWEEP)
        if self._shards.owns(sweeping):
            fenced = self._cluster.fenced(lambda: self._shards.require(sweeping))
            sweep_if_possible(fenced, self._namespace, self._rollouts.ports.pause)

    def _forget(self, key: Key) -> None:
        self._known.pop(key, None)
        if key in self._rollouts:
            self._rollouts.wake(key)  # its run has to give the route back

    @contextmanager
    def _apart(self, namespace: str, name: str) -> Iterator[None]:
        """Let what one object brings to light end the work on that one alone: there are others, of other teams."""
        try:
            yield
        except Exception:
            log.exception("left out by a defect of ours, the others go on", namespace=namespace, deployment=name)
            self._on_defect()

    def _look_at(self, deployment: Document) -> None:
        key = _key(deployment)
        with self._apart(*key):
            self._compare(key, deployment)

    def _compare(self, key: Key, deployment: Document) -> None:
        """Wake the Deployment's run where a wish has changed; take a request in where there is no run."""
        uid, now, wishes = deployment["metadata"].get("uid", ""), seen(deployment), annotations.wishes_of(deployment)
        earlier = self._known.get(key)
        if earlier is not None and earlier.uid != uid:
            self._forget(key)  # what another one of that name was like says nothing of this one
            earlier = None
        is_running = key in self._rollouts
        before = earlier.before if earlier is not None else None
        if earlier is not None and earlier.seen.image != now.image:
            # What a run itself makes of the template says nothing of what its user wants next.
            before = None if is_running else earlier.seen
        self._known[key] = _Known(uid=uid, seen=now, wishes=wishes, before=before)
        if is_running:
            if earlier is None or earlier.wishes != wishes:
                self._rollouts.wake(key)
        elif calls(deployment):
            self._rollouts.request(key, before)


def _key(deployment: Document) -> Key:
    return deployment["metadata"]["namespace"], deployment["metadata"]["name"]

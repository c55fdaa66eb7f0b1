"""Deployments as they change: whose annotation asks for a canary, and which runs an earlier process left behind."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
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
        self._seen: dict[Key, Seen] = {}
        self._wishes: dict[Key, Mapping[str, str]] = {}
        self._before: dict[Key, Seen | None] = {}
        """How a Deployment looked before its trigger became what it is; None where nobody watched."""
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
        listing = self._cluster.list(DEPLOYMENTS, self._namespace)
        with self._looking:
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
        for known in (self._seen, self._wishes, self._before):
            known.pop(key, None)
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
        now, wishes = seen(deployment), annotations.wishes_of(deployment)
        earlier, self._seen[key] = self._seen.get(key), now
        wished, self._wishes[key] = self._wishes.get(key), wishes
        is_running = key in self._rollouts
        if earlier is None or earlier.image != now.image:
            # What a run itself makes of the template says nothing of what its user wants next.
            self._before[key] = None if is_running else earlier
        if is_running:
            if wished != wishes:
                self._rollouts.wake(key)
        elif calls(deployment):
            self._rollouts.request(key, self._before[key])


def _key(deployment: Document) -> Key:
    return deployment["metadata"]["namespace"], deployment["metadata"]["name"]

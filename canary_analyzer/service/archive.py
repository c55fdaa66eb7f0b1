"""The runs as the records have them: read while somebody looks, never more often than is good for the API server."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from canary_analyzer.cluster import records
from canary_analyzer.cluster.client import Cluster
from canary_analyzer.cluster.errors import ClusterError
from canary_analyzer.cluster.records import Record
from canary_analyzer.rollout.run import Run

FRESH_SECONDS = 2.0
"""What was read is shown for so long before it is read again, whoever and however many look."""
SHARE_OF_TIME = 0.1
"""Reading takes at most this share of the time: with thousands of runs a list is read less often."""
REMEMBERED = 64
"""Whole records that are kept; one with its story has up to 200 kB."""

Name = tuple[str, str]
"""Namespace and name of a run."""


@dataclass(frozen=True, kw_only=True)
class Listed:
    """All runs as they were at one time."""

    runs: Mapping[Name, Run] = field(default_factory=dict)
    at: float = float("-inf")
    """Seconds since the epoch."""
    again_at: float = float("-inf")
    """Not to be read again before."""
    trouble: str = ""
    """Why they could not be read again; empty where they could."""


class Archive:
    """What the pages show. Safe to use from several threads.

    Runs of this process are shown as they are this moment, the others (of other replicas, and ended ones) as recorded.
    """

    def __init__(
        self,
        cluster: Cluster,
        namespaces: Sequence[str],
        active: Callable[[], Sequence[Record]],
        clock: Callable[[], float],
    ) -> None:
        self._cluster, self._namespaces, self._active, self._clock = cluster, namespaces, active, clock
        self._reading = threading.Lock()
        self._listed = Listed()
        self._whole: dict[Name, tuple[float, Record | None]] = {}

    def listed(self) -> Listed:
        """Return all runs."""
        with self._reading:
            if self._clock() >= self._listed.again_at:
                self._listed = self._read()
            listed = self._listed
        own = {(record.run.namespace, record.run.name): record.run for record in self._active()}
        return Listed(runs={**listed.runs, **own}, at=listed.at, again_at=listed.again_at, trouble=listed.trouble)

    def record(self, namespace: str, name: str) -> Record | None:
        """Return one run with its story; None where there is none.

        Raises:
            ClusterError: it cannot be read.
        """
        wanted = (namespace, name)
        own = (each for each in self._active() if (each.run.namespace, each.run.name) == wanted)
        if (found := next(own, None)) is not None:
            return found
        if wanted not in self.listed().runs:
            return None  # nobody makes us ask for names that he thinks up
        with self._reading:
            until, record = self._whole.pop(wanted, (float("-inf"), None))
            if self._clock() >= until:
                record = records.load(self._cluster, namespace, name)
                until = self._clock() + FRESH_SECONDS
            self._whole[wanted] = (until, record)
            while len(self._whole) > REMEMBERED:
                del self._whole[next(iter(self._whole))]
            return record

    def _read(self) -> Listed:
        began = self._clock()
        try:
            found = [run for namespace in self._namespaces for run in records.all_runs(self._cluster, namespace)]
        except ClusterError as error:
            again = self._clock() + FRESH_SECONDS
            return Listed(runs=self._listed.runs, at=self._listed.at, again_at=again, trouble=str(error))
        now = self._clock()
        pause = max(FRESH_SECONDS, (now - began) / SHARE_OF_TIME)
        return Listed(runs={(run.namespace, run.name): run for run in found}, at=now, again_at=now + pause)

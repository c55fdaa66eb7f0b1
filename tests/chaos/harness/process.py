"""The service as one process: what it knows is gone when it is killed, and it works only when the clock says so."""

from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import kubernetes
from prometheus_client import CollectorRegistry

from canary_analyzer.cluster.client import Cluster
from canary_analyzer.metrics import SampleReader
from canary_analyzer.rollout.plan import Offers
from canary_analyzer.rollout.policy import PROFILES
from canary_analyzer.service.agenda import Agenda
from canary_analyzer.service.reconcile import Ports
from canary_analyzer.service.replicas import Alone
from canary_analyzer.service.rollouts import Rollouts
from canary_analyzer.service.telemetry import Telemetry
from canary_analyzer.service.watcher import Watcher
from harness.strand import Strand
from harness.traffic import ScriptedReader
from harness.wire import Wire


@dataclass(frozen=True, kw_only=True)
class Job:
    """Work that is due at a time in seconds since the epoch."""

    at: float
    work: Callable[..., None]
    args: list[Any]


class Jobs:
    """A scheduler that runs nothing by itself; of APScheduler's it has what the service uses."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}

    def add_job(
        self, work: Callable[..., None], _trigger: str, *, run_date: datetime, args: list[Any], **more: Any
    ) -> None:
        """Plan a job in place of the one with this id."""
        self._jobs[more["id"]] = Job(at=run_date.timestamp(), work=work, args=args)

    @property
    def next_at(self) -> float:
        """When the next job is due."""
        return min((job.at for job in self._jobs.values()), default=float("inf"))

    def run(self, now: float) -> None:
        """Run what is due, once each."""
        for name, job in sorted(self._jobs.items(), key=lambda item: (item[1].at, item[0])):
            if job.at <= now:
                self._jobs.pop(name, None)
                job.work(*job.args)


class AtOnce(Executor):
    """Does work in the moment in which it is handed over."""

    def submit(self, work: Callable[..., Any], /, *args: Any, **more: Any) -> Future[Any]:
        """Do it; nobody asks for the result, so that what goes wrong ends the play."""
        done: Future[Any] = Future()
        done.set_result(work(*args, **more))
        return done


class Process:
    """The service from its start to its end, over a wire."""

    def __init__(
        self, wire: Wire, reader: SampleReader | ScriptedReader, clock: Callable[[], float], route_kind: str
    ) -> None:
        api = kubernetes.client.ApiClient(kubernetes.client.Configuration(host="http://emulator"))
        api.rest_client.pool_manager = wire
        cluster = Cluster(api)
        ports = Ports(cluster=cluster, reader=reader, clock=clock, pause=wire.sleep)  # type: ignore[arg-type]
        self.jobs = Jobs()
        offers = Offers(profiles=PROFILES, route_kind=route_kind)
        telemetry = Telemetry(CollectorRegistry())
        self._rollouts = Rollouts(ports, telemetry, Agenda(self.jobs, AtOnce()), offers, Alone())
        watcher = Watcher("", cluster, self._rollouts, Alone(), telemetry.health.defect)
        self._wire, self._heard = wire, -1
        self.watching = wire.strand = Strand(watcher.run)

    def work(self, now: float) -> None:
        """Hear what has happened to Deployments, and do what is due."""
        if self._wire.revision != self._heard or now >= self.watching.until:
            self._heard = self._wire.revision
            self.watching.resume()
        self.jobs.run(now)

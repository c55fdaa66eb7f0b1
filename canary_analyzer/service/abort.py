"""Ending every run without the service: the same passes, taken one after the other until nothing is left."""

import time
from collections.abc import Callable

import structlog

from canary_analyzer.cluster import records
from canary_analyzer.cluster.client import DEPLOYMENTS, Cluster
from canary_analyzer.cluster.errors import ClusterError, Conflict, NotFound
from canary_analyzer.cluster.records import Record
from canary_analyzer.cluster.sweep import sweep
from canary_analyzer.rollout import annotations
from canary_analyzer.rollout.evidence import fresh
from canary_analyzer.rollout.run import Run
from canary_analyzer.service import samples
from canary_analyzer.service.reconcile import Active, Ports, reconcile
from canary_analyzer.service.settings import ServiceSettings
from canary_analyzer.service.webhooks import Webhooks

log = structlog.get_logger()

POLL_SECONDS = 1.0
PATIENCE_SECONDS = 900.0
"""For all runs together; as long as a promoted stable may take to roll out."""


def abort_all(settings: ServiceSettings, cluster: Cluster, tell: Callable[[str], None]) -> list[str]:
    """Abort every active run and take its traces away; return the names of those that have not ended in time.

    A run whose stable already has the new version is brought to its end instead. A service that is running meanwhile
    does no harm: records are guarded, and whoever comes second reads again.

    Raises:
        ClusterError: the API server did not tell what runs there are, or a sweep failed once all runs had their time.
    """
    reader = samples.reader(settings.prometheus)
    ports = Ports(cluster=cluster, reader=reader, clock=time.time, webhooks=Webhooks(settings=settings.webhooks))
    namespaces = settings.namespaces or ("",)
    found = [record for namespace in namespaces for record in records.active(cluster, namespace)]
    left = _finished(ports, [_taken_up(record) for record in found], tell)
    for namespace in namespaces:
        for traces in sweep(cluster, namespace, time.sleep):
            tell(f"{traces.namespace}/{traces.run}: it had no record; its routes are as they were")
    return left


def _ask(cluster: Cluster, run: Run) -> bool:
    """Ask a run to abort, the way a user does, and tell whether that could be written."""
    patch = {"metadata": {"annotations": {annotations.ABORT: run.name}}}
    try:
        cluster.merge(DEPLOYMENTS, run.namespace, run.deployment, patch)
    except NotFound:
        return True  # its pass finds that out and gives the routes back
    except ClusterError as error:
        log.warning("a run could not be asked to abort, trying again", run=run.name, error=str(error))
        return False
    return True


def _finished(ports: Ports, runs: list[Active], tell: Callable[[str], None]) -> list[str]:
    """Take passes until all runs have ended; what keeps one from it keeps no other."""
    until, asked = ports.clock() + PATIENCE_SECONDS, set[str]()
    while runs and ports.clock() < until:
        for run in [active.run for active in runs if active.run.uid not in asked]:
            if _ask(ports.cluster, run):
                asked.add(run.uid)
        passed = [_passed(ports, active, tell) if active.run.uid in asked else active for active in runs]
        runs = [active for active in passed if active is not None]
        time.sleep(POLL_SECONDS if runs else 0)
    return [f"{active.run.namespace}/{active.run.name}" for active in runs]


def _passed(ports: Ports, active: Active, tell: Callable[[str], None]) -> Active | None:
    """Take a run one pass on; None when it is over."""
    try:
        following = reconcile(ports, active)
    except Conflict:
        record = records.load(ports.cluster, active.run.namespace, active.run.name)
        following = _taken_up(record) if record is not None else None
    except Exception as error:
        log.warning("a pass failed, trying again", run=active.run.name, error=str(error))
        return active
    ended = following is None or following.run.ended
    if ended:
        tell(f"{active.run.namespace}/{active.run.name}: {_outcome(following.run if following else None)}")
    return None if ended else following


def _taken_up(record: Record) -> Active:
    return Active(record=record, progress=fresh(record.run))


def _outcome(run: Run | None) -> str:
    return "its Deployment is gone, its routes are as they were" if run is None else f"{run.phase}; {run.reason}"

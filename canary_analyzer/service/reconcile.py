"""One pass over one run: plan, observe, samples, judge, decide, record, act, tell.

Every pass starts from what the cluster and Prometheus say now. The decision is recorded before it is acted upon, so
that a process killed in between finds in the record what it was about to do, and in the cluster how far it came.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from canary_analyzer.cluster import records
from canary_analyzer.cluster.act import Subject, abandon, act, set_status
from canary_analyzer.cluster.client import Cluster
from canary_analyzer.cluster.events import Notice, emit
from canary_analyzer.cluster.observe import observe
from canary_analyzer.cluster.records import Record
from canary_analyzer.metrics import SampleReader
from canary_analyzer.rollout.decide import decide
from canary_analyzer.rollout.evidence import Progress, evidence
from canary_analyzer.rollout.phases import Phase
from canary_analyzer.rollout.run import Moment, Run
from canary_analyzer.rollout.stages import Situation
from canary_analyzer.rollout.view import View
from canary_analyzer.service.samples import pair, read

TROUBLED = frozenset({Phase.HOLDING, Phase.ABORTING, Phase.ABORTED})


@dataclass(frozen=True, kw_only=True)
class Ports:
    """What a pass reads from and writes to."""

    cluster: Cluster
    reader: SampleReader
    clock: Callable[[], float]
    """Seconds since the epoch."""


@dataclass(frozen=True, kw_only=True)
class Active:
    """A run between two passes: its plan (the record), its samples so far, and the last look at the cluster."""

    record: Record
    progress: Progress
    view: View | None = None

    @property
    def run(self) -> Run:
        """The run as recorded."""
        return self.record.run


def reconcile(ports: Ports, active: Active) -> Active | None:
    """Take a run one pass forward; None where it is gone with its Deployment.

    Raises:
        Conflict: somebody else wrote in between; load the record again and try anew.
        ClusterError: the API server refused or did not answer; the next pass tries again.
    """
    plan = active.run
    view = observe(ports.cluster, plan)
    if view is None:
        abandon(ports.cluster, Subject(run=plan, snapshot=active.record.routes))
        ports.reader.forget(pair(plan))
        return None
    now = ports.clock()
    samples = read(ports.reader, plan, active.progress, now)
    judged = evidence(samples, plan)
    decision = decide(Situation(run=plan, view=view, evidence=judged, now=now))
    record = replace(active.record, run=decision.run)
    if decision.run != plan:
        record = records.save(ports.cluster, record)
    if decision.action is not None:
        act(ports.cluster, decision.action, Subject(run=decision.run, snapshot=record.routes))
    tell(ports.cluster, plan, decision.run)
    if not decision.run.ended and view.wishes.told != (decision.run.name, decision.run.phase):
        set_status(ports.cluster, decision.run)
    return Active(record=record, progress=samples, view=view)


def tell(cluster: Cluster, before: Run, after: Run) -> None:
    """Write what is new of a run's story as Events."""
    about = {"name": after.deployment, "namespace": after.namespace, "uid": after.uid}
    for moment in after.timeline:
        if moment not in before.timeline:
            emit(cluster, about, _notice(after, moment))


def _notice(run: Run, moment: Moment) -> Notice:
    return Notice(
        reason=f"Canary{moment.phase}",
        message=f"{run.name}: {moment.text}",
        at=moment.at,
        warning=moment.phase in TROUBLED,
    )

"""One pass over one run: plan, observe, samples, judge, decide, record, act, tell.

Every pass starts from what the cluster and Prometheus say now. A look at the cluster's cache suffices where nothing is
to be done; any other decision is made anew from the cluster itself. It is recorded before it is acted upon, so that a
process killed in between finds in the record what it was about to do, and in the cluster how far it came.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import takewhile

import structlog

from canary_analyzer.cluster import events, findings, records
from canary_analyzer.cluster.act import SETTLE_SECONDS, Subject, abandon, act
from canary_analyzer.cluster.cache import Cache
from canary_analyzer.cluster.client import Cluster
from canary_analyzer.cluster.errors import ClusterError
from canary_analyzer.cluster.events import Notice, emit
from canary_analyzer.cluster.glance import Glance, glance
from canary_analyzer.cluster.observe import observe
from canary_analyzer.cluster.records import Record
from canary_analyzer.cluster.stable import set_status
from canary_analyzer.metrics import SampleReader
from canary_analyzer.rollout.actions import Action, CallWebhooks, RestoreRoutes
from canary_analyzer.rollout.advice import what_now
from canary_analyzer.rollout.decide import Decision, decide
from canary_analyzer.rollout.evidence import Progress, evidence
from canary_analyzer.rollout.phases import Phase
from canary_analyzer.rollout.programs import Situation
from canary_analyzer.rollout.run import Moment, Run
from canary_analyzer.rollout.story import continued
from canary_analyzer.rollout.view import Evidence, View
from canary_analyzer.service.notifications.notifier import Notifications
from canary_analyzer.service.samples import pair, read
from canary_analyzer.service.webhooks import Webhooks

log = structlog.get_logger()

TROUBLED = frozenset({Phase.HOLDING, Phase.ABORTING, Phase.ABORTED})

STORY_TICKS = 15
"""Ticks after which a run that does not change is saved all the same, for its story: 0.07 writes per tick.

So old may be the figures that `kubectl canary watch` shows, and the pages of other replicas.
"""


@dataclass(frozen=True, kw_only=True)
class Ports:
    """What a pass reads from and writes to."""

    cluster: Cluster
    reader: SampleReader
    clock: Callable[[], float]
    """Seconds since the epoch."""
    pause: Callable[[float], None] = time.sleep
    """Lets some seconds pass."""
    cache: Cache | None = None
    """Where the first look goes; the cluster, where there is none."""
    webhooks: Webhooks = field(default_factory=Webhooks)
    notifications: Notifications = field(default_factory=Notifications)
    on_defect: Callable[[], None] = lambda: None
    """Told where something failed by a defect of ours and the pass goes on all the same."""
    read_logs: bool = True
    """Whether the last log lines of a canary that is sent back are kept in its record."""


@dataclass(frozen=True, kw_only=True)
class Active:
    """A run between two passes: its plan (the record), its samples so far, and the last look at the cluster."""

    record: Record
    """As saved, but for the newest ticks of its story."""
    progress: Progress
    saved_ticks: int = 0
    """How many ticks of the story are saved."""
    view: View | None = None
    glance: Glance | None = None
    """The last look at the cache."""
    judged: Evidence | None = None
    """What the last pass decided by."""
    told: Moment | None = None
    """The last line of the run's story that was told."""
    write_trouble: str = ""
    """Why the last write failed; empty where it did not."""
    patience: float = 0.0
    """For how many seconds nothing is to be done: the API server wants to be left alone, or proxies have to follow."""
    wrote_at: tuple[str, float] | None = None
    """The stage, and since when, of the last write that was taken."""
    given_back_at: float | None = None
    """When its routes were given back because its Deployment is gone, in seconds since the epoch; None: it is not."""
    is_unsure: bool = False
    """Whether the record may say more than is known: a write of it was refused, or its answer was lost."""

    @property
    def run(self) -> Run:
        """The run as recorded."""
        return self.record.run


def reconcile(ports: Ports, active: Active) -> Active | None:
    """Take a run one pass forward; None where it is gone with its Deployment.

    Raises:
        Conflict: somebody else wrote the record in between; load it again and try anew.
        ClusterError: the API server did not answer; the next pass tries again.
    """
    return conclude(ports, sampled(ports, active))


def sampled(ports: Ports, active: Active) -> Active:
    """Return the run with its samples up to now; whatever fails later, they need not be read again.

    Whatever it is that they cannot be read or judged for: a run without metrics still obeys its user and its deadline.
    """
    try:
        return following(active, read(ports.reader, active.run, active.progress, ports.clock()))
    except Exception as error:
        why = f"the metrics could not be read by a defect of canary-analyzer, see its log: {error!r:.200}"
        if active.progress.unavailable != why:
            log.exception("the metrics could not be read by a defect of ours, going on without")
        ports.on_defect()
        return following(active, active.progress.without_metrics(why))


def following(active: Active, progress: Progress) -> Active:
    """Return the run with these samples, what the judge says of them, and the story told so far."""
    judged = evidence(progress, active.run)
    story = continued(active.record.story, active.run, progress, judged.verdict)
    return replace(active, progress=progress, judged=judged, record=replace(active.record, story=story))


def conclude(ports: Ports, active: Active) -> Active | None:
    """Do what the samples and the cluster ask for; as `reconcile`."""
    plan, judged = active.run, active.judged or evidence(active.progress, active.run)
    seen = glance(ports.cache, plan, active.glance) if ports.cache is not None else None
    situation, decision = _decided(
        ports, active, judged, seen.view if seen is not None else observe(ports.cluster, plan)
    )
    if seen is not None and _writes(plan, decision):
        situation, decision = _decided(ports, active, judged, observe(ports.cluster, plan))
    if situation is None or decision is None:
        return _abandoned(ports, active)
    record = replace(active.record, run=decision.run)
    active = replace(active, record=record, view=situation.view, glance=seen, judged=judged)
    if decision.run.ended:  # told before the record says that nothing is left to do: nobody comes back to it
        active = _told(ports.cluster, active)
    if decision.run != plan or active.record.story.ticks - active.saved_ticks >= STORY_TICKS:
        active = _saved(ports, active)
    if decision.run is not plan and pair(decision.run) != pair(plan):
        ports.reader.forget(pair(plan))  # the new pods of a rolling update are known from now on
    told = tell(ports.cluster, _inspected(ports, _acted(ports, active, decision.action)))
    ports.notifications.post(ports.cluster, told.record)
    return told


def _abandoned(ports: Ports, active: Active) -> Active | None:
    """Give the routes of a run back whose Deployment is gone, and delete what is left once proxies have followed.

    No thread waits for that: many Deployments may go at once, and others have runs too.
    """
    subject, now = Subject(run=active.run, snapshot=active.record.routes), ports.clock()
    waited = now - active.given_back_at if active.given_back_at is not None else -1.0
    if waited < 0:  # not yet, or the clock was set back
        act(ports.cluster, RestoreRoutes(), subject)
        return replace(active, given_back_at=now, patience=SETTLE_SECONDS)
    if waited < SETTLE_SECONDS:
        return replace(active, patience=SETTLE_SECONDS - waited)
    abandon(ports.cluster, subject)
    ports.reader.forget(pair(active.run))
    return None


def _decided(
    ports: Ports, active: Active, judged: Evidence, view: View | None
) -> tuple[Situation, Decision] | tuple[None, None]:
    """Decide by what was seen of the cluster; None where the run's Deployment is gone."""
    plan = active.run
    if view is None:
        return None, None
    answers, first_look = ports.webhooks.answers(plan), active.view is None
    wrote = active.wrote_at == (plan.stage, plan.stage_since)
    view = replace(view, write_trouble=active.write_trouble, wrote=wrote, answers=answers, first_look=first_look)
    situation = Situation(run=plan, view=view, evidence=judged, now=ports.clock())
    return situation, decide(situation)


def _writes(plan: Run, decision: Decision | None) -> bool:
    """Whether a decision leads to a write to the cluster."""
    if decision is None or decision.run != plan:
        return True
    return decision.action is not None and not isinstance(decision.action, CallWebhooks)


def _saved(ports: Ports, active: Active) -> Active:
    record = records.save(ports.cluster, ports.notifications.stamped(active.record))
    return replace(active, record=record, saved_ticks=record.story.ticks)


def _inspected(ports: Ports, active: Active) -> Active:
    """Keep, once, what the canary's pods look like when the run's end is decided: soon they are gone.

    Only then, and not before the write that sends traffic back, for which users wait.
    """
    run, story = active.run, active.record.story
    if run.phase not in (Phase.ABORTING, Phase.PROMOTING) or story.inspected == run.phase:
        return active
    found = findings.inspect(ports.cluster, run, ports.clock(), read_logs=ports.read_logs)
    told = story.model_copy(update={"findings": (*story.findings, *found), "inspected": run.phase})
    return _saved(ports, replace(active, record=replace(active.record, story=told)))


def _acted(ports: Ports, active: Active, action: Action | None) -> Active:
    """Carry the action out and remember what came of it."""
    error = _act(ports, action, active.record)
    if error is not None:
        return replace(active, write_trouble=str(error), patience=error.retry_after)
    active = replace(active, write_trouble="", patience=0.0)
    if action is None or isinstance(action, CallWebhooks):
        return active
    return replace(active, wrote_at=(active.run.stage, active.run.stage_since))


def _act(ports: Ports, action: Action | None, record: Record) -> ClusterError | None:
    """Carry the action out and return why it failed, or None; the goal that it leads to is awaited either way."""
    try:
        match action:
            case None:
                return None
            case CallWebhooks(calls=calls):
                ports.webhooks.call(record.run, calls)
            case _:
                act(ports.cluster, action, Subject(run=record.run, snapshot=record.routes))
    except ClusterError as error:
        log.warning("a write failed, trying again with the next pass", error=str(error))
        return error
    return None


def tell(cluster: Cluster, active: Active) -> Active:
    """Write what is new of a run's story as log lines and Events, and its phase as the status annotation.

    After a restart the whole story is told again: Events of the same moment and text have the same name.
    """
    try:
        return _told(cluster, active)
    except ClusterError as error:
        log.warning("the story could not be told, trying again with the next pass", error=str(error))
        return replace(active, patience=max(active.patience, error.retry_after))


def _told(cluster: Cluster, active: Active) -> Active:
    run = active.run
    about = {"name": run.deployment, "namespace": run.namespace, "uid": run.uid}
    # By what was told, not by when: a clock can be set back.
    untold = [*takewhile(lambda moment: moment != active.told, reversed(run.timeline))]
    for moment in reversed(untold):
        log.info(moment.text, phase=moment.phase, weight=moment.weight)
        emit(cluster, about, _notice(run, moment))
    told = active.view.wishes.told if active.view is not None else None
    if not run.ended and told != (run.name, run.phase, run.waiting):
        set_status(cluster, run)
    return replace(active, told=run.timeline[-1] if run.timeline else None)


def _notice(run: Run, moment: Moment) -> Notice:
    ended = run.ended and moment == run.timeline[-1]
    return Notice(
        reason=f"{events.RUN}{moment.phase}",
        message=f"{run.name}: {moment.text}" + (f". What now: {what_now(run)}" if ended else ""),
        at=moment.at,
        warning=moment.phase in TROUBLED,
    )

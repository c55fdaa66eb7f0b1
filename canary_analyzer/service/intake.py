"""From an annotated Deployment to a run: accept it, refuse it with every reason, or take an echo away."""

from contextlib import suppress
from dataclasses import dataclass

import structlog

from canary_analyzer.cluster import events, outbox, records
from canary_analyzer.cluster.client import DEPLOYMENTS, Cluster
from canary_analyzer.cluster.errors import ClusterError
from canary_analyzer.cluster.events import Notice, emit
from canary_analyzer.cluster.observe import surroundings, workload
from canary_analyzer.cluster.records import Record
from canary_analyzer.cluster.routes import live
from canary_analyzer.cluster.stable import admitted, annotate
from canary_analyzer.rollout import annotations, plan, rolling_plan, sibling
from canary_analyzer.rollout.advice import in_sight
from canary_analyzer.rollout.decide import begin
from canary_analyzer.rollout.intake import Intent, Seen, assess
from canary_analyzer.rollout.phases import Phase
from canary_analyzer.rollout.plan import Offers, Surroundings
from canary_analyzer.rollout.run import Run
from canary_analyzer.rollout.strategy import Strategy
from canary_analyzer.rollout.traces import as_before
from canary_analyzer.routing import Document
from canary_analyzer.service.byo import run_of_brought

log = structlog.get_logger()

ECHO = (
    "the annotation image came back together with an older pod template (kubectl rollout undo?) and was taken away: "
    "no canary was started; annotate again to start one"
)

TRIES = 4
"""So often an Event is tried that nobody comes back to."""
NO_REQUEST = {annotations.IMAGE: None, annotations.REQUEST: None}
"""The annotations of a Deployment that asks for nothing."""


class StillChanging(Exception):
    """The workload controller has not seen the Deployment's newest change yet: ask again soon."""


def seen(deployment: Document) -> Seen:
    """Return what matters of a Deployment when it is looked at again later."""
    return Seen.of(deployment, sibling.template_hash(deployment))


def take_in(cluster: Cluster, deployment: Document, before: Seen | None, offers: Offers, now: float) -> Record | None:
    """Return the record of the run that the Deployment's annotations start, if they do, or of the one that is active.

    Args:
        cluster: where to write.
        deployment: as it is now.
        before: how it looked before it got its trigger; None where nobody watched.
        offers: what its annotations can choose from.
        now: seconds since the epoch.

    Raises:
        StillChanging: it is too early to tell; annotating alone makes a new generation.
        NotYet: a canary that the user brought cannot be judged yet; it is to be looked at again.
        Conflict: another replica has taken the request in, or the list of runs was an old one: look again.
        TurnedDown: the annotations ask for what cannot be; that was told, and the request has ended.
    """
    if not calls(deployment):
        return None
    metadata = deployment["metadata"]
    past = records.runs_of_deployment(cluster, metadata["namespace"], metadata["name"])
    if (active := next((run for run in past if not run.ended), None)) is not None:
        return records.find(cluster, active)
    if annotations.tells_of_a_run(deployment):
        deployment = _status_corrected(cluster, deployment, past)
    if not annotations.asks(deployment):
        return None
    if annotations.BASELINE in annotations.of(deployment):
        run = run_of_brought(cluster, deployment, past, offers, now)
    else:
        run = _run_of(cluster, deployment, Past(before=before, runs=past), offers, now)
    if run is None:
        return None
    records.prune(cluster, past)
    return _accept(cluster, run, now)


def calls(deployment: Document) -> bool:
    """Whether a Deployment without a run wants one, or says that it has one."""
    return annotations.asks(deployment) or annotations.tells_of_a_run(deployment)


def _status_corrected(cluster: Cluster, deployment: Document, past: tuple[Run, ...]) -> Document:
    """Say how the last run ended, where `kubectl rollout undo` has brought back what was said in the middle of it."""
    annotate(cluster, deployment, {annotations.STATUS: in_sight(past[-1]) if past else None})
    return cluster.get(DEPLOYMENTS, deployment["metadata"]["namespace"], deployment["metadata"]["name"])


class TurnedDown(Exception):
    """The request was refused, and whoever made it was told why."""


@dataclass(frozen=True, kw_only=True)
class Past:
    """What is known of a Deployment from before."""

    before: Seen | None
    runs: tuple[Run, ...]


def _run_of(cluster: Cluster, deployment: Document, past: Past, offers: Offers, now: float) -> Run | None:
    """Return the run that the annotation `image` asks for, Pending; None, and the request ended, where it asks none."""
    intent = assess(past.before, seen(deployment), past.runs)
    if intent is Intent.ECHO:
        _ignore(cluster, deployment, Notice(reason=events.IGNORED, message=ECHO, at=now, warning=True))
        return None
    if not workload(deployment).current:
        raise StillChanging
    around = surroundings(cluster, deployment, offers.route_kind)
    try:
        alone(cluster, deployment)
        run = planned(deployment, around, offers, records.next_number(cluster, deployment, past.runs), now)
        images = admitted(cluster, deployment, run.images)
        if reasons := plan.pointless(deployment, images):
            raise plan.Refused(reasons)
    except plan.Refused as refused:
        refuse(cluster, deployment, offers, str(refused), now)
        raise TurnedDown from refused
    return run.model_copy(update={"images": images})


def planned(deployment: Document, around: Surroundings, offers: Offers, number: int, now: float) -> Run:
    """Return the run that the annotations ask for, by the planner of its strategy; as `rollout.plan.plan`."""
    asked = annotations.of(deployment).get(annotations.STRATEGY)
    planner = rolling_plan.plan if asked == Strategy.ROLLING else plan.plan
    return planner(deployment, around, offers, number, now)


def alone(cluster: Cluster, deployment: Document) -> None:
    """Refuse a Deployment with which a canary that the user brought is being compared.

    Raises:
        Refused: it is.
    """
    metadata = deployment["metadata"]
    run = records.comparing_with(cluster, metadata["namespace"], metadata["name"])
    if run is not None:
        raise plan.Refused([f"run {run.name} compares with {metadata['name']} just now; let it end first"])


def _accept(cluster: Cluster, run: Run, now: float) -> Record:
    routes = [as_before(document, run) for document in live(cluster, run)]
    return records.create(cluster, begin(run, now), routes)


def refuse(cluster: Cluster, deployment: Document, offers: Offers, reason: str, now: float) -> None:
    """End a request that cannot be met, and say why; first to whoever is notified, then in an Event and the status."""
    if offers.tells_refusals:
        outbox.put(cluster, deployment, reason, now)
    status = annotations.status_line(run="", phase=Phase.REFUSED, weight=0, verdict="", reason=reason)
    message = f"no canary was started and nothing was changed: {reason}"
    _end(cluster, deployment, Notice(reason=events.REFUSED, message=message, at=now, warning=True), status)


def _end(cluster: Cluster, deployment: Document, notice: Notice, status: str) -> None:
    """Take the request away and say why; first the Event, so that a crash in between repeats it and loses nothing."""
    log.warning("no canary was started", reason=notice.message)
    emit(cluster, deployment["metadata"], notice)
    annotate(cluster, deployment, {**NO_REQUEST, annotations.STATUS: status})


def _ignore(cluster: Cluster, deployment: Document, notice: Notice) -> None:
    """Take an echo away and say why; the Event comes last, for after a crash nobody could tell it from a wish."""
    log.warning("no canary was started", reason=notice.message)
    try:
        annotate(cluster, deployment, NO_REQUEST)
    except ClusterError as error:
        if error.status:
            raise
        _insist(cluster, deployment, notice)  # it may have been made, and then nobody comes back to say so
        raise
    _insist(cluster, deployment, notice)


def _insist(cluster: Cluster, deployment: Document, notice: Notice) -> None:
    """Write an Event that will not be written later."""
    for _ in range(TRIES - 1):
        with suppress(ClusterError):
            emit(cluster, deployment["metadata"], notice)
            return
    emit(cluster, deployment["metadata"], notice)

"""From a canary that the user brought to a run: the annotation `baseline` stays, so refusals are looked at again."""

import structlog

from canary_analyzer.cluster import events, outbox, records
from canary_analyzer.cluster.client import DEPLOYMENTS, Cluster
from canary_analyzer.cluster.events import Notice, emit
from canary_analyzer.cluster.observe import surroundings, workload
from canary_analyzer.cluster.stable import annotate
from canary_analyzer.rollout import annotations, byo_plan
from canary_analyzer.rollout.phases import Phase
from canary_analyzer.rollout.plan import Offers, Refused
from canary_analyzer.rollout.run import Run
from canary_analyzer.routing import Document

log = structlog.get_logger()


class NotYet(Exception):
    """What the canary needs is not there; with GitOps it may come at any time, in any order: look again later.

    Args:
        news: whether the reasons are others than when it was looked at before.
    """

    def __init__(self, *, news: bool) -> None:
        super().__init__()
        self.news = news


def run_of_brought(cluster: Cluster, canary: Document, past: tuple[Run, ...], offers: Offers, now: float) -> Run | None:
    """Return the run that judges a canary with the annotation `baseline`, Pending; None where none is due.

    Raises:
        NotYet: it is due but cannot start; the reasons are in the status and an Event.
    """
    if not byo_plan.is_asked(canary, workload(canary), past):
        return None
    namespace, name = canary["metadata"]["namespace"], annotations.of(canary)[annotations.BASELINE]
    stable = cluster.find(DEPLOYMENTS, namespace, name) if name else None
    other = records.comparing_with(cluster, namespace, name) if stable is not None else None
    brought = byo_plan.Brought(
        canary=canary,
        stable=stable,
        stable_workload=workload(stable) if stable is not None else None,
        around=surroundings(cluster, canary, offers.route_kind),
        busy=other.name if other is not None else "",
    )
    try:
        return byo_plan.plan(brought, offers, records.next_number(cluster, canary, past), now)
    except Refused as refused:
        raise NotYet(news=_refuse(cluster, canary, offers, str(refused), now)) from refused


def _refuse(cluster: Cluster, canary: Document, offers: Offers, reason: str, now: float) -> bool:
    """Say why nothing starts, once for each reason; return whether it is news."""
    status = annotations.status_line(run="", phase=Phase.REFUSED, weight=0, verdict="", reason=reason)
    if annotations.of(canary).get(annotations.STATUS) == status:
        return False
    if offers.tells_refusals:
        outbox.put(cluster, canary, reason, now)
    message = f"the canary is not judged and nothing was changed: {reason}"
    log.warning("no run was started", reason=message)
    emit(cluster, canary["metadata"], Notice(reason=events.REFUSED, message=message, at=now, warning=True))
    annotate(cluster, canary, {annotations.STATUS: status})
    return True

"""The writes to a cluster; each looks first and is safe to repeat."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from canary_analyzer import routing
from canary_analyzer.cluster import autoscaling, routes, siblings, stable
from canary_analyzer.cluster.client import MANAGER, Cluster
from canary_analyzer.cluster.errors import REFUSED, ClusterError
from canary_analyzer.cluster.rolling import roll
from canary_analyzer.rollout import actions
from canary_analyzer.rollout.phases import Phase
from canary_analyzer.rollout.run import RouteRef, Run
from canary_analyzer.rollout.traces import Mark, Traces, marked, unmarked
from canary_analyzer.routing import Document, ServiceName

SETTLE_SECONDS = 10.0
"""Between the last route given back and the first pod deleted: proxies learn of it meanwhile (Istio debounces 10 s)."""


class Routed(ClusterError):
    """What was to be deleted has requests yet."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What a write is about: the run, and its routes as the user had them."""

    run: Run
    snapshot: Sequence[Document]


def act(cluster: Cluster, action: actions.ClusterAction, subject: Subject) -> None:
    """Carry out one action.

    Raises:
        Conflict: somebody else wrote in between; decide anew.
        ClusterError: the API server refused or did not answer.
    """
    match action:
        case actions.SetTraffic() | actions.RestoreRoutes():
            _route(cluster, action, subject)
        case actions.HoldFloor() | actions.ReleaseFloor():
            _size(cluster, action, subject.run)
        case actions.PatchStable() | actions.RollStable() | actions.TakeApproval() | actions.CloseRequest():
            _change_stable(cluster, action, subject.run)
        case _:
            _make_or_delete(cluster, action, subject.run)


def abandon(cluster: Cluster, subject: Subject) -> None:
    """Delete what is left of a canary whose Deployment was deleted, its routes given back `SETTLE_SECONDS` ago.

    Raises:
        ClusterError: the API server did not answer, or refused something else than the autoscaler, which sweeps see to,
            as they do to a canary to which other routes lead.
    """
    with suppress(Routed):
        act(cluster, actions.DeleteCanary(), subject)
        act(cluster, actions.DeleteCanaryServices(), subject)
    try:
        act(cluster, actions.ReleaseFloor(), subject)
    except ClusterError as error:
        if error.status not in REFUSED:
            raise


def _route(cluster: Cluster, action: actions.SetTraffic | actions.RestoreRoutes, subject: Subject) -> None:
    match action:
        case actions.SetTraffic(traffic=traffic):
            routes.edit(cluster, subject.run.routes, lambda live: _with_traffic(live, subject, traffic))
        case actions.RestoreRoutes():
            routes.edit(cluster, subject.run.routes, lambda live: _restored(live, subject))
            # A last write of its own: one that changed fields would make us their owner again.
            routes.edit(cluster, subject.run.routes, lambda live: routing.disowned(live, MANAGER))


def _size(cluster: Cluster, action: actions.HoldFloor | actions.ReleaseFloor, run: Run) -> None:
    match action:
        case actions.HoldFloor():
            autoscaling.hold(cluster, run.namespace, run.stable, run.stable_replicas)
        case actions.ReleaseFloor():
            autoscaling.release(cluster, run.namespace, run.stable)


def _change_stable(cluster: Cluster, action: actions.StableAction, run: Run) -> None:
    match action:
        case actions.PatchStable(images=images):
            stable.patch_images(cluster, run, images)
        case actions.RollStable():
            roll(cluster, run, action)
        case actions.TakeApproval():
            stable.take_approval(cluster, run)
        case actions.CloseRequest():
            stable.close_request(cluster, run)


def _make_or_delete(cluster: Cluster, action: actions.SiblingAction, run: Run) -> None:
    match action:
        case actions.CreateCanary(replicas=replicas):
            siblings.create(cluster, run, replicas)
        case actions.ScaleCanary(replicas=replicas):
            siblings.scale(cluster, run, replicas)
        case actions.DeleteCanary():
            siblings.delete(cluster, Traces.of(run), partial(_check_unrouted, cluster, Traces.of(run)))
        case actions.DeleteCanaryServices():
            siblings.delete_services(cluster, Traces.of(run))


def _check_unrouted(cluster: Cluster, traces: Traces) -> None:
    """Raise where a route of which the run knows nothing, such as a copy of its own, leads to what it has made."""
    routed = routes.routed(cluster, traces.namespace)
    for service in traces.services:
        if (route := routed.get(ServiceName(service, traces.namespace))) is not None:
            raise Routed(f"{route} leads to the canary as well; take it out there")


def _with_traffic(live: Document, subject: Subject, traffic: routing.Traffic) -> Document:
    router, traces = routing.ROUTERS[live["kind"]], Traces.of(subject.run)
    mark = Mark(traces=traces, spec=_snapshot(live, subject).get("spec") or {})
    return marked(router.with_traffic(live, traces.target, traffic), mark)


def _restored(live: Document, subject: Subject) -> Document:
    router, traces, snapshot = routing.ROUTERS[live["kind"]], Traces.of(subject.run), _snapshot(live, subject)
    if _was_sent_back(subject.run) and router.canary_weight(snapshot, traces.target):
        # The user's own split would send requests to the canary that was just found worse.
        return unmarked(router.with_traffic(live, traces.target, routing.Traffic()), traces)
    return unmarked(router.restored(live, snapshot, traces.target), traces)


def _was_sent_back(run: Run) -> bool:
    """Whether a canary that the user brought, and that stays there, did not pass."""
    return bool(run.baseline) and run.phase is not Phase.PROMOTING


def _snapshot(live: Document, subject: Subject) -> Document:
    return next(document for document in subject.snapshot if RouteRef.of(document) == RouteRef.of(live))

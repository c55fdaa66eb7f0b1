"""What runs without a record have left behind, found by the marks on routes and autoscalers, and taken away.

A run's record goes with its Deployment. Where no service was there to see that, the canary's destination stays in the
routes, and requests for it fail; here they get back what the mark says they were.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import structlog

from canary_analyzer import routing
from canary_analyzer.cluster import autoscaling, records, rolling, routes, siblings
from canary_analyzer.cluster.act import SETTLE_SECONDS
from canary_analyzer.cluster.client import DEPLOYMENTS, MANAGER, Cluster
from canary_analyzer.cluster.errors import REFUSED, ClusterError
from canary_analyzer.rollout.run import RouteRef
from canary_analyzer.rollout.traces import Mark, Traces, given_back, has_marks, marks_of
from canary_analyzer.routing import Document, ServiceName

log = structlog.get_logger()


def sweep(cluster: Cluster, namespace: str, wait: Callable[[float], None]) -> tuple[Traces, ...]:
    """Take away what runs have left that no record tells of, and return whose traces they were.

    Args:
        cluster: where.
        namespace: whose runs; "" is all.
        wait: sleeps for some seconds.

    Raises:
        ClusterError: the API server did not answer, or, once all else is done, a route could not be given back; what is
            left is found by the next sweep.
    """
    marked = [each for each in _marked_routes(cluster, namespace) if namespace in ("", each[1].traces.namespace)]
    active = {run.uid for run in records.active_runs(cluster, namespace)} if marked else set()
    found = [
        (route, mark) for route, mark in marked if mark.traces.uid not in active and _is_orphan(cluster, mark.traces)
    ]
    stuck = {_run(mark): error for route, mark in found if (error := _give_back(cluster, route, mark)) is not None}
    traces = tuple({_run(mark): mark.traces for _, mark in found if _run(mark) not in stuck}.values())
    if traces or siblings.abandoned(cluster, namespace):
        wait(SETTLE_SECONDS)  # where no mark is left, whoever gave the route back may have been cut off just now
        _delete(cluster, namespace, traces)
    _give_up(cluster, namespace)
    for error in stuck.values():
        raise error
    return traces


def _delete(cluster: Cluster, namespace: str, traces: tuple[Traces, ...]) -> None:
    made = siblings.abandoned(cluster, namespace)
    condemned = [siblings.condemn(cluster, each) for kind, each in made if kind == DEPLOYMENTS]
    # What is condemned serves on as long as we hold it; a list from before that could hide a route that leads to it.
    routed = routes.routed(cluster, namespace, max(condemned, default=0))
    for run in traces:
        with _apart(run.namespace, run.deployment):
            autoscaling.release(cluster, run.namespace, run.deployment)
        if not routed.keys() & {ServiceName(name, run.namespace) for name in run.services}:
            siblings.delete(cluster, run)
            siblings.delete_services(cluster, run)
    for kind, each in siblings.unrouted(siblings.abandoned(cluster, namespace), routed):
        log.warning("a run without a record had made this: deleted", kind=kind.plural, name=each["metadata"]["name"])
        siblings.dispose(cluster, kind, each)


def _run(mark: Mark) -> tuple[str, str]:
    """Return namespace and name of the run that a mark tells of."""
    return mark.traces.namespace, mark.traces.run


def _give_back(cluster: Cluster, route: RouteRef, mark: Mark) -> ClusterError | None:
    """Make a route what its mark says it was; return why that is impossible, for anything can stand in a mark."""
    try:
        routes.edit(cluster, [route], partial(given_back, mark=mark))
        routes.edit(cluster, [route], lambda live: routing.disowned(live, MANAGER))
    except Exception as error:
        if isinstance(error, ClusterError) and error.status not in REFUSED:
            raise
        return ClusterError(f"{route} cannot be given back as its mark says; mend it and take the mark away: {error}")
    log.warning("a run without a record had edited this route: given back", route=str(route), run=mark.traces.run)
    return None


def _give_up(cluster: Cluster, namespace: str) -> None:
    """Give up what a run held when it was cut off or its record lost: an autoscaler's floor, route fields, a pace.

    Records are read last: whatever is held for a run that has just begun has one by then.
    """
    held, slowed = autoscaling.held(cluster, namespace), rolling.slowed(cluster, namespace)
    owned = {
        route
        for route, document in _routes(cluster, namespace)
        if not has_marks(document) and routing.disowned(document, MANAGER) != document
    }
    if not held and not owned and not slowed:
        return
    active = records.active_runs(cluster, namespace)
    for stable in held - {(run.namespace, run.stable) for run in active}:
        with _apart(*stable):
            autoscaling.release(cluster, *stable)
    for stable in slowed - {(run.namespace, run.stable) for run in active}:
        with _apart(*stable):
            rolling.release(cluster, *stable)
    for route in owned - {route for run in active for route in run.routes}:
        with _apart(route.namespace, route.name):
            routes.edit(cluster, [route], lambda live: routing.disowned(live, MANAGER))


@contextmanager
def _apart(namespace: str, name: str) -> Iterator[None]:
    """Let a write that is refused, be it for what stands in a mark, keep none of the others from what is theirs."""
    try:
        yield
    except ClusterError as error:
        if error.status not in REFUSED:
            raise
        log.warning("what a run holds cannot be given up; mend it", namespace=namespace, name=name, error=str(error))


def _marked_routes(cluster: Cluster, namespace: str) -> Iterator[tuple[RouteRef, Mark]]:
    for route, document in _routes(cluster, namespace):
        try:
            yield from ((route, _checked(mark)) for mark in marks_of(document))
        except ValueError as error:
            log.error("a route's mark cannot be read; take it away", route=str(route), error=str(error))


def _checked(mark: Mark) -> Mark:
    """Return the mark of a run as there can be one: its Services are of its own namespace."""
    if mark.traces.target.namespace != mark.traces.namespace:
        raise ValueError(f"it speaks of Services of another namespace, {mark.traces.target.namespace}")
    return mark


def _routes(cluster: Cluster, namespace: str) -> Iterator[tuple[RouteRef, Document]]:
    for name, kind in routes.ROUTE_KINDS.items():
        for document in routes.named(routes.visible(cluster, kind, namespace), name):
            yield RouteRef.of(document), document


def _is_orphan(cluster: Cluster, traces: Traces) -> bool:
    """Whether nobody will bring the run to its end; a record that has not ended says that somebody will.

    A Deployment that was deleted and made anew counts its runs from 1 again: another run may have the name now.
    """
    try:
        record = records.load(cluster, traces.namespace, traces.run)
    except records.Garbled:  # its run may go on once somebody has mended it, but not without its Deployment
        live = cluster.find(DEPLOYMENTS, traces.namespace, traces.deployment)
        return live is None or live["metadata"]["uid"] != traces.uid
    return record is None or record.run.ended or record.run.uid != traces.uid


def sweep_if_possible(cluster: Cluster, namespace: str, wait: Callable[[float], None]) -> None:
    """Sweep; where that is not possible, what is left harms nobody more than before."""
    try:
        sweep(cluster, namespace, wait)
    except ClusterError as error:
        log.warning("what earlier runs have left could not be swept, trying again in some minutes", error=str(error))

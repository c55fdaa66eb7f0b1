"""Route documents of a run in the cluster: found wherever they are, edited as they are now, nothing else touched."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial

from canary_analyzer import routing
from canary_analyzer.cluster.cache import Reads, Version
from canary_analyzer.cluster.client import HTTP_ROUTES, VIRTUAL_SERVICES, Cluster, Kind, Listing
from canary_analyzer.cluster.errors import REFUSED, ClusterError, Conflict, NotFound
from canary_analyzer.rollout.run import RouteRef, Run
from canary_analyzer.routing import Document, ServiceName

ATTEMPTS = 5
"""Concurrent edits of one document that are waited out within a pass; the next pass tries again anyway."""
FORBIDDEN = 403

ROUTE_KINDS: Mapping[str, Kind] = {"VirtualService": VIRTUAL_SERVICES, "HTTPRoute": HTTP_ROUTES}


def visible(cluster: Cluster, kind: Kind, namespace: str) -> Sequence[Document]:
    """Read the objects of a kind in all namespaces; in this one alone where we may not see the others."""
    return listed(cluster, kind, namespace).items


def listed(cluster: Cluster, kind: Kind, namespace: str) -> Listing:
    """Read the same as `visible`, with its resourceVersion; a cluster that does not know the kind has none of it."""
    try:
        return cluster.list(kind)
    except NotFound:
        return Listing(items=(), version="")
    except ClusterError as error:
        if error.status != FORBIDDEN:
            raise
        return cluster.list(kind, namespace)


def routed(cluster: Cluster, namespace: str, since: Version = 0) -> dict[ServiceName, RouteRef]:
    """Return the Services that routes send requests to, each with one of these routes: they must not be deleted.

    Args:
        cluster: where.
        namespace: whose routes are read where we may not see the others.
        since: a version of the cluster; a list from before it could hide a route.

    Raises:
        ClusterError: a list was older, or no kind of route is known, as to a server that has just begun.
    """
    found: dict[ServiceName, RouteRef] = {}
    lists = {name: listed(cluster, kind, namespace) for name, kind in ROUTE_KINDS.items()}
    for name, listing in lists.items():
        if listing.version and int(listing.version) < since:
            raise ClusterError(f"{ROUTE_KINDS[name].plural} were read as they were some time ago")
        for document in named(listing.items, name):
            found |= dict.fromkeys(routing.ROUTERS[name].services(document), RouteRef.of(document))
    if not any(listing.version for listing in lists.values()):
        raise ClusterError("the API server knows no kind of route, so nobody can tell where requests go")
    return found


def named(documents: Sequence[Document], kind: str) -> list[Document]:
    """Give the items of an API list the kind that they come without."""
    return [document | {"kind": kind} for document in documents]


def find(cluster: Reads, route: RouteRef) -> Document | None:
    """Read one route document; None where it was deleted."""
    return cluster.find(ROUTE_KINDS[route.kind], route.namespace, route.name)


def live(cluster: Reads, run: Run) -> list[Document]:
    """Read the run's routes; one that was deleted is left out."""
    found = (find(cluster, route) for route in run.routes)
    return [document for document in found if document is not None]


def edit(cluster: Cluster, routes: Sequence[RouteRef], change: Callable[[Document], Document]) -> None:
    """Apply a change to routes as they are now; on a concurrent write, to what they have become.

    Raises:
        ClusterError: a write was refused, be it a `Conflict` each time; all the other routes have been edited by then.
    """
    refusals = []
    for route in routes:
        try:
            retried(partial(_edit_one, cluster, route, change))
        except ClusterError as error:
            if error.status not in REFUSED and not isinstance(error, Conflict):
                raise
            refusals.append(error)
    if refusals:
        raise refusals[0]


def _edit_one(cluster: Cluster, route: RouteRef, change: Callable[[Document], Document]) -> None:
    document = find(cluster, route)
    if document is None:
        return
    patch = routing.json_patch(document, change(document))
    if patch:
        cluster.patch(ROUTE_KINDS[route.kind], route.namespace, route.name, patch)


def retried(write: Callable[[], None]) -> None:
    """Make a guarded write, some times anew where somebody else wrote in between.

    Raises:
        Conflict: somebody did so every time.
    """
    for _ in range(ATTEMPTS - 1):
        with suppress(Conflict):
            write()
            return
    write()

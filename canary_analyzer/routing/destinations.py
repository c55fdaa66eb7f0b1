"""Reading the http routes of a VirtualService: which of them reach the pair of Services, and with which weights."""

from collections.abc import Iterator, Sequence
from enum import Enum
from typing import Any

from canary_analyzer.routing.documents import Document, Target, namespace_of
from canary_analyzer.routing.hosts import ServiceName, service_of

Route = list[dict[str, Any]]


class Role(Enum):
    """Whose a destination is: one of the two arms, or somebody else's."""

    STABLE = "stable"
    CANARY = "canary"
    FOREIGN = "foreign"


def entries(document: Document, protocol: str = "http") -> list[Document]:
    """Entries of `spec.<protocol>`; what is not an object is read as an empty one, so that positions stay true."""
    listed = (document.get("spec") or {}).get(protocol)
    if not isinstance(listed, list):
        return []
    return [entry if isinstance(entry, dict) else {} for entry in listed]


def route_of(entry: Document) -> Route:
    """Destinations of an entry; none for redirect, directResponse and delegate, which carry no traffic to a Service."""
    route = entry.get("route")
    if "redirect" in entry or "directResponse" in entry or not isinstance(route, list):
        return []
    return [item if isinstance(item, dict) else {} for item in route]


def role_of(item: Document, namespace: str, target: Target) -> Role:
    """Whose `item` of a route is, in a document of `namespace`."""
    destination = item.get("destination")
    host = destination.get("host") if isinstance(destination, dict) else None
    service = service_of(host, namespace)
    if service == ServiceName(target.stable, target.namespace):
        return Role.STABLE
    if service == ServiceName(target.canary, target.namespace):
        return Role.CANARY
    return Role.FOREIGN


def roles_of(route: Route, namespace: str, target: Target) -> list[Role]:
    """The roles of a route's destinations, in order."""
    return [role_of(item, namespace, target) for item in route]


def governed(document: Document, target: Target) -> Iterator[tuple[int, Route, list[Role]]]:
    """Position, destinations and roles of each http entry that reaches one of the two Services."""
    namespace = namespace_of(document, target.namespace)
    for index, entry in enumerate(entries(document)):
        route = route_of(entry)
        roles = roles_of(route, namespace, target)
        if Role.STABLE in roles or Role.CANARY in roles:
            yield index, route, roles


def weights_of(route: Route) -> list[int]:
    """Weights as Istio reads them, where none is the same as 0: all for a single destination, nothing among several."""
    if len(route) == 1:
        return [route[0].get("weight") or 100]
    return [item.get("weight") or 0 for item in route]


def share_of(weights: Sequence[int], roles: Sequence[Role]) -> int:
    """What stable and canary have together."""
    return sum(weight for weight, role in zip(weights, roles, strict=True) if role is not Role.FOREIGN)

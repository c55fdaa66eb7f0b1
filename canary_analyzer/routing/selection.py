"""Which VirtualServices a run edits, and every reason why it must not."""

from collections.abc import Iterator, Sequence

from canary_analyzer.routing.bindings import conflicts, delegated_faults
from canary_analyzer.routing.documents import Document, Problem, Target, Unroutable, title
from canary_analyzer.routing.hosts import ServiceName, is_half_qualified
from canary_analyzer.routing.obstacles import fault, obstacles, others_of_stable, too_little, unreached
from canary_analyzer.routing.routes import Reading, entries
from canary_analyzer.routing.step_obstacles import step_obstacles
from canary_analyzer.routing.traffic import Traffic
from canary_analyzer.routing.virtual_service import VIRTUAL_SERVICE

_PROTOCOLS_WITHOUT_REQUESTS = ("tcp", "tls")


def select(
    virtual_services: Sequence[Document], target: Target, wanted: Sequence[Traffic] = ()
) -> tuple[Document, ...]:
    """The VirtualServices whose http routes reach the stable Service, in the order given.

    Pass all that can be seen, of every namespace: those that do not reach the Service are needed to find conflicts.
    Several that are bound to gateways are all returned, to be edited together, since gateways merge them. A delegate is
    returned like any other; its root need not be among them. Redirects and direct responses are passed over. In the
    middle of a run a route is found by its canary destination too.

    Args:
        virtual_services: documents.
        target: the arms.
        wanted: every traffic that the run may ask for; what a route cannot do is refused now.

    Raises:
        Unroutable: nothing reaches it, or something that does cannot be edited safely; with all problems.
    """
    chosen = [each for each in virtual_services if any(Reading.of(each, target, VIRTUAL_SERVICE).governed(each))]
    if not chosen:
        near = [problem for each in virtual_services for problem in near_misses(each, target)]
        raise Unroutable(near or unreached(target, "VirtualServices"))
    if problems := problems_of(chosen, virtual_services, target, wanted):
        raise Unroutable(problems)
    return tuple(chosen)


def problems_of(
    chosen: Sequence[Document], virtual_services: Sequence[Document], target: Target, wanted: Sequence[Traffic] = ()
) -> list[Problem]:
    """Why `chosen`, which reach stable, cannot be edited; `virtual_services` are those around them."""
    problems = [problem for each in chosen for problem in _entry_problems(each, target)]
    problems += conflicts(chosen, virtual_services, target)
    problems += delegated_faults(chosen, virtual_services, target)
    if not problems:
        problems += too_little(chosen, target, VIRTUAL_SERVICE, wanted)
        problems += step_obstacles(chosen, target, VIRTUAL_SERVICE, wanted)
    return problems


def _entry_problems(document: Document, target: Target) -> Iterator[Problem]:
    listed = entries(document, "http")
    for entry in Reading.of(document, target, VIRTUAL_SERVICE).governed(document):
        if listed[entry.index].get("fault"):
            yield fault(title(document, target.namespace), f"spec.http[{entry.index}].fault")
    yield from obstacles(document, target, VIRTUAL_SERVICE)


def near_misses(document: Document, target: Target) -> Iterator[Problem]:
    """Destinations that are almost stable, and why they are not."""
    name = title(document, target.namespace)
    for protocol in _PROTOCOLS_WITHOUT_REQUESTS:
        for path, item in _destinations(document, protocol):
            if Reading.of(document, target, VIRTUAL_SERVICE).is_on_stable_host(item):
                yield Problem(
                    object=name,
                    path=path,
                    reason=f"only a {protocol} route reaches {target.stable}, and it carries no requests to compare",
                    remedy="Route it under `http`, for which the Service's port must be named http, http2 or grpc",
                )
    yield from others_of_stable(document, target, VIRTUAL_SERVICE)
    for path, item in _destinations(document, "http"):
        destination = item.get("destination")
        host = destination.get("host") if isinstance(destination, dict) else None
        if is_half_qualified(host, ServiceName(target.stable, target.namespace)):
            yield Problem(
                object=name,
                path=f"{path}.destination.host",
                reason=f"Istio takes a name with a dot as it stands, and no Service is registered as {host}",
                remedy=f"Write {target.stable}.{target.namespace}.svc.cluster.local if you mean the Service",
            )


def _destinations(document: Document, protocol: str) -> Iterator[tuple[str, Document]]:
    for i, entry in enumerate(entries(document, protocol)):
        route = entry.get("route")
        for j, item in enumerate(route if isinstance(route, list) else []):
            if isinstance(item, dict):
                yield f"spec.{protocol}[{i}].route[{j}]", item

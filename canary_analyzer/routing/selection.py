"""Which VirtualServices a run edits, and every reason why it must not."""

from collections.abc import Iterator, Sequence

from canary_analyzer.routing.bindings import conflicts, delegated_faults
from canary_analyzer.routing.destinations import Role, entries, governed, role_of
from canary_analyzer.routing.documents import Document, Problem, Target, Unroutable, namespace_of, title
from canary_analyzer.routing.hosts import ServiceName, is_half_qualified
from canary_analyzer.routing.obstacles import obstacles, too_little

_PROTOCOLS_WITHOUT_REQUESTS = ("tcp", "tls")


def select(virtual_services: Sequence[Document], target: Target) -> tuple[Document, ...]:
    """The VirtualServices whose http routes reach the stable Service, in the order given.

    Pass all that can be seen, of every namespace: those that do not reach the Service are needed to find conflicts.
    Several that are bound to gateways are all returned, to be edited together, since gateways merge them. A delegate is
    returned like any other; its root need not be among them. Redirects and direct responses are passed over. In the
    middle of a run a route is found by its canary destination too.

    Raises:
        Unroutable: nothing reaches it, or something that does cannot be edited safely; with all problems.
    """
    chosen = [document for document in virtual_services if any(True for _ in governed(document, target))]
    if not chosen:
        raise Unroutable(_unreached(virtual_services, target))
    problems = [problem for document in chosen for problem in obstacles(document, target)]
    problems += conflicts(chosen, virtual_services, target)
    problems += delegated_faults(chosen, virtual_services, target)
    problems += [] if problems else too_little(chosen, target)
    if problems:
        raise Unroutable(problems)
    return tuple(chosen)


def _unreached(virtual_services: Sequence[Document], target: Target) -> list[Problem]:
    """Why no http route reaches stable: the near misses if there are any."""
    near = [problem for document in virtual_services for problem in _near_misses(document, target)]
    return near or [
        Problem(
            object=f"Service {target.namespace}/{target.stable}",
            path="",
            reason="no http route of a VirtualService has it as a destination",
            remedy=(
                f"Make {target.stable} the destination of an http route: by this name in namespace "
                f"{target.namespace}, by its fully qualified name in any other"
            ),
        )
    ]


def _near_misses(document: Document, target: Target) -> Iterator[Problem]:
    namespace, name = namespace_of(document, target.namespace), title(document, target.namespace)
    for protocol in _PROTOCOLS_WITHOUT_REQUESTS:
        for path, item in _destinations(document, protocol):
            if role_of(item, namespace, target) is Role.STABLE:
                yield Problem(
                    object=name,
                    path=path,
                    reason=f"only a {protocol} route reaches {target.stable}, and it carries no requests to compare",
                    remedy="Route it under `http`, for which the Service's port must be named http, http2 or grpc",
                )
    stable = ServiceName(target.stable, target.namespace)
    for path, item in _destinations(document, "http"):
        host = (item.get("destination") or {}).get("host")
        if is_half_qualified(host, stable):
            yield Problem(
                object=name,
                path=f"{path}.destination.host",
                reason=f"Istio takes a name with a dot as it stands, and no Service is registered as {host}",
                remedy=f"Write {target.stable}.{target.namespace}.svc.cluster.local",
            )


def _destinations(document: Document, protocol: str) -> Iterator[tuple[str, Document]]:
    for i, entry in enumerate(entries(document, protocol)):
        for j, item in enumerate(entry.get("route") or []):
            if isinstance(item, dict):
                yield f"spec.{protocol}[{i}].route[{j}]", item

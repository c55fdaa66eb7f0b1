"""What VirtualServices are bound to, and where two of them get into each other's way."""

from collections.abc import Iterator, Sequence

from canary_analyzer.routing.documents import Document, Problem, Target, identity, namespace_of, title
from canary_analyzer.routing.hosts import service_of
from canary_analyzer.routing.obstacles import fault
from canary_analyzer.routing.routes import entries

MESH = "mesh"


def conflicts(chosen: Sequence[Document], virtual_services: Sequence[Document], target: Target) -> Iterator[Problem]:
    """Pairs, at least one of them chosen, that bind one host for the same sidecars: only one takes effect (IST0109).

    VirtualServices bound to gateways are merged there and are no conflict; nor is a pair that `exportTo` shows to
    different namespaces.
    """
    for i, mine in enumerate(chosen):
        hosts, compared = _mesh_hosts(mine, target), chosen[: i + 1]
        for theirs in virtual_services if hosts else ():
            # One that has the same name is another version of the same object.
            if any(identity(theirs, target.namespace) == identity(each, target.namespace) for each in compared):
                continue
            shared = hosts & _mesh_hosts(theirs, target)
            if shared and _both_visible_somewhere(mine, theirs, target):
                yield _conflict(mine, theirs, min(shared), target)


def delegated_faults(
    chosen: Sequence[Document], virtual_services: Sequence[Document], target: Target
) -> Iterator[Problem]:
    """Faults on entries of a root that delegates to a chosen VirtualService: Istio merges them into the delegate."""
    delegates = {identity(each, target.namespace) for each in chosen}
    for root in virtual_services:
        namespace = namespace_of(root, target.namespace)
        for index, entry in enumerate(entries(root, "http")):
            delegate = entry.get("delegate")
            named = {"metadata": delegate} if isinstance(delegate, dict) else {}
            if entry.get("fault") and named and identity(named, namespace) in delegates:
                yield fault(title(root, target.namespace), f"spec.http[{index}].fault")


def _mesh_hosts(document: Document, target: Target) -> set[str]:
    """Hosts bound for sidecars, spelled alike; a VirtualService without gateways is bound to the mesh."""
    spec = _spec(document)
    if MESH not in _strings(spec.get("gateways"), MESH):
        return set()
    namespace = namespace_of(document, target.namespace)
    hosts = _strings(spec.get("hosts"))
    return {".".join(service_of(host, namespace) or [host.lower()]) for host in hosts}


def _both_visible_somewhere(one: Document, other: Document, target: Target) -> bool:
    mine, theirs = _visible_in(one, target), _visible_in(other, target)
    return mine is None or theirs is None or bool(mine & theirs)


def _visible_in(document: Document, target: Target) -> set[str] | None:
    """Namespaces that `exportTo` names; None: all of them, which is Istio's default."""
    exported = _strings(_spec(document).get("exportTo"), "*")
    home = namespace_of(document, target.namespace)
    return None if "*" in exported else {home if to == "." else to for to in exported}


def _spec(document: Document) -> Document:
    spec = document.get("spec")
    return spec if isinstance(spec, dict) else {}


def _strings(value: object, *otherwise: str) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list) and value else list(otherwise)


def _conflict(mine: Document, theirs: Document, host: str, target: Target) -> Problem:
    return Problem(
        object=title(mine, target.namespace),
        path="spec.hosts",
        reason=f"{title(theirs, target.namespace)} binds the host {host} for the mesh as well; only one takes effect",
        remedy="Merge the two, or bind them to different gateways or hosts",
    )

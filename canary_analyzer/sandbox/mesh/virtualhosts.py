"""Which Host headers the two listeners of the sandbox answer, and with which VirtualService.

The sidecar's knows VirtualServices of the mesh and bare Services, as in Istio. The ingress knows those of gateways and
is generous: it answers what the sidecar would as well, for one client is enough to try things out. Where both could
answer a host the gateway does, so that no request at the ingress slips past a VirtualService bound to a gateway.
"""

from collections.abc import Iterator, Sequence, Set

from canary_analyzer.sandbox.mesh.matches import EVERYTHING
from canary_analyzer.sandbox.mesh.names import MESH, SANDBOX_NAMESPACE, domains, fqdn
from canary_analyzer.sandbox.mesh.routes import Router, envoy_routes
from canary_analyzer.sandbox.mesh.world import Document, World, oldest_first, routable_services

_HTTP = {"HTTP", "HTTP2", "GRPC"}

Table = dict[str, list[Document]]  # routes by domain


def ingress_hosts(world: World) -> list[Document]:
    """Envoy's virtual hosts: gateway-bound hosts, then VirtualServices of the mesh, then Services without a gateway."""
    behind_gateway = set(_gateway_destinations(world))
    table = _gateway_hosts(world)
    for domain, routes in (*_mesh_hosts(world), *_bare_services(world, behind_gateway)):
        table.setdefault(domain, routes)
    return _listed(table)


def sidecar_hosts(world: World) -> list[Document]:
    """Envoy's virtual hosts: VirtualServices of the mesh, then bare Services."""
    table: Table = {}
    for domain, routes in (*_mesh_hosts(world), *_bare_services(world, frozenset())):
        table.setdefault(domain, routes)
    return _listed(table)


def _listed(table: Table) -> list[Document]:
    return [
        {"name": domain, "domains": [domain], "routes": routes} for domain, routes in sorted(table.items()) if routes
    ]


def _gateway_hosts(world: World) -> Table:
    """Several VirtualServices may share a gateway's host: their routes are joined, the oldest first."""
    services = routable_services(world)
    table: Table = {}
    for document in oldest_first(world.virtual_services):
        namespace = document["metadata"]["namespace"]
        router = Router(namespace=namespace, services=services)
        for gateway in _bound_gateways(document, world.gateways):
            name = _reference(document, gateway)
            routes = [route for http in _http(document) for route in envoy_routes(http, name, router)]
            for domain in _exposed(document, gateway):
                table.setdefault(domain, []).extend(routes)
    # Istio moves routes without a condition behind all others, or they would hide the next VirtualService's.
    return {domain: sorted(routes, key=_is_catch_all) for domain, routes in table.items()}


def _is_catch_all(route: Document) -> bool:
    return bool(route["match"] == EVERYTHING)


def _mesh_hosts(world: World) -> Iterator[tuple[str, list[Document]]]:
    """A host of the mesh belongs to one VirtualService, the oldest."""
    services = routable_services(world)
    for document in oldest_first(world.virtual_services):
        namespace = document["metadata"]["namespace"]
        if MESH not in (document["spec"].get("gateways") or [MESH]) or not _exported(document, SANDBOX_NAMESPACE):
            continue
        router = Router(namespace=namespace, services=services)
        routes = [route for http in _http(document) for route in envoy_routes(http, MESH, router)]
        for host in document["spec"].get("hosts") or ():
            yield from ((domain, routes) for domain in domains(fqdn(host, namespace)))


def _exported(document: Document, namespace: str) -> bool:
    """Whether a namespace may see the document; the client inside the mesh is at home in one."""
    own = document["metadata"]["namespace"]
    visible = document["spec"].get("exportTo") or ["*"]
    return "*" in visible or namespace in visible or ("." in visible and namespace == own)


def _bare_services(world: World, but: Set[str]) -> Iterator[tuple[str, list[Document]]]:
    services = routable_services(world)
    for host, service in sorted(services.items()):
        if host in but:
            continue
        router = Router(namespace=service["metadata"]["namespace"], services=services)
        routes = envoy_routes({"route": [{"destination": {"host": host}}]}, MESH, router)
        yield from ((domain, routes) for domain in domains(host))


def _gateway_destinations(world: World) -> Iterator[str]:
    for document in world.virtual_services:
        if not any(_bound_gateways(document, world.gateways)):
            continue
        for http in _http(document):
            for entry in http.get("route") or ():
                yield fqdn(entry["destination"]["host"], document["metadata"]["namespace"])


def _http(document: Document) -> Sequence[Document]:
    return document["spec"].get("http") or ()


def _bound_gateways(document: Document, gateways: Sequence[Document]) -> Iterator[Document]:
    """The Gateway objects that a VirtualService names, as `name` or `namespace/name`."""
    namespace = document["metadata"]["namespace"]
    wanted = {name if "/" in name else f"{namespace}/{name}" for name in document["spec"].get("gateways") or ()}
    for gateway in oldest_first(gateways):
        if not _exported(document, gateway["metadata"]["namespace"]):
            continue
        if f"{gateway['metadata']['namespace']}/{gateway['metadata']['name']}" in wanted:
            yield gateway


def _reference(document: Document, gateway: Document) -> str:
    """The gateway's name as this VirtualService writes it, also in its matches."""
    full = f"{gateway['metadata']['namespace']}/{gateway['metadata']['name']}"
    return full if full in document["spec"]["gateways"] else gateway["metadata"]["name"]


def _exposed(document: Document, gateway: Document) -> list[str]:
    """Hosts that both the VirtualService claims and a plain HTTP server of the gateway lets in."""
    namespace = document["metadata"]["namespace"]
    both = {
        common
        for server in gateway["spec"].get("servers") or ()
        if server["port"]["protocol"] in _HTTP
        for pattern in server.get("hosts") or ()
        if _admits(pattern, namespace, gateway["metadata"]["namespace"])
        for host in document["spec"].get("hosts") or ()
        if (common := _intersection(fqdn(host, namespace), pattern.rpartition("/")[2]))
    }
    return sorted(both)


def _admits(pattern: str, namespace: str, gateway_namespace: str) -> bool:
    """The part of a server's host before a slash restricts the namespaces of VirtualServices."""
    scope = pattern.rpartition("/")[0] or "*"
    return scope in ("*", namespace) or (scope == "." and namespace == gateway_namespace)


def _intersection(one: str, other: str) -> str | None:
    """The narrower of two host patterns, when it lies within the wider."""
    for wide, narrow in ((one, other), (other, one)):
        if wide == narrow or (wide.startswith("*") and narrow.endswith(wide[1:])):
            return narrow
    return None

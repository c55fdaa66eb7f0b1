"""The whole translation: what the cluster says, as the resources that Envoy reads."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from canary_analyzer.sandbox.mesh import delegates, gateway_api
from canary_analyzer.sandbox.mesh.clusters import cluster, endpoints, slices
from canary_analyzer.sandbox.mesh.listeners import INGRESS, SIDECAR
from canary_analyzer.sandbox.mesh.supported import problems
from canary_analyzer.sandbox.mesh.virtualhosts import ingress_hosts, sidecar_hosts
from canary_analyzer.sandbox.mesh.world import Document, World


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """Envoy resources: clusters and endpoint assignments by cluster name, route configurations by listener.

    `problems` says what of the documents has no effect.
    """

    clusters: Mapping[str, Document]
    endpoints: Mapping[str, Document]
    routes: Mapping[str, Document]
    problems: tuple[str, ...] = ()


def translate(world: World) -> Snapshot:
    """Translate a world; raises ValueError, KeyError or TypeError on a document that no API server admits."""
    parts = list(slices(world))
    routing = _in_one_language(world)
    return Snapshot(
        clusters={part.name: cluster(part) for part in parts},
        endpoints={part.name: endpoints(part, world) for part in parts},
        routes={
            INGRESS: _routes(INGRESS, ingress_hosts(routing)),
            SIDECAR: _routes(SIDECAR, sidecar_hosts(routing)),
        },
        problems=problems(world),
    )


def _in_one_language(world: World) -> World:
    """The world with delegates in their places, and Gateway API documents as the Istio documents that say the same."""
    rules = [*delegates.resolved(world.virtual_services)]
    rules += gateway_api.virtual_services(world.http_routes, world.api_gateways)
    return replace(world, virtual_services=rules, gateways=[*world.gateways, *gateway_api.gateways(world.api_gateways)])


def _routes(name: str, hosts: list[Document]) -> Document:
    return {"name": name, "virtual_hosts": hosts, "ignore_port_in_host_matching": True}

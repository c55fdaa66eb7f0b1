"""The whole translation: what the cluster says, as the resources that Envoy reads."""

from collections.abc import Mapping
from dataclasses import dataclass

from canary_analyzer.sandbox.mesh.clusters import cluster, endpoints, slices
from canary_analyzer.sandbox.mesh.virtualhosts import virtual_hosts
from canary_analyzer.sandbox.mesh.world import Document, World

ROUTES = "ingress"  # name of the one RouteConfiguration


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """Envoy resources: clusters and endpoint assignments by cluster name, and the route configuration."""

    clusters: Mapping[str, Document]
    endpoints: Mapping[str, Document]
    routes: Document


def translate(world: World) -> Snapshot:
    """Translate a world; raises ValueError, KeyError or TypeError on a document that no API server admits."""
    parts = list(slices(world))
    return Snapshot(
        clusters={part.name: cluster(part) for part in parts},
        endpoints={part.name: endpoints(part, world) for part in parts},
        routes={"name": ROUTES, "virtual_hosts": virtual_hosts(world), "ignore_port_in_host_matching": True},
    )

"""The whole translation: what the cluster says, as the resources that Envoy reads."""

from collections.abc import Mapping
from dataclasses import dataclass

from canary_analyzer.sandbox.mesh.clusters import cluster, endpoints, slices
from canary_analyzer.sandbox.mesh.listeners import INGRESS, SIDECAR
from canary_analyzer.sandbox.mesh.virtualhosts import ingress_hosts, sidecar_hosts
from canary_analyzer.sandbox.mesh.world import Document, World


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """Envoy resources: clusters and endpoint assignments by cluster name, route configurations by listener."""

    clusters: Mapping[str, Document]
    endpoints: Mapping[str, Document]
    routes: Mapping[str, Document]


def translate(world: World) -> Snapshot:
    """Translate a world; raises ValueError, KeyError or TypeError on a document that no API server admits."""
    parts = list(slices(world))
    return Snapshot(
        clusters={part.name: cluster(part) for part in parts},
        endpoints={part.name: endpoints(part, world) for part in parts},
        routes={
            INGRESS: _routes(INGRESS, ingress_hosts(world)),
            SIDECAR: _routes(SIDECAR, sidecar_hosts(world)),
        },
    )


def _routes(name: str, hosts: list[Document]) -> Document:
    return {"name": name, "virtual_hosts": hosts, "ignore_port_in_host_matching": True}

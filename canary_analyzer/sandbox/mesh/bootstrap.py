"""Envoy's bootstrap: listeners and an admin interface on loopback, everything else from files."""

from canary_analyzer.sandbox.mesh import mirror
from canary_analyzer.sandbox.mesh.listeners import ANY_PORT, CALLERS, file_source, listener
from canary_analyzer.sandbox.mesh.telemetry import GATEWAY, Dialect
from canary_analyzer.sandbox.mesh.world import Document

CLUSTERS_FILE = "./cds.json"  # relative to the working directory; Envoy wants to see a folder in a watched path
CLUSTER_TYPE = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
ENDPOINTS_TYPE = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"
ROUTES_TYPE = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration"


def bootstrap(dialect: Dialect) -> Document:
    """The static part of the configuration; Envoy picks all ports."""
    return {
        "node": {"id": GATEWAY.workload, "cluster": GATEWAY.workload},
        "admin": {"address": ANY_PORT},
        # Histograms are merged at a flush: without this a scrape would see them up to 5 s late.
        "stats_flush_on_admin": True,
        "stats_config": {"use_all_default_tags": False, **_buckets(dialect)},
        "dynamic_resources": {"cds_config": file_source(CLUSTERS_FILE)},
        "bootstrap_extensions": [mirror.EXTENSION],
        "static_resources": {
            "listeners": [*(listener(name, dialect) for name in CALLERS), mirror.listener(dialect)],
            "clusters": [mirror.CLUSTER],
        },
    }


def _buckets(dialect: Dialect) -> Document:
    """Matched by prefix: Envoy knows a histogram by its name with all tags behind it."""
    if not dialect.buckets_ms:
        return {}
    setting = {"match": {"prefix": f"{dialect.scope}.{dialect.histogram}"}, "buckets": list(dialect.buckets_ms)}
    return {"histogram_bucket_settings": [setting]}


def response(version: str, type_url: str, resources: list[Document]) -> Document:
    """A discovery response as Envoy reads it from a file."""
    return {"version_info": version, "resources": [{"@type": type_url, **resource} for resource in resources]}

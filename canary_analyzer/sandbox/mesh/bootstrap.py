"""Envoy's bootstrap: one ingress listener and an admin interface on loopback, everything else from files."""

from canary_analyzer.sandbox.mesh.routes import FAULT
from canary_analyzer.sandbox.mesh.telemetry import GATEWAY, access_logs
from canary_analyzer.sandbox.mesh.translate import ROUTES
from canary_analyzer.sandbox.mesh.world import Document

# Relative to the working directory; Envoy wants to see a folder in a watched path.
CLUSTERS_FILE, ROUTES_FILE = "./cds.json", "./rds.json"
CLUSTER_TYPE = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
ENDPOINTS_TYPE = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"
ROUTES_TYPE = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration"
_FILTERS = "type.googleapis.com/envoy.extensions.filters"
_ANY_PORT = {"socket_address": {"address": "127.0.0.1", "port_value": 0}}


def bootstrap() -> Document:
    """The static part of the configuration; Envoy picks both ports."""
    return {
        "node": {"id": GATEWAY, "cluster": GATEWAY},
        "admin": {"address": _ANY_PORT},
        # Histograms are merged at a flush: without this a scrape would see them up to 5 s late.
        "stats_flush_on_admin": True,
        "stats_config": {"use_all_default_tags": False},
        "dynamic_resources": {"cds_config": _file(CLUSTERS_FILE)},
        "static_resources": {"listeners": [_listener()]},
    }


def response(version: str, type_url: str, resources: list[Document]) -> Document:
    """A discovery response as Envoy reads it from a file."""
    return {"version_info": version, "resources": [{"@type": type_url, **resource} for resource in resources]}


def _file(path: str) -> Document:
    return {"path_config_source": {"path": path}, "resource_api_version": "V3"}


def _listener() -> Document:
    manager = {
        "@type": f"{_FILTERS}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": ROUTES,
        "server_name": "istio-envoy",
        "use_remote_address": True,
        "normalize_path": True,
        "access_log": access_logs(),
        "rds": {"route_config_name": ROUTES, "config_source": _file(ROUTES_FILE)},
        "http_filters": [
            {"name": FAULT, "typed_config": {"@type": f"{_FILTERS}.http.fault.v3.HTTPFault"}},
            {"name": "envoy.filters.http.router", "typed_config": {"@type": f"{_FILTERS}.http.router.v3.Router"}},
        ],
    }
    chain = {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
    return {"name": ROUTES, "address": _ANY_PORT, "filter_chains": [chain]}

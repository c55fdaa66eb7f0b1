"""The way of mirrored requests: once more through Envoy, so that they are counted where they arrive.

Envoy sends copies past its router's logs. In a mesh the proxy beside the mirrored pod counts them all the same (as
reporter="destination"), while the caller's does not; so copies take a detour over a listener that lives inside Envoy.
"""

from canary_analyzer.sandbox.mesh.telemetry import GATEWAY, Dialect, destination_logs
from canary_analyzer.sandbox.mesh.world import Document

MIRROR = "mirror"
_HEADER = "x-sandbox-mirror"  # names the cluster that the copy is for
_FILTERS = "type.googleapis.com/envoy.extensions.filters"
_EXTENSION = "type.googleapis.com/envoy.extensions.bootstrap.internal_listener.v3.InternalListener"

EXTENSION: Document = {"name": "envoy.bootstrap.internal_listener", "typed_config": {"@type": _EXTENSION}}
CLUSTER: Document = {
    "name": MIRROR,
    "type": "STATIC",
    "load_assignment": {
        "cluster_name": MIRROR,
        "endpoints": [
            {"lb_endpoints": [{"endpoint": {"address": {"envoy_internal_address": {"server_listener_name": MIRROR}}}}]}
        ],
    },
}


def listener(dialect: Dialect) -> Document:
    """Sends each copy to the cluster that its header names; copies count as the gateway's."""
    router = {"@type": f"{_FILTERS}.http.router.v3.Router", "upstream_log": destination_logs(dialect, GATEWAY)}
    route = {
        "match": {"prefix": "/"},
        "route": {"cluster_header": _HEADER, "timeout": "0s"},
        "request_headers_to_remove": [_HEADER],
    }
    manager = {
        "@type": f"{_FILTERS}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": MIRROR,
        "route_config": {"virtual_hosts": [{"name": MIRROR, "domains": ["*"], "routes": [route]}]},
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": router}],
    }
    chain = {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
    return {"name": MIRROR, "internal_listener": {}, "filter_chains": [chain]}


def policy(cluster: str, fraction: Document) -> Document:
    """The request mirror policy of a route for a share of its requests."""
    header = {"header": {"key": _HEADER, "value": cluster}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
    return {
        "cluster": MIRROR,
        "runtime_fraction": {"default_value": fraction},
        "request_headers_mutations": [{"append": header}],
    }

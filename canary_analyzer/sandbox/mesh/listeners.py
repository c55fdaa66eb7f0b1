"""The two places where requests come in: the ingress gateway, and the sidecar of a client inside the mesh."""

from canary_analyzer.sandbox.mesh.routes import FAULT
from canary_analyzer.sandbox.mesh.telemetry import (
    CLIENT,
    GATEWAY,
    Dialect,
    at_least,
    caller_logs,
    destination_logs,
    host,
)
from canary_analyzer.sandbox.mesh.world import Document

INGRESS, SIDECAR = "ingress", "sidecar"
CALLERS = {INGRESS: GATEWAY, SIDECAR: CLIENT}
ANY_PORT = {"socket_address": {"address": "127.0.0.1", "port_value": 0}}
POD_HEADER, CAUSE_HEADER = "x-sandbox-pod", "x-sandbox-cause"
_FILTERS = "type.googleapis.com/envoy.extensions.filters"


def routes_file(listener: str) -> str:
    """Where a listener's routes are; Envoy wants to see a folder in a watched path, and one resource in a file."""
    return f"./{listener}.json"


def listener(name: str, dialect: Dialect) -> Document:
    """A listener on a free loopback port with routes from a file of its own."""
    caller = CALLERS[name]
    router = {"@type": f"{_FILTERS}.http.router.v3.Router", "upstream_log": destination_logs(dialect, caller)}
    manager = {
        "@type": f"{_FILTERS}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": name,
        "server_name": "istio-envoy",
        "use_remote_address": True,
        "normalize_path": True,
        "access_log": caller_logs(dialect, caller),
        "local_reply_config": _local_replies(),
        "rds": {"route_config_name": name, "config_source": file_source(routes_file(name))},
        "http_filters": [
            {"name": FAULT, "typed_config": {"@type": f"{_FILTERS}.http.fault.v3.HTTPFault"}},
            {"name": "envoy.filters.http.router", "typed_config": router},
        ],
    }
    chain = {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
    return {"name": name, "address": ANY_PORT, "filter_chains": [chain]}


def file_source(path: str) -> Document:
    """A configuration source that is a file."""
    return {"path_config_source": {"path": path}, "resource_api_version": "V3"}


def _local_replies() -> Document:
    """Answers that Envoy itself gives say why, and which pod was at fault: the load client counts losses by them."""
    added = {POD_HEADER: host("pod"), CAUSE_HEADER: "%RESPONSE_FLAGS%"}
    errors = {"status_code_filter": {"comparison": {"op": "GE", "value": at_least(400)}}}
    headers = [{"header": {"key": name, "value": value}} for name, value in added.items()]
    return {"mappers": [{"filter": errors, "headers_to_add": headers}]}

"""Services, Endpoints and DestinationRules as Envoy clusters and their endpoints.

DestinationRule: https://istio.io/latest/docs/reference/config/networking/destination-rule/
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from canary_analyzer.sandbox.mesh.names import cluster_name, envoy_duration
from canary_analyzer.sandbox.mesh.world import (
    Document,
    World,
    oldest_first,
    routable_services,
    rule_host,
    workload_metadata,
)
from canary_analyzer.sandbox.podnetwork import local

ISTIO = "istio"  # key of our metadata on clusters and hosts, read by the telemetry
NO_LIMIT = 4294967295
HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
_LOAD_BALANCERS = {"ROUND_ROBIN": "ROUND_ROBIN", "RANDOM": "RANDOM", "LEAST_REQUEST": "LEAST_REQUEST"}


@dataclass(frozen=True, kw_only=True)
class Slice:
    """One Envoy cluster to be: a port of a Service, narrowed to a subset, under a traffic policy."""

    host: str
    service: Document
    port: Document
    subset: str
    labels: Mapping[str, str]
    policy: Document

    @property
    def name(self) -> str:
        """Name of the Envoy cluster."""
        return cluster_name(self.host, self.port["port"], self.subset)


def slices(world: World) -> Iterator[Slice]:
    """Every port of every Service, whole and by subset."""
    rules = oldest_first(world.destination_rules)
    for host, service in sorted(routable_services(world).items()):
        governing = [rule["spec"] for rule in rules if rule_host(rule) == host]
        base = governing[0].get("trafficPolicy") or {} if governing else {}
        subsets = {subset["name"]: subset for rule in governing for subset in rule.get("subsets") or ()}
        for port in service["spec"]["ports"]:
            if port.get("protocol", "TCP") != "TCP":
                continue
            yield Slice(host=host, service=service, port=port, subset="", labels={}, policy=_for_port(base, port))
            for name, subset in sorted(subsets.items()):
                policy = _for_port({**base, **(subset.get("trafficPolicy") or {})}, port)
                labels = subset.get("labels") or {}
                yield Slice(host=host, service=service, port=port, subset=name, labels=labels, policy=policy)


def _for_port(policy: Document, port: Document) -> Document:
    """A port's own settings replace the host's as a whole: nothing is inherited."""
    own = (p for p in policy.get("portLevelSettings") or () if p.get("port", {}).get("number") == port["port"])
    return next(own, policy)


def cluster(part: Slice) -> Document:
    """An EDS cluster whose endpoints are in a file of its own (Envoy reads one assignment per file subscription)."""
    metadata = part.service["metadata"]
    identity = {
        "service": part.host,
        "service_name": metadata["name"],
        "service_namespace": metadata["namespace"],
        "authority": f"{part.host}:{part.port['port']}",
    }
    return {
        "name": part.name,
        "type": "EDS",
        "eds_cluster_config": {
            "eds_config": {"path_config_source": {"path": endpoints_path(part.name)}, "resource_api_version": "V3"}
        },
        "connect_timeout": _connect_timeout(part.policy),
        "lb_policy": _load_balancer(part.policy),
        "circuit_breakers": {"thresholds": [_limits(part.policy)]},
        # Istio's default: with no healthy host the answer is 503 UH, unhealthy hosts are not tried.
        "common_lb_config": {"healthy_panic_threshold": {"value": _minimum_health(part.policy)}},
        "typed_extension_protocol_options": {HTTP_OPTIONS: _http_options(part)},
        "metadata": {"filter_metadata": {ISTIO: identity}},
        **_outlier_detection(part.policy),
    }


def endpoints_path(name: str) -> str:
    """Where a cluster's endpoints are, relative to Envoy's working directory."""
    return f"eds/{name.replace('|', '_')}.json"


def endpoints(part: Slice, world: World) -> Document:
    """The ready addresses of a slice, each with the identity of its pod."""
    pods = {(pod["metadata"]["namespace"], pod["metadata"]["name"]): pod for pod in world.pods}
    metadata = part.service["metadata"]
    mine = (e for e in world.endpoints if _same_name(e["metadata"], metadata))
    hosts = [
        host
        for document in mine
        for group in document.get("subsets") or ()
        for host in _hosts(part, group, pods, metadata["namespace"])
    ]
    return {"cluster_name": part.name, "endpoints": [{"lb_endpoints": hosts}]}


def _same_name(one: Document, other: Document) -> bool:
    return (one["namespace"], one["name"]) == (other["namespace"], other["name"])


def _hosts(
    part: Slice, group: Document, pods: Mapping[tuple[str, str], Document], namespace: str
) -> Iterator[Document]:
    port = next((p for p in group.get("ports") or () if p.get("name") == part.port.get("name")), None)
    if port is None:
        return
    for address in group.get("addresses") or ():
        name = (address.get("targetRef") or {}).get("name")
        pod = pods.get((namespace, name)) if name else None
        if name and pod is None:
            continue  # its identity is still on the way, or it is gone
        labels = (pod["metadata"].get("labels") or {}) if pod else {}
        if not part.labels.items() <= labels.items():
            continue
        socket = {"address": local(address["ip"]), "port_value": port["port"]}
        identity = {"filter_metadata": {ISTIO: workload_metadata(pod)}} if pod else {}
        yield {"endpoint": {"address": {"socket_address": socket}}, "metadata": identity}


def _connect_timeout(policy: Document) -> str:
    given = policy.get("connectionPool", {}).get("tcp", {}).get("connectTimeout", "10s")
    return envoy_duration(given)


def _load_balancer(policy: Document) -> str:
    return _LOAD_BALANCERS.get(policy.get("loadBalancer", {}).get("simple", ""), "LEAST_REQUEST")


def _limits(policy: Document) -> Document:
    """Istio's circuit breakers: no limit unless a rule sets one (Envoy's own default allows 3 retries at a time)."""
    pool = policy.get("connectionPool", {})
    http, tcp = pool.get("http", {}), pool.get("tcp", {})
    return {
        "max_connections": tcp.get("maxConnections") or NO_LIMIT,
        "max_pending_requests": http.get("http1MaxPendingRequests") or NO_LIMIT,
        "max_requests": http.get("http2MaxRequests") or NO_LIMIT,
        "max_retries": http.get("maxRetries") or NO_LIMIT,
    }


def _http_options(part: Slice) -> Document:
    http = part.policy.get("connectionPool", {}).get("http", {})
    # Shorter than the keep-alive of any sane server: a connection that the server closes as we use it loses a request.
    common: Document = {"idle_timeout": envoy_duration(http.get("idleTimeout", "30s"))}
    if http.get("maxRequestsPerConnection"):
        common["max_requests_per_connection"] = http["maxRequestsPerConnection"]
    version = "http2_protocol_options" if _is_http2(part.port) else "http_protocol_options"
    return {
        "@type": f"type.googleapis.com/{HTTP_OPTIONS}",
        "common_http_protocol_options": common,
        "explicit_http_config": {version: {}},
    }


def _is_http2(port: Document) -> bool:
    """Istio's protocol selection by appProtocol or the port's name."""
    protocol = port.get("appProtocol") or port.get("name") or ""
    return protocol.lower().split("-")[0] in {"grpc", "http2", "kubernetes.io/h2c"} or protocol == "kubernetes.io/h2c"


def _minimum_health(policy: Document) -> float:
    return float(policy.get("outlierDetection", {}).get("minHealthPercent", 0))


def _outlier_detection(policy: Document) -> Document:
    """Outlier detection, only where a rule asks for it; Envoy's counting of success rates stays off, as in Istio."""
    asked = policy.get("outlierDetection")
    if not asked:
        return {}
    detection: Document = {"enforcing_success_rate": 0}
    consecutive = asked.get("consecutive5xxErrors", 5)
    detection["consecutive_5xx"] = consecutive
    detection["enforcing_consecutive_5xx"] = 100 if consecutive else 0
    if asked.get("consecutiveGatewayErrors"):
        detection["consecutive_gateway_failure"] = asked["consecutiveGatewayErrors"]
        detection["enforcing_consecutive_gateway_failure"] = 100
    detection["interval"] = envoy_duration(asked.get("interval", "10s"))
    detection["base_ejection_time"] = envoy_duration(asked.get("baseEjectionTime", "30s"))
    detection["max_ejection_percent"] = asked.get("maxEjectionPercent", 10)
    return {"outlier_detection": detection}

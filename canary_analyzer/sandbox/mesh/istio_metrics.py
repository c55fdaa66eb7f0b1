"""Istio's standard metrics, from the caller's side and from the destination's.

Names and labels: https://istio.io/latest/docs/reference/config/metrics/. The labels of the pod that was scraped are
those which Istio's own Prometheus adds (samples/addons/prometheus.yaml: namespace, pod, and every label of the pod).
"""

from canary_analyzer.sandbox.mesh.telemetry import Caller, Dialect, Series, cluster, host, relabelled
from canary_analyzer.sandbox.mesh.world import POD_LABELS

SCOPE, HISTOGRAM = "istio", "request_duration_milliseconds"
# A cluster may hold pods of several workloads, so the workload is asked of the host that answered; with no healthy
# host there is none, while the Service is known: exactly what Istio reports.
_DESTINATION = {
    "destination_workload": host("workload"),
    "destination_workload_namespace": host("namespace"),
    "destination_app": host("app"),
    "destination_version": host("version"),
    "destination_canonical_service": host("canonical_service"),
    "destination_canonical_revision": host("canonical_revision"),
    "destination_service": cluster("service"),
    "destination_service_name": cluster("service_name"),
    "destination_service_namespace": cluster("service_namespace"),
}
_RESPONSE = {"response_code": "%RESPONSE_CODE%", "response_flags": "%RESPONSE_FLAGS%"}
_GRPC_RESPONSE = {"grpc_response_status": "%GRPC_STATUS_NUMBER%"}
_SCRAPED = {"pod": host("pod"), "namespace": host("namespace"), **{name: host(name) for name in POD_LABELS}}


def _source(caller: Caller, protocol: str) -> Series:
    """What the caller's proxy counts; the scraped pod is the caller's."""
    scraped = {
        "pod": caller.pod,
        "namespace": caller.namespace,
        "app": caller.workload,
        "pod_template_hash": caller.pod_template_hash,
    }
    # What the source side of a connection says in Istio.
    return _series({"reporter": "source", "connection_security_policy": "unknown", **scraped}, caller, protocol)


def _destination(caller: Caller, protocol: str) -> Series:
    """What the proxy of the pod that was called counts."""
    return _series({"reporter": "destination", "connection_security_policy": "none", **_SCRAPED}, caller, protocol)


def _series(side: dict[str, str], caller: Caller, protocol: str) -> Series:
    grpc = _GRPC_RESPONSE if protocol == "grpc" else {}
    labels = {**side, **_caller(caller), **_DESTINATION, **_RESPONSE, "request_protocol": protocol, **grpc}
    return Series(
        scope=SCOPE,
        counter="requests_total",
        histogram=HISTOGRAM,
        counter_labels=labels,
        histogram_labels=labels,
    )


def _caller(caller: Caller) -> dict[str, str]:
    return {
        "source_workload": caller.workload,
        "source_workload_namespace": caller.namespace,
        "source_app": caller.workload,
        "source_canonical_service": caller.workload,
        "source_canonical_revision": "latest",
    }


ISTIO = Dialect(
    scope=SCOPE,
    counter="istio_requests_total",
    service_label="destination_service_name",
    source=_source,
    destination=_destination,
    rules=(
        {"source_labels": ["__name__"], "regex": "envoy_(istio_.*)", "target_label": "__name__"},
        *relabelled(list(_DESTINATION), "unknown"),
        *relabelled(["response_flags"], "-"),
        *relabelled(list(_SCRAPED), ""),
    ),
    histogram=HISTOGRAM,
    # Istio's are Envoy's own (DefaultBuckets in Envoy's source/common/stats/histogram_impl.cc).
    buckets_ms=(),
)

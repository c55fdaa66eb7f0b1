"""Istio's standard metrics out of Envoy's stats access logger and one Prometheus scrape.

Names and labels: https://istio.io/latest/docs/reference/config/metrics/
Every label value comes from configuration or from a closed set (codes, flags), never from what a client sends.
"""

from canary_analyzer.sandbox.mesh.clusters import ISTIO
from canary_analyzer.sandbox.mesh.world import Document

STATS_LOGGER = "type.googleapis.com/envoy.extensions.access_loggers.stats.v3.Config"
GATEWAY, GATEWAY_NAMESPACE = "istio-ingressgateway", "istio-system"
SCRAPE_SECONDS = 1

_SOURCE = {
    "reporter": "source",
    "source_workload": GATEWAY,
    "source_workload_namespace": GATEWAY_NAMESPACE,
    "source_app": GATEWAY,
    "source_canonical_service": GATEWAY,
    "source_canonical_revision": "latest",
}
# A cluster may hold pods of several workloads, so the workload is asked of the host that answered; with no healthy
# host there is none, while the Service is known: exactly what Istio reports.
_DESTINATION = {
    "destination_workload": f"%METADATA(UPSTREAM_HOST:{ISTIO}:workload)%",
    "destination_workload_namespace": f"%METADATA(UPSTREAM_HOST:{ISTIO}:namespace)%",
    "destination_app": f"%METADATA(UPSTREAM_HOST:{ISTIO}:app)%",
    "destination_version": f"%METADATA(UPSTREAM_HOST:{ISTIO}:version)%",
    "destination_canonical_service": f"%METADATA(UPSTREAM_HOST:{ISTIO}:canonical_service)%",
    "destination_canonical_revision": f"%METADATA(UPSTREAM_HOST:{ISTIO}:canonical_revision)%",
    "destination_service": f"%METADATA(CLUSTER:{ISTIO}:service)%",
    "destination_service_name": f"%METADATA(CLUSTER:{ISTIO}:service_name)%",
    "destination_service_namespace": f"%METADATA(CLUSTER:{ISTIO}:service_namespace)%",
}
_RESPONSE = {
    "response_code": "%RESPONSE_CODE%",
    "response_flags": "%RESPONSE_FLAGS%",
    "connection_security_policy": "unknown",  # what the source side of a connection says in Istio
}
_GRPC_RESPONSE = {"grpc_response_status": "%GRPC_STATUS_NUMBER%"}
_IS_GRPC = {"name": "content-type", "string_match": {"prefix": "application/grpc"}}


def access_logs() -> list[Document]:
    """One stats logger for gRPC requests and one for all others: the protocol is the only label that needs two."""
    return [
        _stats_logger({"request_protocol": "grpc", **_GRPC_RESPONSE}, _IS_GRPC),
        _stats_logger(
            {"request_protocol": "http"}, {**_IS_GRPC, "treat_missing_header_as_empty": True, "invert_match": True}
        ),
    ]


def _stats_logger(protocol: dict[str, str], header: Document) -> Document:
    labels = {**_SOURCE, **_DESTINATION, **_RESPONSE, **protocol}
    tags = [{"name": name, "value_format": value} for name, value in labels.items()]
    duration = {"name": "request_duration_milliseconds", "tags": tags}
    return {
        "name": f"istio.{protocol['request_protocol']}",
        "filter": {"header_filter": {"header": header}},
        "typed_config": {
            "@type": STATS_LOGGER,
            "stats_scope": {"prefix": "istio"},
            "counters": [{"stat": {"name": "requests_total", "tags": tags}, "value_fixed": 1}],
            "histograms": [{"stat": duration, "unit": "Milliseconds", "value_format": "%DURATION%"}],
        },
    }


def prometheus_config(envoy_admin: str) -> Document:
    """Prometheus configuration that scrapes Envoy's admin address (`host:port`)."""
    names = {"source_labels": ["__name__"], "regex": "envoy_(istio_.*)", "target_label": "__name__"}
    unknown = [
        {"source_labels": [label], "regex": "-?", "target_label": label, "replacement": "unknown"}
        for label in _DESTINATION
    ]
    flags = {"source_labels": ["response_flags"], "regex": "-?", "target_label": "response_flags", "replacement": "-"}
    scrape = {
        "job_name": "istio",
        "metrics_path": "/stats/prometheus",
        "params": {"filter": [r"^istio\."]},
        "static_configs": [{"targets": [envoy_admin]}],
        "metric_relabel_configs": [names, *unknown, flags],
    }
    interval = f"{SCRAPE_SECONDS}s"
    return {"global": {"scrape_interval": interval, "scrape_timeout": interval}, "scrape_configs": [scrape]}

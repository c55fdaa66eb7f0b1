"""Linkerd's proxy metrics, outbound at the caller and inbound at the destination.

Names, labels and buckets: https://linkerd.io/2/reference/proxy-metrics/. Labels of the scraped pod (namespace, pod,
deployment, pod_template_hash) as Linkerd's own Prometheus maps them from `linkerd.io/proxy-*`.
"""

from canary_analyzer.sandbox.mesh.telemetry import Caller, Dialect, Labels, Series, cluster, host, relabelled

SCOPE, COUNTER, HISTOGRAM = "linkerd", "response_total", "response_latency_ms"
_DESTINATION = {
    "authority": cluster("authority"),
    "dst_service": cluster("service_name"),
    "dst_namespace": host("namespace"),
    "dst_deployment": host("workload"),
    "dst_pod": host("pod"),
    "dst_pod_template_hash": host("pod_template_hash"),
}
_INBOUND = {
    "namespace": host("namespace"),
    "deployment": host("workload"),
    "pod": host("pod"),
    "pod_template_hash": host("pod_template_hash"),
    "authority": cluster("authority"),
}
_RESPONSE = {"status_code": "%RESPONSE_CODE%", "tls": "true"}
_GRPC_RESPONSE = {"grpc_status": "%GRPC_STATUS_NUMBER%"}
_DECADES = (1, 2, 3, 4, 5, 10, 20, 30, 40, 50, 100, 200, 300, 400, 500)
_GRPC_FAILURES = "2|4|7|13|14|15"


def _source(caller: Caller, protocol: str) -> Series:
    """What the caller's proxy counts: by endpoint, so a request that found none is in no series, as in Linkerd."""
    scraped = {
        "namespace": caller.namespace,
        "deployment": caller.workload,
        "pod": caller.pod,
        "pod_template_hash": caller.pod_template_hash,
    }
    return _series({"direction": "outbound", **scraped, **_DESTINATION}, protocol)


def _destination(_: Caller, protocol: str) -> Series:
    """What the proxy of the pod that was called counts."""
    return _series({"direction": "inbound", **_INBOUND}, protocol)


def _series(side: Labels, protocol: str) -> Series:
    labels = {**side, **_RESPONSE}
    grpc = _GRPC_RESPONSE if protocol == "grpc" else {}
    return Series(
        scope=SCOPE,
        counter=COUNTER,
        histogram=HISTOGRAM,
        counter_labels={**labels, **grpc},
        histogram_labels=labels,
    )


def _classified(labels: str, pattern: str, verdict: str) -> dict[str, object]:
    source = ["__name__", labels]
    return {
        "source_labels": source,
        "regex": f"{COUNTER};({pattern})",
        "target_label": "classification",
        "replacement": verdict,
    }


LINKERD = Dialect(
    scope=SCOPE,
    counter=COUNTER,
    service_label="dst_service",
    source=_source,
    destination=_destination,
    rules=(
        {"source_labels": ["__name__"], "regex": "envoy_linkerd_(.*)", "target_label": "__name__"},
        # No endpoint, no series.
        {"source_labels": ["direction", "dst_pod"], "regex": "outbound;-?", "action": "drop"},
        _classified("status_code", ".*", "success"),
        _classified("status_code", "5..|0", "failure"),
        _classified("grpc_status", _GRPC_FAILURES, "failure"),
        *relabelled(list({**_DESTINATION, **_INBOUND}), ""),
    ),
    histogram=HISTOGRAM,
    buckets_ms=tuple(float(edge) for edge in (*_DECADES, *(1000 * n for n in (1, 2, 3, 4, 5, 10, 20, 30, 40, 50)))),
)

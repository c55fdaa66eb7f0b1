"""What every request is counted by: Envoy's stats access logger, and the Prometheus scrape that names the series.

The caller's side is logged when a request is over, the destination's side for every attempt that a pod answered, as
that pod's own proxy would have counted it. Every label value comes from configuration or from a closed set (codes,
flags), never from what a client sends.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from canary_analyzer.sandbox.mesh.clusters import ISTIO
from canary_analyzer.sandbox.mesh.world import Document

STATS_LOGGER = "type.googleapis.com/envoy.extensions.access_loggers.stats.v3.Config"
SCRAPE_SECONDS = 1
OTHER_TARGETS = "others.json"
"""File beside the configuration, watched by Prometheus, with what else is to be scraped."""
_IS_GRPC = {"name": "content-type", "string_match": {"prefix": "application/grpc"}}
_EVERYTHING: Document = {"not_health_check_filter": {}}  # an and_filter wants two filters
_NOT_GRPC = {**_IS_GRPC, "treat_missing_header_as_empty": True, "invert_match": True}

Labels = Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Caller:
    """A workload that sends requests; the sandbox's two have no pod in the API."""

    workload: str
    namespace: str
    pod: str
    pod_template_hash: str


GATEWAY = Caller(
    workload="istio-ingressgateway",
    namespace="istio-system",
    pod="istio-ingressgateway-7c9f8d6b5-2xkqp",
    pod_template_hash="7c9f8d6b5",
)
CLIENT = Caller(workload="client", namespace="default", pod="client-6d4b9c8f7-9zvht", pod_template_hash="6d4b9c8f7")


@dataclass(frozen=True, kw_only=True)
class Series:
    """A counter and a histogram of milliseconds, and the labels of each; `scope` goes before their names."""

    scope: str
    counter: str
    histogram: str
    counter_labels: Labels
    histogram_labels: Labels


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """How one mesh counts: series of the caller's and of the destination's side by caller and protocol (http, grpc).

    `rules` turn what Envoy shows of `scope` into the mesh's own names; `counter` is the counter's, `service_label` that
    of the label which names the Service; `buckets_ms` are the histogram's upper bounds.
    """

    scope: str
    counter: str
    service_label: str
    source: Callable[[Caller, str], Series]
    destination: Callable[[Caller, str], Series]
    rules: Sequence[Document]
    histogram: str
    buckets_ms: Sequence[float]


def host(key: str) -> str:
    """Format of what is known of the pod that answered; `-` when none did."""
    return f"%METADATA(UPSTREAM_HOST:{ISTIO}:{key})%"


def cluster(key: str) -> str:
    """Format of what is known of the Service that was called."""
    return f"%METADATA(CLUSTER:{ISTIO}:{key})%"


def caller_logs(dialect: Dialect, caller: Caller) -> list[Document]:
    """Loggers of finished requests."""
    return _by_protocol(lambda protocol: dialect.source(caller, protocol))


def destination_logs(dialect: Dialect, caller: Caller) -> list[Document]:
    """Loggers of attempts; one that no pod answered was not seen by any proxy beside a pod."""
    answered = {"status_code_filter": {"comparison": {"op": "GE", "value": at_least(100)}}}
    return _by_protocol(lambda protocol: dialect.destination(caller, protocol), answered)


def _by_protocol(series: Callable[[str], Series], *more: Document) -> list[Document]:
    """The protocol is the only label that needs two loggers."""

    def one(protocol: str, header: Document) -> Document:
        filters = [_EVERYTHING, {"header_filter": {"header": header}}, *more]
        return _logger(series(protocol), {"and_filter": {"filters": filters}})

    return [one("http", _NOT_GRPC), one("grpc", _IS_GRPC)]


def at_least(code: int) -> Document:
    """A status code as Envoy's comparisons want it; nothing overrides it at run time."""
    return {"default_value": code, "runtime_key": "sandbox.unused"}


def _logger(series: Series, condition: Document) -> Document:
    histogram = {"name": series.histogram, "tags": _tags(series.histogram_labels)}
    counter = {"name": series.counter, "tags": _tags(series.counter_labels)}
    return {
        "name": f"{series.scope}.{series.counter}",
        "filter": condition,
        "typed_config": {
            "@type": STATS_LOGGER,
            "stats_scope": {"prefix": series.scope},
            "counters": [{"stat": counter, "value_fixed": 1}],
            "histograms": [{"stat": histogram, "unit": "Milliseconds", "value_format": "%DURATION%"}],
        },
    }


def _tags(labels: Labels) -> list[Document]:
    return [{"name": name, "value_format": value} for name, value in labels.items()]


def relabelled(labels: Sequence[str], replacement: str) -> Iterator[Document]:
    """Relabelling rules that write something else where Envoy knew nothing; the empty string takes the label away."""
    for label in labels:
        yield {"source_labels": [label], "regex": "-?", "target_label": label, "replacement": replacement}


def prometheus_config(envoy_admin: str, dialect: Dialect) -> Document:
    """Prometheus configuration that scrapes a dialect's statistics at Envoy's admin address (`host:port`)."""
    job = {
        "job_name": dialect.scope,
        "metrics_path": "/stats/prometheus",
        "params": {"filter": [rf"^{dialect.scope}\."]},
        "static_configs": [{"targets": [envoy_admin]}],
        "metric_relabel_configs": list(dialect.rules),
    }
    others = {
        "job_name": "others",
        "honor_labels": True,  # a service's own `namespace` and `deployment` say of what it speaks
        "file_sd_configs": [{"files": [OTHER_TARGETS]}],
    }
    interval = f"{SCRAPE_SECONDS}s"
    return {"global": {"scrape_interval": interval, "scrape_timeout": interval}, "scrape_configs": [job, others]}

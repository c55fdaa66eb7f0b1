"""What Prometheus knows of both arms of a rollout: counts per tick, or one exception that says why there are none."""

from canary_analyzer.metrics.client import Credentials, MetricsUnavailable, PrometheusReader
from canary_analyzer.metrics.counts import Counts, join
from canary_analyzer.metrics.istio import Istio
from canary_analyzer.metrics.linkerd import Linkerd
from canary_analyzer.metrics.meshes import dialect
from canary_analyzer.metrics.pairs import Arm, Pair, Pods, Workload
from canary_analyzer.metrics.reader import ReaderSettings, SampleReader

__all__ = [
    "Arm",
    "Counts",
    "Credentials",
    "Istio",
    "Linkerd",
    "MetricsUnavailable",
    "Pair",
    "Pods",
    "PrometheusReader",
    "ReaderSettings",
    "SampleReader",
    "Workload",
    "dialect",
    "join",
]

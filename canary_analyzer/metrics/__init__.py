"""What Prometheus knows of both arms of a rollout: counts per tick, or one exception that says why there are none."""

from canary_analyzer.metrics.client import MetricsUnavailable, PrometheusReader
from canary_analyzer.metrics.counts import Counts, join
from canary_analyzer.metrics.istio import Arm, Pair, Workload
from canary_analyzer.metrics.reader import ReaderSettings, SampleReader

__all__ = [
    "Arm",
    "Counts",
    "MetricsUnavailable",
    "Pair",
    "PrometheusReader",
    "ReaderSettings",
    "SampleReader",
    "Workload",
    "join",
]

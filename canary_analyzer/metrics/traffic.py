"""What a workload's traffic was like of late: how much, how many errors, how slow."""

import numpy as np

from canary_analyzer.analysis.scenarios import Measured, Service
from canary_analyzer.metrics.pairs import Pair, Workload
from canary_analyzer.metrics.reader import SampleReader

_INTERVAL_SECONDS = 60.0
_NOBODY = "canary-analyzer-nobody"
"""The other arm of the pair that is read: no workload has this name."""


class NoTrafficError(ValueError):
    """Prometheus saw no request of the workload."""


def measured(reader: SampleReader, workload: Workload, *, until: float, seconds: float, tick_seconds: float) -> Service:
    """Return a service with the workload's traffic, error rate and latency over some time up to `until` (unix seconds).

    Raises:
        MetricsUnavailable: Prometheus does not answer.
        NoTrafficError: It saw no request.
    """
    pair = Pair(baseline=workload, canary=Workload(namespace=workload.namespace, name=_NOBODY))
    last = until - until % _INTERVAL_SECONDS
    grid = [last - seconds + i * _INTERVAL_SECONDS for i in range(int(seconds // _INTERVAL_SECONDS) + 1)]
    counts = reader.collect(pair, grid)
    arm = counts.baseline
    requests, slow = int(arm.requests.sum()), arm.latency.sum(axis=0).astype(np.float64)
    if not requests or not slow.any():
        raise NoTrafficError(
            f"no request of {workload.namespace}/{workload.name} in {seconds / 60:g} minutes (or none with a latency): "
            "check namespace and name of the Deployment, or tell its traffic by --rps and the options beside it"
        )
    return Service(
        requests_per_second=requests / (grid[-1] - grid[0]),
        error_rate=float(arm.errors.sum() / requests),
        latency=Measured(counts=slow, edges_ms=counts.edges_ms),
        tick_seconds=tick_seconds,
        edges_ms=counts.edges_ms,
    )

"""What Prometheus remembers, as a history that can be judged again."""

import random
from collections.abc import Collection, Sequence
from math import ceil, floor

from canary_analyzer.analysis.saved import Past
from canary_analyzer.metrics.client import PrometheusReader
from canary_analyzer.metrics.istio import DESTINATION, REQUESTS
from canary_analyzer.metrics.pairs import Pair, Pods, Workload
from canary_analyzer.metrics.promql import matcher
from canary_analyzer.metrics.reader import SampleReader

_POD = "pod"
_LOOK_SECONDS = 300.0
"""How long before a moment a pod's last sample may lie; Prometheus' own lookback."""

Window = tuple[float, float]
"""Unix seconds of begin and end."""


class NoPastError(ValueError):
    """There is nothing to judge again; the message says why and what to do."""


def between(reader: SampleReader, pair: Pair, windows: Sequence[Window], tick_seconds: float) -> Past:
    """Return what both arms of a pair counted within some windows, ascending.

    Ticks lie at whole multiples of their length in unix time; those that no window holds whole are left out.

    Raises:
        MetricsUnavailable: Prometheus does not answer.
        NoPastError: No window holds a tick, or none of them a request.
    """
    first, last = ceil(windows[0][0] / tick_seconds), floor(windows[-1][1] / tick_seconds)
    grid = [index * tick_seconds for index in range(first, last + 1)]
    kept = [
        index
        for index, since in enumerate(grid[:-1])
        if any(begin <= since and since + tick_seconds <= end for begin, end in windows)
    ]
    if not kept:
        raise NoPastError(f"no tick of {tick_seconds:g} s fits: choose a longer time or shorter ticks")
    history = reader.collect(pair, grid).history(tick_seconds)
    if not (history.canary.requests.any() or history.baseline.requests.any()):
        raise NoPastError(
            "Prometheus knows of no request of either arm at that time: "
            "check names and times, and how long it keeps its data"
        )
    return Past(history=history.picked(kept), times=tuple(grid[index] for index in kept))


def split(prometheus: PrometheusReader, workload: Workload, window: Window, few: int, seed: int) -> Pair:
    """Return a pair of which both arms are pods of one workload, drawn by lot: an A/A comparison.

    Pods count that were there at both ends of the window, so that the arms do not change within it.

    Args:
        prometheus: Knows the pods by what their own sidecars count.
        workload: Whose pods.
        window: Begin and end, unix seconds.
        few: How many of them play the canary.
        seed: The same seed draws the same pods.

    Raises:
        MetricsUnavailable: Prometheus does not answer.
        NoPastError: There are not more than `few` such pods.
    """
    begin, end = (_pods(prometheus, workload, at) for at in window)
    steady = sorted(begin & end)
    if len(steady) <= few:
        raise NoPastError(
            f"{workload.namespace}/{workload.name}: {len(begin)} pods at the begin, {len(end)} at the end, "
            f"{len(steady)} of them the same; more than {few} are needed: choose a time without a rollout or rescaling"
        )
    chosen = frozenset(random.Random(seed).sample(steady, few))  # noqa: S311 - a draw, no secret
    return Pair(
        baseline=_some(workload, frozenset(steady) - chosen),
        canary=_some(workload, chosen),
        baseline_service=workload.name,
        canary_service=workload.name,
    )


def _some(workload: Workload, pods: Collection[str]) -> Workload:
    return Workload(namespace=workload.namespace, name=workload.name, pods=Pods(values=frozenset(pods), label=_POD))


def _pods(prometheus: PrometheusReader, workload: Workload, at: float) -> frozenset[str]:
    conditions = (
        matcher("reporter", [DESTINATION]),
        matcher("destination_workload", [workload.name]),
        matcher("destination_workload_namespace", [workload.namespace]),
    )
    series = prometheus.points(f"{REQUESTS}{{{','.join(conditions)}}}", at=at, window_seconds=_LOOK_SECONDS)
    return frozenset(one.labels[_POD] for one in series if _POD in one.labels)

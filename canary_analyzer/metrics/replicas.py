"""Highly available Prometheus: two replicas scrape the same targets, and every sample is there twice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from canary_analyzer.analysis.counters import Series

# As the Prometheus operator, Thanos and Mimir call the label that tells replicas apart.
REPLICA_LABELS = ("prometheus_replica", "__replica__", "replica")


def one_replica(
    series: Iterable[Series], preferred: str | None, fresh_since: float
) -> tuple[tuple[Series, ...], str | None]:
    """Return each series once, without its replica label, and the replica to prefer the next time.

    The replica is kept until it falls silent. Samples of two replicas are never mixed: where their clocks disagree, the
    elder value can bear the younger time, which would look like a reset of the counter.

    Args:
        series: Samples of any number of counters.
        preferred: The replica that was chosen before, if any.
        fresh_since: Unix seconds; a replica without a sample since then has fallen silent.
    """
    copies: dict[frozenset[tuple[str, str]], dict[str, Series]] = {}
    for one in series:
        labels, replica = _split(one.labels)
        copies.setdefault(frozenset(labels.items()), {})[replica] = Series(labels=labels, points=one.points)
    chosen = _chosen(copies.values(), preferred, fresh_since)
    return tuple(each.get(chosen or "") or max(each.values(), key=_newest) for each in copies.values()), chosen


def _split(labels: Mapping[str, str]) -> tuple[Mapping[str, str], str]:
    replica = "/".join(labels[name] for name in REPLICA_LABELS if name in labels)
    return {name: value for name, value in labels.items() if name not in REPLICA_LABELS}, replica


def _chosen(copies: Iterable[Mapping[str, Series]], preferred: str | None, fresh_since: float) -> str | None:
    newest: dict[str, float] = {}
    for copy in copies:
        for replica, one in copy.items():
            newest[replica] = max(newest.get(replica, 0.0), _newest(one))
    fresh = sorted(replica for replica, time in newest.items() if time >= fresh_since)
    if preferred in fresh or not fresh:
        return preferred
    return fresh[0]


def _newest(series: Series) -> float:
    points: Sequence[tuple[float, float]] = series.points
    return points[-1][0] if points else 0.0

"""Highly available Prometheus: two replicas scrape the same targets, and every sample is there twice."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping
from typing import NamedTuple

from canary_analyzer.analysis.counters import Series

# As the Prometheus operator, Thanos and Mimir call the label that tells replicas apart.
REPLICA_LABELS = ("prometheus_replica", "__replica__", "replica")


class Copy(NamedTuple):
    """A series as one replica of Prometheus has it; `replica` is empty where there is but one."""

    replica: str
    series: Series


def take_replica(labels: dict[str, str], names: Collection[str]) -> str:
    """Take those with the given names out of a series' labels: which replica it comes from; return that."""
    return "/".join([labels.pop(name) for name in names if name in labels])


def one_replica(
    copies: Collection[Copy], preferred: str | None, fresh_since: float
) -> tuple[tuple[Series, ...], str | None]:
    """Return each series once, and the replica to prefer the next time.

    The replica is kept until it falls silent. Samples of two replicas are never mixed: where their clocks disagree, the
    elder value can bear the younger time, which would look like a reset of the counter.

    Args:
        copies: Samples of any number of counters.
        preferred: The replica that was chosen before, if any.
        fresh_since: Unix seconds; a replica without a sample since then has fallen silent.
    """
    if not any(copy.replica for copy in copies):
        fresh = any(_newest(copy.series) >= fresh_since for copy in copies)
        return tuple(copy.series for copy in copies), "" if fresh else preferred
    by_key: dict[Hashable, dict[str, Series]] = {}
    for copy in copies:
        by_key.setdefault(copy.series.key, {})[copy.replica] = copy.series
    chosen = _chosen(by_key.values(), preferred, fresh_since)
    return tuple(each.get(chosen or "") or max(each.values(), key=_newest) for each in by_key.values()), chosen


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
    return series.points[-1][0] if series.points else 0.0

"""Bring a run's samples up to date: the boundary between Prometheus and the pure `rollout.evidence`."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import pairwise

from canary_analyzer.metrics import (
    Counts,
    Credentials,
    MetricsUnavailable,
    Pair,
    Pods,
    PrometheusReader,
    ReaderSettings,
    SampleReader,
    Workload,
    dialect,
)
from canary_analyzer.rollout.evidence import Counted, Edges, Progress, Reading, absorb, absorb_each, boundaries, fresh
from canary_analyzer.rollout.rolling import Rolling
from canary_analyzer.rollout.run import Run
from canary_analyzer.service.settings import PrometheusSettings

OnQuery = Callable[[float, bool], None]
"""Told of every query how many seconds it took, and whether it was answered."""


def reader(given: PrometheusSettings, on_query: OnQuery | None = None) -> SampleReader:
    """Return the reader that all runs share, as it is configured."""
    mesh = dialect(given.dialect, given.reporter)
    return SampleReader(
        prometheus(given, on_query),
        ReaderSettings(dialect=mesh, staleness=given.staleness_seconds, replica_labels=given.replica_labels),
    )


def prometheus(given: PrometheusSettings, on_query: OnQuery | None = None) -> PrometheusReader:
    """Return what asks Prometheus, as it is configured."""
    credentials = Credentials(
        username=given.username,
        password_file=given.password_file,
        token_file=given.token_file,
        ca_file=given.ca_file,
        headers=given.headers,
    )
    return PrometheusReader(
        given.url, timeout_seconds=given.timeout_seconds, credentials=credentials, on_query=on_query
    )


def pair(run: Run) -> Pair:
    """Return whose metrics a run compares."""
    if run.rolling is not None:
        return _pods_of_one(run, run.rolling)
    baseline = (run.stable, run.service) if run.fresh is None else (run.fresh.name, run.fresh.service)
    return Pair(
        baseline=Workload(namespace=run.namespace, name=baseline[0]),
        canary=Workload(namespace=run.namespace, name=run.canary),
        baseline_service=baseline[1],
        canary_service=run.canary_service,
        sources=frozenset(run.policy.sources),
        metrics=run.policy.metrics,
    )


def _pods_of_one(run: Run, rolling: Rolling) -> Pair:
    """Old and new pods of one Deployment; there are none new before they have been seen."""
    new = run.label[1]
    arms = {"baseline": {rolling.old_pods}, "canary": {new} if new else set()}
    workloads = {
        arm: Workload(namespace=run.namespace, name=run.stable, pods=Pods(values=frozenset(hashes)))
        for arm, hashes in arms.items()
    }
    return Pair(
        **workloads,
        baseline_service=run.service,
        canary_service=run.service,
        sources=frozenset(run.policy.sources),
        metrics=run.policy.metrics,
    )


def read(reader: SampleReader, run: Run, progress: Progress, now: float) -> Progress:
    """Return the progress up to now, or up to where there are metrics and why there are no more.

    Args:
        reader: shared by all runs.
        run: whose samples.
        progress: how far they have been read; what failed is read again at the next call.
        now: seconds since the epoch.
    """
    try:
        return _read(reader, run, progress, now)
    except MetricsUnavailable as error:
        return progress.without_metrics(error.reason)


def read_together(reader: SampleReader, asked: Sequence[tuple[Run, Progress]], now: float) -> list[Progress]:
    """Return the progress of many runs, as `read`, at a fraction of the work: they are judged together.

    Only where there is one interval to read, as there is at most ticks, and that can be read. All others stay as they
    are for `read`, which may have to wait for answers of their own.
    """
    after = [progress for _, progress in asked]
    readings = {}
    for index, (run, progress) in enumerate(asked):
        with suppress(Exception):  # `read` meets it again, and says so
            if len(boundaries(progress, run, now)) == 2:
                readings[index] = _reading(reader, run, progress, now)
    for index, progress in zip(readings, absorb_each(list(readings.values())), strict=True):
        after[index] = progress
    return after


def _read(reader: SampleReader, run: Run, progress: Progress, now: float) -> Progress:
    if len(boundaries(progress, run, now)) < 2:
        reader.follow(pair(run), progress.until)
        return progress
    return absorb(_reading(reader, run, progress, now))


def _reading(reader: SampleReader, run: Run, progress: Progress, now: float) -> Reading:
    grid = boundaries(progress, run, now)
    counts = reader.collect(pair(run), grid)
    edges = _edges(counts)
    if progress.judge is not None and edges != progress.edges:
        # A histogram changed, or was first seen: what was counted in other buckets cannot be continued.
        progress = fresh(run)
        grid = boundaries(progress, run, now)
        counts = reader.collect(pair(run), grid)
        edges = _edges(counts)
    return Reading(progress=progress, run=run, counted=_counted(counts, grid), edges=edges)


def _edges(counts: Counts) -> Edges:
    extra = {name: one.edges_ms for name, one in counts.extra.items() if one.edges_ms is not None}
    return Edges(
        latency=tuple(map(float, counts.edges_ms)),
        extra={name: tuple(map(float, each)) for name, each in extra.items()},
    )


def _counted(counts: Counts, grid: tuple[float, ...]) -> list[Counted]:
    ticks = zip(pairwise(grid), counts.ticks(), strict=True)
    return [Counted(since=since, until=until, tick=tick) for (since, until), tick in ticks]

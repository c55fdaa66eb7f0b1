"""Bring a run's samples up to date: the boundary between Prometheus and the pure `rollout.evidence`."""

from itertools import pairwise

from canary_analyzer.metrics import Counts, MetricsUnavailable, Pair, SampleReader, Workload
from canary_analyzer.rollout.evidence import Counted, Progress, absorb, boundaries, fresh
from canary_analyzer.rollout.run import Run


def pair(run: Run) -> Pair:
    """Return whose metrics a run compares."""
    return Pair(
        baseline=Workload(namespace=run.namespace, name=run.deployment),
        canary=Workload(namespace=run.namespace, name=run.canary),
        baseline_service=run.service,
        canary_service=run.canary_service,
    )


def read(reader: SampleReader, run: Run, progress: Progress, now: float) -> Progress:
    """Return the progress up to now, or up to where there are metrics and why there are no more.

    Args:
        reader: shared by all runs.
        run: whose samples.
        progress: how far they have been read; what failed is read again at the next call.
        now: seconds since the epoch.
    """
    grid = boundaries(progress, run, now)
    if len(grid) < 2:
        return progress
    try:
        counts = reader.collect(pair(run), grid)
        if progress.judge is not None and tuple(counts.edges_ms) != progress.edges_ms:
            # The proxies' histogram changed: what was counted in other buckets cannot be continued.
            progress = fresh(run)
            grid = boundaries(progress, run, now)
            counts = reader.collect(pair(run), grid)
    except MetricsUnavailable as error:
        return progress.without_metrics(error.reason)
    return absorb(progress, run, _counted(counts, grid), tuple(counts.edges_ms))


def _counted(counts: Counts, grid: tuple[float, ...]) -> list[Counted]:
    ticks = counts.history(grid[1] - grid[0]).ticks()
    return [
        Counted(since=since, until=until, tick=tick) for (since, until), tick in zip(pairwise(grid), ticks, strict=True)
    ]

"""What a policy watches: errors, latency, and the user's own metrics; which streams each has, and what they may spend.

A metric is judged by streams (`streams`) and reported by figures: an error rate is one, a histogram has one per
quantile. All streams of all metrics that decide bet with parts of one capital, so that alpha is spent once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from canary_analyzer.analysis.policy import ErrorTolerance, LatencyTolerance, MetricRule, Policy
from canary_analyzer.analysis.streams import Histogram, Ratio
from canary_analyzer.analysis.types import Floats, Indices, Tick
from canary_analyzer.analysis.words import quantile_name

ERRORS, LATENCY = "errors", "latency"


@dataclass(frozen=True, kw_only=True)
class Watched:
    """One metric of a policy.

    Args:
        name: `errors`, `latency`, or what the user calls it.
        kind: Its streams, and how its counts are read.
        share: Its weight when alpha is divided; 0: it is reported and never decides.
        critical: Without data for it there is no answer.
    """

    name: str
    kind: Ratio | Histogram
    share: float = 1.0
    critical: bool = False

    @property
    def decides(self) -> bool:
        """Whether it can abort, and must be shown within tolerance for HEALTHY."""
        return self.share > 0

    @property
    def figures(self) -> tuple[str, ...]:
        """Names under which it is reported: `errors`, or `latency_p50`, `latency_p90`, ..."""
        if isinstance(self.kind, Ratio):
            return (self.name,)
        return tuple(f"{self.name}_{quantile_name(rank)}" for rank in self.kind.tolerance.quantiles)

    def counts(self, ticks: Sequence[Tick]) -> Floats:
        """Return counts [2, T, C] of canary and baseline, (good, bad) or by bucket; zeros where a tick has none."""
        counts = np.zeros((2, len(ticks), self.kind.buckets))
        for number, tick in enumerate(ticks):
            own = self.name in (ERRORS, LATENCY)
            for arm, seen in enumerate((tick.canary, tick.baseline) if own else tick.extra.get(self.name, ())):
                if isinstance(self.kind, Ratio):
                    counts[arm, number] = seen.requests - seen.errors, seen.errors
                elif seen.latency.size == self.kind.buckets:
                    counts[arm, number] = seen.latency
        return counts


def watched(policy: Policy, edges_ms: Floats, extra_edges_ms: Mapping[str, Floats]) -> tuple[Watched, ...]:
    """Return errors, latency, and the policy's own metrics, in the order in which they are reported."""
    own = (
        Watched(name=ERRORS, kind=Ratio(tolerance=policy.errors)),
        Watched(name=LATENCY, kind=_histogram(policy.latency, edges_ms)),
    )
    return (*own, *(_users(rule, extra_edges_ms.get(rule.name, np.array([]))) for rule in policy.metrics))


def _users(rule: MetricRule, edges: Floats) -> Watched:
    tolerance = rule.tolerance
    kind: Ratio | Histogram
    if isinstance(tolerance, ErrorTolerance):
        kind = Ratio(tolerance=tolerance)
    else:
        kind = _histogram(tolerance, np.asarray(edges, dtype=np.float64))
    return Watched(name=rule.name, kind=kind, share=0.0 if rule.advisory else rule.share, critical=rule.critical)


def _histogram(tolerance: LatencyTolerance, edges: Floats) -> Histogram:
    """Return the histogram; one without edges, whose single bucket says nothing, is given an edge and no counts."""
    return Histogram(tolerance=tolerance, edges=edges if edges.size else np.ones(1))


@dataclass(frozen=True, kw_only=True, eq=False)
class Layout:
    """Where in the arrays of S streams and F figures each metric is.

    Args:
        metrics: What is watched.
        names: [F] under which the figures are reported.
        log_opinions: [S, K] log of the part of each stream's capital that each bettor begins with.
        log_capital: [S] log of the part of the whole capital that each stream begins with; -inf: it never decides.
        figure_of: [S] the figure that is to blame when the stream finds something.
        answering: [F] the stream that can show the figure to be within tolerance.
        deciding: [F] whether that must be shown for HEALTHY.
        owner: [F] the metric that the figure belongs to.
    """

    metrics: tuple[Watched, ...]
    names: tuple[str, ...]
    log_opinions: Floats
    log_capital: Floats
    figure_of: Indices
    answering: Indices
    deciding: NDArray[np.bool_]
    owner: Indices

    @classmethod
    def of(cls, metrics: tuple[Watched, ...]) -> Self:
        """Return the layout in which the metrics' streams and figures follow one another."""
        shares = np.array([metric.share for metric in metrics])
        counts = [len(metric.figures) for metric in metrics]
        starts = np.cumsum([0, *(metric.kind.streams for metric in metrics)])
        figure_of, first = [], 0
        for count, metric in zip(counts, metrics, strict=True):
            last = first + count - 1
            beside = (first, last, last)[: metric.kind.streams - count]
            figure_of += [*range(first, first + count), *beside]
            first += count
        with np.errstate(divide="ignore"):
            parts = [
                np.log(share * metric.kind.parts) for share, metric in zip(shares / shares.sum(), metrics, strict=True)
            ]
        return cls(
            metrics=metrics,
            names=tuple(name for metric in metrics for name in metric.figures),
            log_opinions=np.log(np.concatenate([metric.kind.opinions for metric in metrics])),
            log_capital=np.concatenate(parts),
            figure_of=np.array(figure_of),
            answering=np.concatenate(
                [start + np.arange(count) for start, count in zip(starts[:-1], counts, strict=True)]
            ),
            deciding=np.repeat(shares > 0, counts),
            owner=np.repeat(np.arange(len(metrics)), counts),
        )

    @cached_property
    def figure_capital(self) -> Floats:
        """Log of the capital [F] that bets against each figure at the start; 0 for figures that never decide."""
        return np.where(self.deciding, self.per_figure(self.log_capital), 0.0)

    def per_figure(self, logs: Floats) -> Floats:
        """Return the logs [F] or [N, F] of sums over each figure's streams, given those of the terms [S] or [N, S]."""
        figures = range(len(self.answering))
        return np.array([joint(logs[..., self.figure_of == figure]) for figure in figures]).T


def joint(logs: Floats) -> Floats:
    """Return the log of the sum over the last axis of what these are the logs of."""
    return np.asarray(np.logaddexp.reduce(logs, axis=-1))

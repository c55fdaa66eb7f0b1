"""What the judges for those who come from elsewhere have seen: sums over the run, and over the interval under way.

Its size depends on the number of metrics and buckets, not on the number of ticks.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import groupby

import numpy as np

from canary_analyzer.analysis.effects import Effect, error_effects, quantile_effects
from canary_analyzer.analysis.mistakes import not_positive, refuse_all
from canary_analyzer.analysis.policy import LatencyTolerance, MetricRule, Policy
from canary_analyzer.analysis.totals import Matched
from canary_analyzer.analysis.types import ArmTick, Floats, Tick, edge_mistakes
from canary_analyzer.analysis.words import quantile_name

Arms = tuple[Floats, Floats]
"""Counts of the canary and of the baseline: good and bad, or by bucket."""


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One figure that is compared: an error rate, or a quantile.

    Args:
        name: How verdicts call it.
        source: Whose counts: `errors`, `latency`, or the name of a metric of the user's own.
        rank: Of the quantile, None for a rate.
        rule: The user's, None for errors and latency.
    """

    name: str
    source: str
    rank: float | None = None
    rule: MetricRule | None = None

    @property
    def advisory(self) -> bool:
        """Whether it is reported and never decides."""
        return self.rule is not None and self.rule.advisory


def measures(policy: Policy) -> tuple[Measure, ...]:
    """Return what is compared: errors, the latency quantiles, then the user's own metrics."""
    own = (measure for rule in policy.metrics for measure in _measures_of(rule))
    return (Measure(name="errors", source="errors"), *_quantiles("latency", policy.latency, None), *own)


def _measures_of(rule: MetricRule) -> Iterator[Measure]:
    if isinstance(rule.tolerance, LatencyTolerance):
        yield from _quantiles(rule.name, rule.tolerance, rule)
    else:
        yield Measure(name=rule.name, source=rule.name, rule=rule)


def _quantiles(source: str, tolerance: LatencyTolerance, rule: MetricRule | None) -> Iterator[Measure]:
    for rank in tolerance.quantiles:
        yield Measure(name=f"{source}_{quantile_name(rank)}", source=source, rank=rank, rule=rule)


@dataclass(frozen=True, kw_only=True, eq=False)
class Observed:
    """What has been counted.

    Args:
        policy: What the judge is told.
        edges_ms: By source of a histogram, [B-1] upper edges of its buckets.
        ticks: Ticks seen.
        cold_ticks: The canary's ticks with traffic still to be left out.
        run: By source, sums over all ticks that counted.
        interval: By source, sums over those of the interval under way.
    """

    policy: Policy
    edges_ms: Mapping[str, Floats]
    ticks: int
    cold_ticks: int
    run: Mapping[str, Matched] = field(default_factory=dict)
    interval: Mapping[str, Arms] = field(default_factory=dict)

    def after(self, tick: Tick) -> "Observed":
        """Return what has been counted after one more tick."""
        seen = replace(self, ticks=self.ticks + 1)
        if tick.canary.requests and self.cold_ticks:
            return replace(seen, cold_ticks=self.cold_ticks - 1)
        counts = dict(self._counts(tick))
        return replace(
            seen,
            run={**self.run, **{name: self._matched(name, arms).after(*arms) for name, arms in counts.items()}},
            interval={**self.interval, **{name: _sum(self.interval.get(name), arms) for name, arms in counts.items()}},
        )

    def next_interval(self) -> "Observed":
        """Return the same with an empty interval."""
        return replace(self, interval={})

    def requests(self) -> tuple[int, int]:
        """Return the requests of the canary and of the baseline that counted."""
        errors = self.run.get("errors")
        return (errors.n_canary, errors.n_baseline) if errors is not None else (0, 0)

    def is_thin(self) -> bool:
        """Return whether an arm has served fewer requests than any answer needs."""
        return min(self.requests()) < self.policy.minimum_requests

    def effects(self) -> dict[str, Effect]:
        """Return by measure both arms' figures over the whole run with their anytime-valid interval."""
        found: dict[str, Effect] = {}
        for source, group in groupby(measures(self.policy), key=lambda measure: measure.source):
            ranks = {measure.name: measure.rank for measure in group}
            matched = self._matched(source, (np.zeros(2), np.zeros(2)))
            quantiles = tuple(rank for rank in ranks.values() if rank is not None)
            edges = self.edges_ms.get(source, np.empty(0))
            effects = quantile_effects([matched], edges, quantiles)[0] if quantiles else error_effects([matched])
            found |= zip(ranks, effects, strict=True)
        return found

    def _matched(self, source: str, arms: Arms) -> Matched:
        return self.run.get(source) or Matched.none(arms[0].size)

    def _counts(self, tick: Tick) -> Iterator[tuple[str, Arms]]:
        yield "errors", (_good_bad(tick.canary), _good_bad(tick.baseline))
        yield "latency", (_buckets(tick.canary), _buckets(tick.baseline))
        for rule in self.policy.metrics:
            if rule.name in tick.extra:
                of = _buckets if rule.kind == "histogram" else _good_bad
                canary, baseline = tick.extra[rule.name]
                yield rule.name, (of(canary), of(baseline))


def nothing(
    policy: Policy, edges_ms: Floats, tick_seconds: float, extra_edges_ms: Mapping[str, Floats] | None = None
) -> Observed:
    """Return what is known before the first tick.

    Raises:
        ValueError: The edges of a histogram or the tick are not usable; all mistakes are listed.
    """
    edges = {
        name: np.asarray(given, dtype=np.float64)
        for name, given in {**(extra_edges_ms or {}), "latency": edges_ms}.items()
    }
    wrong = [*not_positive("tick_seconds", tick_seconds, "seconds")]
    wrong += [f"{name}: {mistake}" for name, given in edges.items() for mistake in edge_mistakes(given)]
    refuse_all("start of a judge", wrong)
    return Observed(policy=policy, edges_ms=edges, ticks=0, cold_ticks=math.ceil(policy.warmup_seconds / tick_seconds))


def ticks_in(seconds: float, tick_seconds: float) -> int:
    """Return how many ticks come nearest to so many seconds, at least one."""
    return max(1, round(seconds / tick_seconds))


def _good_bad(arm: ArmTick) -> Floats:
    return np.array([arm.requests - arm.errors, arm.errors], dtype=np.float64)


def _buckets(arm: ArmTick) -> Floats:
    return np.asarray(arm.latency, dtype=np.float64)


def _sum(before: Arms | None, arms: Arms) -> Arms:
    return arms if before is None else (before[0] + arms[0], before[1] + arms[1])

"""Absolute limits: an outage needs no statistics."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from canary_analyzer.analysis.histogram import quantiles
from canary_analyzer.analysis.policy import Guardrails
from canary_analyzer.analysis.types import ArmTick, Floats, Tick


@dataclass(frozen=True, kw_only=True)
class Breach:
    """A limit that the canary broke and the baseline kept: the metric it concerns, and a sentence."""

    metric: str
    reason: str


def breach(recent: Sequence[Tick], edges_ms: Floats, limits: Guardrails) -> Breach | None:
    """Return the first limit that the latest ticks break, unless the baseline breaks it too, or None."""
    window = _window(recent, limits.minimum_requests)
    if window is None:
        return None
    return next(_breaches(window, edges_ms, limits), None)


def _window(recent: Sequence[Tick], minimum: int) -> Sequence[Tick] | None:
    """Return the fewest latest ticks that hold `minimum` requests of the canary, or None."""
    requests = 0
    for start in range(len(recent) - 1, -1, -1):
        requests += recent[start].canary.requests
        if requests >= minimum:
            return recent[start:]
    return None


def _breaches(window: Sequence[Tick], edges_ms: Floats, limits: Guardrails) -> Iterator[Breach]:
    canary, baseline = [tick.canary for tick in window], [tick.baseline for tick in window]
    span = "the last tick" if len(window) == 1 else f"the last {len(window)} ticks"
    limit = limits.success_rate
    if limit is not None and _success(canary) < limit <= _success(baseline):
        yield Breach(
            metric="errors",
            reason=f"only {_success(canary):.1%} of the canary's {_requests(canary)} requests in {span} succeeded, "
            f"below the guardrail of {limit:.1%} (baseline: {_success(baseline):.1%} of {_requests(baseline)})",
        )
    if limits.p99_ms is not None and edges_ms.size:
        slow, usual = _p99(canary, edges_ms), _p99(baseline, edges_ms)
        if slow > limits.p99_ms >= usual:
            yield Breach(
                metric="latency",
                reason=f"p99 of the canary's {_requests(canary)} requests in {span} is {slow:.0f} ms, above the "
                f"guardrail of {limits.p99_ms:.0f} ms (baseline: {usual:.0f} ms over {_requests(baseline)})",
            )


def _requests(arms: Sequence[ArmTick]) -> int:
    return sum(arm.requests for arm in arms)


def _success(arms: Sequence[ArmTick]) -> float:
    requests = _requests(arms)
    return 1.0 - sum(arm.errors for arm in arms) / requests if requests else 1.0


def _p99(arms: Sequence[ArmTick], edges_ms: Floats) -> float:
    counts = np.sum([arm.latency for arm in arms], axis=0).astype(np.float64)
    return float(quantiles(counts, edges_ms, np.array([0.99]))[0]) if counts.any() else 0.0

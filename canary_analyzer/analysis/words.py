"""Reasons for a tired engineer at 3 a.m.: the metric, both figures, the interval, how many requests, the tolerance."""

import math

from canary_analyzer.analysis.effects import Effect
from canary_analyzer.analysis.policy import ErrorTolerance
from canary_analyzer.analysis.types import MetricState

_STATES = {
    MetricState.DEGRADED: "worse than tolerated",
    MetricState.HEALTHY: "shown to be within tolerance",
    MetricState.UNDECIDED: "not decided",
    MetricState.NO_DATA: "no data",
}


def quantile_name(rank: float) -> str:
    """Return `p99` for 0.99, `p99.9` for 0.999."""
    return f"p{rank * 100:.6g}"


def about_ratio(
    name: str, effect: Effect, state: MetricState, tolerance: ErrorTolerance, requests: tuple[int, int]
) -> str:
    """Return the sentence about the error rate, or another ratio of bad events."""
    if state is MetricState.NO_DATA:
        return f"{name}: no data, no tick had requests on both arms"
    allowed = max(tolerance.absolute, tolerance.relative * effect.baseline)
    return f"{name} {_STATES[state]}: {rates(effect, requests)}, tolerated {_points(allowed)}{_as_ratio(effect)}"


def rates(effect: Effect, requests: tuple[int, int]) -> str:
    """Return the rates of canary and baseline, over how many requests, and their difference with its interval."""
    return (
        f"{_percent(effect.canary)} of {requests[0]} canary requests failed, "
        f"{_percent(effect.baseline)} of {requests[1]} baseline requests; difference {_points(effect.value)} "
        f"(95 % interval {_points(effect.low)} to {_points(effect.high)})"
    )


def _as_ratio(effect: Effect) -> str:
    """Return the same as a ratio, where the baseline has something to compare with."""
    ratio = effect.ratio
    if ratio is None or math.isinf(ratio.value):
        return ""
    return f"; {_times(ratio.value)} as many (95 % interval {_times(ratio.low)} {_up_to(ratio.high)})"


def about_quantile(name: str, effect: Effect, state: MetricState, relative: float, requests: tuple[int, int]) -> str:
    """Return the sentence about one quantile of a histogram, of which `relative` more is tolerated."""
    title = name.replace("_", " ")
    if state is MetricState.NO_DATA:
        return f"{title}: no data, no tick had values on both arms"
    return f"{title} {_STATES[state]}: {latencies(effect, requests)}, tolerated {_times(1 + relative)}"


def latencies(effect: Effect, requests: tuple[int, int]) -> str:
    """Return a quantile of canary and baseline, over how many requests, and their ratio with its interval."""
    return (
        f"{_milliseconds(effect.canary)} over {requests[0]} canary requests, "
        f"{_milliseconds(effect.baseline)} over {requests[1]} baseline requests; {_times(effect.value)} as slow "
        f"(95 % interval {_times(effect.low)} {_up_to(effect.high)})"
    )


def still_possible(name: str, effect: Effect, *, is_ratio: bool) -> str:
    """Return how bad a figure could still be."""
    if is_ratio:
        return f"{name} at most {_points(effect.high)} above the baseline"
    if math.isinf(effect.high):
        return f"{name.replace('_', ' ')} not bounded yet"
    return f"{name.replace('_', ' ')} at most {_times(effect.high)} the baseline's"


def _percent(share: float) -> str:
    return f"{share * 100:.3g} %"


def _points(share: float) -> str:
    return f"{share * 100:+.3g} points"


def _milliseconds(value: float) -> str:
    return f"{value:.3g} ms" if value < 1000 else f"{value / 1000:.3g} s"


def _times(ratio: float) -> str:
    return f"{ratio:.3g} times" if ratio < 1000 else f"{ratio:,.0f} times"


def _up_to(ratio: float) -> str:
    return "or more, not bounded above yet" if math.isinf(ratio) else f"to {_times(ratio)}"

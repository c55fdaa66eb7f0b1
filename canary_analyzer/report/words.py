"""Figures and times of a run in words, for pages and terminals alike."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from canary_analyzer.rollout.policy import RolloutPolicy
from canary_analyzer.rollout.run import Run
from canary_analyzer.rollout.story import Figures, Story


@dataclass(frozen=True, kw_only=True)
class Metric:
    """The newest figures of one metric, in words."""

    name: str
    state: str
    """What is known, in two or three words."""
    tone: str
    """How that is coloured: good, bad, wait or busy."""
    effect: str
    interval: str
    against: str
    against_bar: float
    """From 0 to 1, for a meter."""
    favour: str
    favour_bar: float
    requests: str
    """How many counted, of both arms."""
    reason: str


def shares(policy: RolloutPolicy) -> frozenset[str]:
    """Return the metrics that are shares, whose effect is a difference; that of all others is a ratio of quantiles."""
    return frozenset({"errors", *(metric.name for metric in policy.metrics if metric.histogram is None)})


def metrics(run: Run, story: Story) -> list[Metric]:
    """Return the newest figures of each metric."""
    of_shares = shares(run.policy)
    told = zip(story.metrics, story.newest, story.requests, story.reasons, strict=False)
    return [
        _metric(name, figures, f"{arms.canary:,} and {arms.baseline:,}", reason, is_share=name in of_shares)
        for name, figures, arms, reason in told
    ]


def _metric(name: str, figures: Figures, requests: str, reason: str, *, is_share: bool) -> Metric:
    say = _points if is_share else _times
    unit = "points" if is_share else "times"
    state, tone = _state(figures)
    return Metric(
        name=name.replace("_", " "),
        state=state,
        tone=tone,
        effect=f"{say(figures.effect)} {unit}" if figures.effect is not None else "unknown",
        interval=_interval(figures.low, figures.high, say, unit),
        against=_evidence(figures.against),
        against_bar=_bar(figures.against),
        favour=_evidence(figures.favour),
        favour_bar=_bar(figures.favour),
        requests=requests,
        reason=reason,
    )


def time(at: float) -> str:
    """Return a time in UTC, to the second."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def clock(at: float) -> str:
    """Return the time of day in UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S")


def minute(at: float) -> str:
    """Return a time in UTC, to the minute."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M")


def iso(at: float) -> str:
    """Return a time for machines."""
    return datetime.fromtimestamp(at, UTC).isoformat()


def duration(seconds: float) -> str:
    """Return 75 as `1 min 15 s`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts: Mapping[str, int] = {"h": hours, "min": minutes, "s": rest}
    return " ".join(f"{count} {unit}" for unit, count in parts.items() if count) or "0 s"


def ended(run: Run) -> float | None:
    """Return when the run ended; None while it goes on."""
    return run.timeline[-1].at if run.ended and run.timeline else None


def versions(run: Run) -> str:
    """Return what is replaced by what."""
    return ", ".join(f"{name}: {run.stable_images.get(name, '?')} → {image}" for name, image in run.images.items())


def _state(figures: Figures) -> tuple[str, str]:
    if figures.effect is None:
        return "no data", "wait"
    if (figures.against or 0.0) >= 1:
        return "worse", "bad"
    return ("within tolerance", "good") if (figures.favour or 0.0) >= 1 else ("undecided", "busy")


def _interval(low: float | None, high: float | None, say: Callable[[float], str], unit: str) -> str:
    if low is None and high is None:
        return "unknown"
    if low is None or high is None:
        return f"{say(low)} {unit} or more" if low is not None else f"{say(high or 0.0)} {unit} or less"
    return f"{say(low)} to {say(high)} {unit}"


def _points(value: float) -> str:
    return _figure(100 * value, "+")


def _times(value: float) -> str:
    return _figure(value, "")


def _figure(value: float, sign: str) -> str:
    """Return about three digits, and never an exponent."""
    if value == 0:
        return "0"
    digits = next((digits for digits, least in enumerate((100, 10, 1)) if abs(value) >= least), 3)
    return f"{value:{sign},.{digits}f}"


def _evidence(value: float | None) -> str:
    return "-" if value is None else f"{value:z.2f}"


def _bar(value: float | None) -> float:
    return min(max(value or 0.0, 0.0), 1.0)

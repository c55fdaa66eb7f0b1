"""What the judges for those who come from elsewhere need to know: Kayenta's and Flagger's own settings."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

from canary_analyzer.analysis.mistakes import (
    not_among,
    not_between,
    not_positive,
    not_whole,
    outside,
    refuse,
)

EffectSize = Literal["mean_ratio", "cles"]


@dataclass(frozen=True, kw_only=True)
class MannWhitneyRule:
    """What Kayenta's judge is told, with the defaults of Spinnaker's canary stage.

    Args:
        tolerance: An interval of the shift that lies within this part of the estimate is no finding.
        confidence: Of the interval of the shift.
        effect_size: What `allowed_increase` limits: the ratio of the means, or how often a point of the canary exceeds
            one of the baseline (common language effect size, 0 to 1).
        allowed_increase: Effect that a finding must have at least; None: what says "no effect" (1, or 0.5 for cles).
        step_seconds: Length of a point of the compared series; Kayenta asks for one point a minute.
        interval_seconds: Time between two judgements.
        points: The latest so many points are compared; an hour of minutes.
        least_points: No judgement on fewer points of an arm; with two of each, chance alone puts both of the
            canary's above the baseline's in one of six good metrics.
        pass_score: Score from which on the canary is healthy.
        marginal_score: Score below which it is aborted.

    Raises:
        ValueError: A value is out of range; all mistakes are listed.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    tolerance: float = 0.25
    confidence: float = 0.98
    effect_size: EffectSize = "mean_ratio"
    allowed_increase: float | None = None
    step_seconds: float = 60.0
    interval_seconds: float = 60.0
    points: int = 60
    least_points: int = 3
    pass_score: float = 95.0
    marginal_score: float = 75.0

    def __post_init__(self) -> None:
        refuse(self)

    def mistakes(self) -> Iterator[str]:
        """Yield one sentence per mistake."""
        yield from not_between("tolerance", self.tolerance, 0, 1)
        yield from outside("confidence", self.confidence, 0, 1)
        yield from not_among("effect_size", self.effect_size, ("mean_ratio", "cles"))
        if self.allowed_increase is not None:
            yield from not_between(
                "allowed_increase", self.allowed_increase, 0, 1 if self.effect_size == "cles" else 1e6
            )
        yield from not_positive("step_seconds", self.step_seconds, "seconds")
        yield from not_positive("interval_seconds", self.interval_seconds, "seconds")
        points = (*not_whole("points", self.points, 3, 1000), *not_whole("least_points", self.least_points, 1, 1000))
        yield from points
        if not points and self.least_points > self.points:
            yield f"least_points: value {self.least_points!r}: give at most points ({self.points!r})"
        scores = (
            *not_between("pass_score", self.pass_score, 0, 100),
            *not_between("marginal_score", self.marginal_score, 0, 100),
        )
        yield from scores
        if not scores and self.marginal_score > self.pass_score:
            yield (
                f"marginal_score: value {self.marginal_score!r}: give at most pass_score ({self.pass_score!r}); "
                "between the two the canary goes on"
            )


@dataclass(frozen=True, kw_only=True)
class ThresholdRule:
    """What Flagger is told: absolute limits, checked once an interval.

    Args:
        success_rate: A check fails below this share of good answers; None: no limit.
        p99_ms: A check fails above this 99th percentile, milliseconds; None: no limit.
        interval_seconds: Time between two checks; each looks at the requests since the one before.
        failed_checks: Abort at so many failed checks, in a row or not.

    Raises:
        ValueError: A value is out of range; all mistakes are listed.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    success_rate: float | None = 0.99
    p99_ms: float | None = 500.0
    interval_seconds: float = 60.0
    failed_checks: int = 5

    def __post_init__(self) -> None:
        refuse(self)

    def mistakes(self) -> Iterator[str]:
        """Yield one sentence per mistake."""
        if self.success_rate is not None:
            yield from not_between("success_rate", self.success_rate, 0, 1)
        if self.p99_ms is not None:
            yield from not_positive("p99_ms", self.p99_ms, "milliseconds")
        if self.success_rate is None and self.p99_ms is None:
            yield "success_rate, p99_ms: both none: give at least one limit, else no check can fail"
        yield from not_positive("interval_seconds", self.interval_seconds, "seconds")
        yield from not_whole("failed_checks", self.failed_checks, 1)

"""What counts as worse, and how sure the judge must be: the numbers a user may set."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar

from canary_analyzer.analysis.mistakes import negative, outside, refuse


@dataclass(frozen=True, kw_only=True)
class ErrorTolerance:
    """How many more errors than the baseline a canary may have: the larger of the two allowances.

    Args:
        relative: Share of the baseline's error rate; 0.5 lets 1.0 % become 1.5 %.
        absolute: Error rate added to the baseline's; 0.002 lets 0 % become 0.2 %, so that a service without errors
            is not rolled back for its first one.

    Raises:
        ValueError: A number is negative or not finite, or `absolute` is 1 or more; all mistakes are listed.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    relative: float = 0.5
    absolute: float = 0.002

    def __post_init__(self) -> None:
        refuse(self)

    def mistakes(self) -> Iterator[str]:
        """Yield one sentence per mistake."""
        yield from negative("relative", self.relative)
        yield from negative("absolute", self.absolute)
        if self.absolute >= 1:
            yield f"absolute: value {self.absolute!r}: give a share below 1 (0.002 is 0.2 %)"
        if self.relative == 0 and self.absolute == 0:
            yield "relative, absolute: both 0: give at least one a positive value, else no canary can be shown healthy"


@dataclass(frozen=True, kw_only=True)
class LatencyTolerance:
    """How much slower than the baseline a canary may be.

    Args:
        relative: Factor on milliseconds, less one; 0.10 lets 50 ms become 55 ms, at every quantile.
        quantiles: The quantiles that are judged and reported, ascending.

    Raises:
        ValueError: `relative` is not positive, or `quantiles` are empty, outside (0, 1) or not ascending.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    relative: float = 0.10
    quantiles: tuple[float, ...] = (0.5, 0.9, 0.99)

    def __post_init__(self) -> None:
        refuse(self)

    def mistakes(self) -> Iterator[str]:
        """Yield one sentence per mistake."""
        yield from outside("relative", self.relative, 0, 1000)
        if not self.quantiles:
            yield "quantiles: value (): give at least one, such as 0.99"
        for quantile in self.quantiles:
            yield from outside("quantiles", quantile, 0, 1)
        if any(later <= earlier for earlier, later in zip(self.quantiles, self.quantiles[1:], strict=False)):
            yield f"quantiles: value {self.quantiles!r}: list them in ascending order, each once"


@dataclass(frozen=True, kw_only=True)
class Guardrails:
    """Absolute limits that abort at once, without statistics, when the baseline itself keeps them.

    A limit is checked over the fewest latest ticks that hold `minimum_requests` of the canary.

    Args:
        success_rate: Abort below this share of good answers; None: no limit.
        p99_ms: Abort above this 99th percentile, milliseconds; None: no limit.
        ticks: Look back at most so many ticks.
        minimum_requests: Never abort, for whatever reason, on fewer requests of the canary than these.

    Raises:
        ValueError: A value is out of range; all mistakes are listed.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    success_rate: float | None = 0.5
    p99_ms: float | None = None
    ticks: int = 5
    minimum_requests: int = 20

    def __post_init__(self) -> None:
        refuse(self)

    def mistakes(self) -> Iterator[str]:
        """Yield one sentence per mistake."""
        if self.success_rate is not None and not 0 <= self.success_rate <= 1:
            yield f"success_rate: value {self.success_rate!r}: give a share from 0 to 1 (0.5 is 50 %), or none"
        if self.p99_ms is not None and not 0 < self.p99_ms < float("inf"):
            yield f"p99_ms: value {self.p99_ms!r}: give milliseconds above 0, or none"
        if not 1 <= self.ticks <= 100:
            yield f"ticks: value {self.ticks!r}: give a whole number from 1 to 100"
        if self.minimum_requests < 1:
            yield f"minimum_requests: value {self.minimum_requests!r}: give a whole number of at least 1"


@dataclass(frozen=True, kw_only=True)
class Policy:
    """Everything the sequential judge needs to know; `Policy()` is the profile `standard`.

    Args:
        alpha: Chance that a canary within tolerance is aborted, over the whole run, all looks and metrics together.
        beta: Chance that a canary beyond tolerance in some metric is ever called healthy.
        errors: Tolerance for the error rate.
        latency: Tolerance for latency.
        warmup_seconds: The canary's first ticks with traffic that are left out: caches fill, code is compiled.
        minimum_requests: Per arm; with fewer the answer is INCONCLUSIVE, never HEALTHY.
        guardrails: Absolute limits.

    Raises:
        ValueError: A number is out of range; all mistakes are listed.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    alpha: float = 0.01
    beta: float = 0.05
    errors: ErrorTolerance = field(default_factory=ErrorTolerance)
    latency: LatencyTolerance = field(default_factory=LatencyTolerance)
    warmup_seconds: float = 0.0
    minimum_requests: int = 100
    guardrails: Guardrails = field(default_factory=Guardrails)

    def __post_init__(self) -> None:
        refuse(self)

    def mistakes(self) -> Iterator[str]:
        """Yield one sentence per mistake."""
        yield from outside("alpha", self.alpha, 0, 1)
        yield from outside("beta", self.beta, 0, 1)
        yield from negative("warmup_seconds", self.warmup_seconds)
        if self.minimum_requests < 1:
            yield f"minimum_requests: value {self.minimum_requests!r}: give a whole number of at least 1"

"""What counts as worse, and how sure the judge must be: the numbers a user may set."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import ClassVar, Literal

from canary_analyzer.analysis.mistakes import (
    is_number,
    negative,
    not_among,
    not_between,
    not_positive,
    not_whole,
    outside,
    refuse,
)
from canary_analyzer.analysis.rules import MannWhitneyRule, ThresholdRule

JudgeName = Literal["sequential", "mann-whitney", "threshold"]
_METRIC_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


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
        if not (is_number(self.absolute) and 0 <= self.absolute < 1):
            yield f"absolute: value {self.absolute!r}: give a share from 0 to below 1 (0.002 is 0.2 %)"
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
        if not isinstance(self.quantiles, Sequence) or not self.quantiles:
            yield f"quantiles: value {self.quantiles!r}: list at least one, such as 0.99"
            return
        for quantile in self.quantiles:
            yield from outside("quantiles", quantile, 0, 1)
        numbers = [quantile for quantile in self.quantiles if is_number(quantile)]
        if any(later <= earlier for earlier, later in pairwise(numbers)):
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
        if self.success_rate is not None:
            yield from not_between("success_rate", self.success_rate, 0, 1)
        if self.p99_ms is not None:
            yield from not_positive("p99_ms", self.p99_ms, "milliseconds")
        yield from not_whole("ticks", self.ticks, 1, 100)
        yield from not_whole("minimum_requests", self.minimum_requests, 1)


@dataclass(frozen=True, kw_only=True)
class MetricRule:
    """A metric of the user's own, beside errors and latency; where its counts come from is said elsewhere.

    Args:
        name: How it is called in verdicts; `errors` and `latency` are taken.
        kind: `ratio` counts bad events among all, `histogram` counts values by bucket.
        tolerance: What counts as worse: an ErrorTolerance for a ratio, a LatencyTolerance for a histogram.
        critical: Without data for it nothing is healthy; to Kayenta's judge a finding in it decides alone.
        advisory: It is reported and never decides.
        share: Its weight when alpha is divided, where errors and latency have 1 each; advisory metrics get none.

    Raises:
        ValueError: A value is out of range, or the tolerance is not of the metric's kind; all mistakes are listed.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    name: str
    kind: Literal["ratio", "histogram"]
    tolerance: ErrorTolerance | LatencyTolerance
    critical: bool = False
    advisory: bool = False
    share: float = 1.0

    def __post_init__(self) -> None:
        refuse(self)

    def mistakes(self) -> Iterator[str]:
        """Yield one sentence per mistake."""
        if not (isinstance(self.name, str) and _METRIC_NAME.fullmatch(self.name)):
            yield f"name: value {self.name!r}: give small letters, digits and _, a letter first, such as cart_errors"
        elif self.name.split("_")[0] in ("errors", "latency"):
            yield f"name: value {self.name!r}: names that begin with errors or latency are taken; choose another"
        yield from not_among("kind", self.kind, ("ratio", "histogram"))
        wanted = LatencyTolerance if self.kind == "histogram" else ErrorTolerance
        if not isinstance(self.tolerance, wanted):
            yield f"tolerance: value {self.tolerance!r}: a {self.kind} needs {wanted.__name__}"
        if self.critical and self.advisory:
            yield "critical, advisory: both true: an advisory metric never decides; keep one of the two"
        yield from outside("share", self.share, 0, 1000)


@dataclass(frozen=True, kw_only=True)
class Policy:
    """Everything a judge needs to know; `Policy()` is the profile `standard`.

    Args:
        judge: `sequential`; for those who come from elsewhere `mann-whitney` (Kayenta) and `threshold` (Flagger).
        alpha: Chance that a canary within tolerance is aborted, over the whole run, all looks and metrics together.
            Only the sequential judge keeps it.
        beta: Chance that a canary beyond tolerance in some metric is ever called healthy; sequential judge.
        errors: Tolerance for the error rate; sequential judge.
        latency: Tolerance for latency; sequential judge. Its quantiles are what `mann-whitney` compares too.
        warmup_seconds: The canary's first ticks with traffic that are left out: caches fill, code is compiled.
        minimum_requests: Per arm; with fewer the answer is INCONCLUSIVE, never HEALTHY.
        guardrails: Absolute limits; sequential judge.
        metrics: More metrics, beside errors and latency.
        mann_whitney: What that judge is told.
        threshold: What that judge is told.

    Raises:
        ValueError: A value is out of range; all mistakes are listed.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    judge: JudgeName = "sequential"
    alpha: float = 0.01
    beta: float = 0.05
    errors: ErrorTolerance = field(default_factory=ErrorTolerance)
    latency: LatencyTolerance = field(default_factory=LatencyTolerance)
    warmup_seconds: float = 0.0
    minimum_requests: int = 100
    guardrails: Guardrails = field(default_factory=Guardrails)
    metrics: tuple[MetricRule, ...] = ()
    mann_whitney: MannWhitneyRule = field(default_factory=MannWhitneyRule)
    threshold: ThresholdRule = field(default_factory=ThresholdRule)

    def __post_init__(self) -> None:
        refuse(self)

    def mistakes(self) -> Iterator[str]:
        """Yield one sentence per mistake."""
        yield from not_among("judge", self.judge, ("sequential", "mann-whitney", "threshold"))
        yield from outside("alpha", self.alpha, 0, 1)
        yield from outside("beta", self.beta, 0, 1)
        yield from negative("warmup_seconds", self.warmup_seconds)
        yield from not_whole("minimum_requests", self.minimum_requests, 1)
        names = [rule.name for rule in self.metrics]
        for name in sorted({name for name in names if names.count(name) > 1}):
            yield f"metrics: name {name!r} occurs {names.count(name)} times: give each metric a name of its own"

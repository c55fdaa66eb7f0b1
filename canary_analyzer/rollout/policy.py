"""What a user may tune: the ramp, the judgement and the waits, with the built-in profiles."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from canary_analyzer.analysis import ErrorTolerance, LatencyTolerance, Policy
from canary_analyzer.rollout.judgement import Analysis

Percent = Annotated[int, Field(ge=1, le=100)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class OnInconclusive(StrEnum):
    """What to do when the ramp is over, data was plentiful, and the judge is still undecided."""

    PROMOTE = "promote"
    HOLD = "hold"
    ABORT = "abort"


class Settings(BaseModel):
    """Base of all that is read from configuration: frozen, and unknown fields are mistakes."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Step(Settings):
    """One step of the ramp: the canary's weight, and what it must have seen before the next."""

    weight: Percent
    seconds: Seconds = 60.0
    """Shortest time of analysis at this weight, settling not included."""
    requests: Annotated[int, Field(ge=0)] = 50
    """Fewest requests the canary must have answered at this weight; low traffic extends the step."""


class RolloutPolicy(Settings):
    """All that decides how a canary proceeds; the defaults are the profile `standard`."""

    tick_seconds: Seconds = 10.0
    """Time between two looks at the metrics; not shorter than Prometheus' scrape interval."""
    settle_seconds: Seconds = 10.0
    """Time given to the data plane after each change of a route, before samples count."""
    steps: tuple[Step, ...] = (
        Step(weight=5),
        Step(weight=10),
        Step(weight=25),
        Step(weight=50),
    )
    analysis: Analysis = Policy()
    on_inconclusive: OnInconclusive = OnInconclusive.PROMOTE
    approve_before_promotion: bool = False
    """Wait for the annotation `approve: "<run>"` when the ramp has passed."""
    start_seconds: Seconds = 300.0
    """Longest wait for canary pods to become Available."""
    promote_seconds: Seconds = 900.0
    """Longest wait for stable to roll out the promoted version."""
    deadline_seconds: Seconds = 3600.0
    """Longest time from start to a verdict; then traffic goes back."""

    @model_validator(mode="after")
    def _steps_ascend(self) -> Self:
        weights = [step.weight for step in self.steps]
        if not weights:
            raise ValueError("steps = []: give at least one step, such as {weight: 50}")
        if weights != sorted(set(weights)):
            raise ValueError(f"steps: weights {weights} do not ascend: put each weight once, smallest first")
        return self


PROFILES: Mapping[str, RolloutPolicy] = {
    "quick": RolloutPolicy(
        tick_seconds=5,
        settle_seconds=5,
        steps=tuple(Step(weight=weight, seconds=20, requests=20) for weight in (10, 25, 50)),
        start_seconds=60,
        deadline_seconds=900,
    ),
    "standard": RolloutPolicy(),
    "careful": RolloutPolicy(
        steps=tuple(Step(weight=weight, seconds=300, requests=500) for weight in (1, 2, 5, 10, 20, 35, 50)),
        analysis=Policy(
            alpha=0.01,
            beta=0.01,
            errors=ErrorTolerance(relative=0.25, absolute=0.001),
            latency=LatencyTolerance(relative=0.05),
        ),
        on_inconclusive=OnInconclusive.HOLD,
        start_seconds=600,
        deadline_seconds=14400,
    ),
}
"""Quick catches outages and plain regressions in two minutes; careful takes most of an hour."""


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return `base` with `over` laid upon it, mapping by mapping; lists are replaced whole."""
    both = dict(base)
    for key, value in over.items():
        inner = both.get(key)
        both[key] = merged(inner, value) if isinstance(inner, Mapping) and isinstance(value, Mapping) else value
    return both


def override(policy: RolloutPolicy, fields: Mapping[str, Any]) -> RolloutPolicy:
    """Return the policy with some fields replaced.

    Raises:
        ValidationError: pydantic's, with every mistake and its path; `mistakes` puts it in words.
    """
    return RolloutPolicy.model_validate(merged(policy.model_dump(mode="json"), fields))


def mistakes(error: ValidationError) -> tuple[str, ...]:
    """Put each mistake of a validation in words: field, value, what would be right."""
    return tuple(_mistake(item["loc"], item["msg"], item["input"]) for item in error.errors(include_url=False))


def _mistake(path: tuple[int | str, ...], message: str, value: object) -> str:
    field = ".".join(str(part) for part in path)
    text = message.removeprefix("Value error, ")
    if text == "Extra inputs are not permitted":
        text = "there is no such field; remove it or correct its spelling"
    return (
        f"{field} = {value!r}: {text}" if field and not isinstance(value, Mapping) else f"{field}: {text}".lstrip(": ")
    )

"""What a user may tune: the ramp, the judgement and the waits, with the built-in profiles."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Any, Self

from pydantic import ValidationError, ValidationInfo, model_validator

from canary_analyzer.analysis import ErrorTolerance, LatencyTolerance, Policy
from canary_analyzer.analysis.ramp import AdaptiveRamp
from canary_analyzer.rollout.fields import RECORDED, Seconds, Settings, Tick
from canary_analyzer.rollout.judgement import NO_SUCH_FIELD, Analysis
from canary_analyzer.rollout.metrics import MetricQuery, Source
from canary_analyzer.rollout.options import (
    Baseline,
    BlueGreen,
    BringYourOwn,
    RollingUpdate,
    Sizing,
    StickySessions,
    Webhooks,
)
from canary_analyzer.rollout.steps import KINDS, AnyStep, GateStep, RampStep, Step, seconds_of


class OnInconclusive(StrEnum):
    """What to do when the ramp is over, data was plentiful, and the judge is still undecided."""

    PROMOTE = "promote"
    HOLD = "hold"
    ABORT = "abort"


class RolloutPolicy(Settings):
    """All that decides how a new version is taken in; the defaults are the profile `standard`. Times are in seconds."""

    tick_seconds: Tick = 10.0
    """Time between two looks at the metrics; not shorter than Prometheus' scrape interval, nor longer than a step."""
    settle_seconds: Seconds = 10.0
    """Time given to the data plane after each change of a route, before samples count: Istio debounces up to 10 s."""
    steps: tuple[AnyStep, ...] = (
        Step(weight=5),
        Step(weight=10),
        Step(weight=25),
        Step(weight=50),
    )
    """The ramp of the strategy canary. Half is enough: more would only take the baseline's requests away."""
    adaptive: AdaptiveRamp | None = None
    """Weights by a risk budget instead of those in `steps`, whose other kinds stay: before the climb, or behind it."""
    analysis: Analysis = Policy()
    metrics: tuple[MetricQuery, ...] = ()
    """Metrics of the user's own, judged beside errors and latency."""
    sources: tuple[Source, ...] = ()
    """Workloads whose requests count, such as the gateway's where only it is routed; none means every caller's."""
    on_inconclusive: OnInconclusive = OnInconclusive.PROMOTE
    approve_before_promotion: bool = False
    """Wait for the annotation `approve: "<run>"` when the ramp has passed."""
    baseline: Baseline = Baseline.STABLE
    sticky: StickySessions | None = None
    """None: the unit is the request, which is what the judge assumes; sessions give fewer independent samples."""
    webhooks: Webhooks = Webhooks()
    sizing: Sizing = Sizing()
    blue_green: BlueGreen = BlueGreen()
    rolling: RollingUpdate = RollingUpdate()
    bring_your_own: BringYourOwn = BringYourOwn()
    start_seconds: Seconds = 300.0
    """Longest wait for canary pods to become Available: an image of a GB on a new node."""
    promote_seconds: Seconds = 900.0
    """Longest wait for stable to roll out the promoted version; above Kubernetes' progress deadline of 600."""
    deadline_seconds: Seconds = 3600.0
    """Longest time from start to a verdict, people's hold and approval left out; then traffic goes back."""

    @model_validator(mode="after")
    def _consistent(self, info: ValidationInfo) -> Self:
        found = [*_mistakes_of_ramp(self.steps), *_contradictions(self)]
        if info.context != RECORDED:
            found += _mistakes_of_tick(self)
        if found:
            raise ValueError("; ".join(found))
        return self

    @property
    def judgement(self) -> Policy:
        """What the judge is told: `analysis`, with the rules of the user's own metrics."""
        return replace(self.analysis, metrics=tuple(metric.rule() for metric in self.metrics))

    @property
    def webhook_names(self) -> frozenset[str]:
        """All webhooks that the policy names."""
        steps = (*self.steps, *self.blue_green.preview)
        return self.webhooks.names | {step.gate for step in steps if isinstance(step, GateStep)}


def _mistakes_of_ramp(steps: Sequence[RampStep]) -> Iterator[str]:
    weights = [step.weight for step in steps if isinstance(step, Step)]
    if not weights:
        yield "steps: there is no weight among them: give at least one step such as {weight: 50}"
    elif weights != sorted(set(weights)):
        yield f"steps: weights {weights} do not ascend: put each weight once, smallest first"
    elif weights[0] == 100:
        yield "steps: the only weight is 100, which leaves no baseline to compare with: put one below 100 before it"


def _mistakes_of_tick(policy: RolloutPolicy) -> Iterator[str]:
    analyses = {"blue_green.analysis_seconds": policy.blue_green.analysis_seconds}
    if policy.adaptive is None:
        steps = (step for step in policy.steps if isinstance(step, Step))
        analyses |= {f"the step of weight {step.weight}": step.seconds for step in steps}
    name, shortest = min(analyses.items(), key=lambda each: each[1])
    if policy.tick_seconds > shortest:
        yield (
            f"tick_seconds = {policy.tick_seconds:g}: longer than {name} ({shortest:g} s), "
            f"which would be over before it was looked at; give at most {shortest:g}, or make that longer"
        )


def _contradictions(policy: RolloutPolicy) -> Iterator[str]:
    names = [metric.name for metric in policy.metrics]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"metrics: name {name!r} occurs {names.count(name)} times: give each metric a name of its own"
    if policy.adaptive is not None:
        yield from _contradictions_of_climb(policy, policy.adaptive)
    least = sum(seconds_of(step) for step in policy.steps)
    if least >= policy.deadline_seconds:
        yield f"deadline_seconds = {policy.deadline_seconds:g}: the steps alone take {least:g} s; give more"
    if policy.baseline is Baseline.FRESH:
        half = [step.weight for step in policy.steps if isinstance(step, Step) and step.weight > 50]
        if half:
            yield f"baseline = fresh: it takes the canary's weight once more, so {half} are too much: at most 50"
        if policy.sticky is not None:
            yield "baseline = fresh: it cannot be combined with sticky; remove one"


def _contradictions_of_climb(policy: RolloutPolicy, adaptive: AdaptiveRamp) -> Iterator[str]:
    if policy.analysis.judge != "sequential":
        yield (
            f"adaptive: the judge {policy.analysis.judge} gives no bounds that hold at every look; "
            "use the judge sequential, or fixed steps"
        )
    if adaptive.largest == 100:
        yield "adaptive.largest = 100: that leaves no baseline to compare with; give at most 99"
    if policy.baseline is Baseline.FRESH or policy.sticky is not None:
        yield "adaptive: its weights are not known beforehand, as baseline = fresh and sticky want them; use steps"


PROFILES: Mapping[str, RolloutPolicy] = {
    "quick": RolloutPolicy(
        tick_seconds=5,
        settle_seconds=5,
        steps=tuple(Step(weight=weight, seconds=20, requests=20) for weight in (10, 25, 50)),
        rolling=RollingUpdate(pace_seconds=30),
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
        rolling=RollingUpdate(pace_seconds=300),
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
    field = repr(".".join(str(part) for part in _as_written(path)))[1:-1]  # others write keys, and can put anything in
    text = message.removeprefix("Value error, ")
    if text == "Extra inputs are not permitted":
        text = NO_SUCH_FIELD
    shows = field and text != NO_SUCH_FIELD and not _can_hold_a_secret(path) and not isinstance(value, Mapping)
    return f"{field} = {_shown(value)}: {text}" if shows else f"{field}: {text}".lstrip(": ")


def _can_hold_a_secret(path: tuple[int | str, ...]) -> bool:
    """Whether somebody may have written the secret itself where the file that holds it belongs: this is logged."""
    return any(str(part).endswith("_file") for part in path)


def _shown(value: object) -> str:
    """Return a value as it was written, but only the host of a URL: the rest can be a secret, and this is logged."""
    nobody = re.sub(r"://[^/@\s'\"]*@", "://…@", repr(value))
    return re.sub(r"(://[^/?#\s'\"]+)[/?#][^\s'\"]+", r"\1/…", nobody)


def _as_written(path: tuple[int | str, ...]) -> Iterator[int | str]:
    """Leave out the kind of a step, which pydantic puts behind its position."""
    for index, part in enumerate(path):
        if not (index and isinstance(path[index - 1], int) and part in KINDS and path[index + 1 :]):
            yield part

"""What a ramp is made of.

A step that speaks of traffic (`weight`, `mirror`, `match`) says all that the canary gets from then on, so that mirrored
and matched requests end with their step; the others leave the traffic as it is. Every kind is known by its first field.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from canary_analyzer.analysis.ramp import AdaptiveRamp
from canary_analyzer.rollout.fields import Percent, Seconds, Settings, Token, WebhookName


class Step(Settings):
    """A share of the users: `{weight: 10, seconds: 60, requests: 50}`."""

    weight: Percent
    """The canary's share of the requests, in percent."""
    seconds: Seconds = 60.0
    """Shortest time of analysis at this weight, settling not included: six ticks, what the judge needs for a word."""
    requests: Annotated[int, Field(ge=0)] = 50
    """Fewest requests the canary must have answered at this weight; low traffic extends the step."""


class MirrorStep(Settings):
    """Copies of users' requests, whose answers nobody gets: `{mirror: 20, seconds: 60}`.

    The callers' proxies do not count what they mirror, so this step is not judged: it warms the canary up, and a crash
    or a gate after it ends the run. Leave it out where requests change something (payments, mails).
    """

    mirror: Percent
    """Copied requests, in percent of stable's."""
    seconds: Seconds = 60.0
    """How long."""


class Match(Settings):
    """Whose requests: all headers and the cookie must be there, with exactly these values."""

    headers: Mapping[Token, str] = {}
    cookie: tuple[Token, str] | None = None
    """Name and value."""

    @model_validator(mode="after")
    def _not_everybody(self) -> Self:
        if not self.headers and self.cookie is None:
            raise ValueError("it names nobody: give headers, such as {x-tester: 'yes'}, or cookie: [name, value]")
        return self


class MatchStep(Settings):
    """Testers first: `{match: {headers: {x-tester: "yes"}}, seconds: 300}`.

    Testers are no sample of the users, so this step is not judged either.
    """

    match: Match
    seconds: Seconds = 60.0
    """How long; put an approval or a gate behind it to wait for the testers' word."""


class PauseStep(Settings):
    """Time at the traffic that is: `{pause: 600}`. The judge goes on looking."""

    pause: Seconds


class ApprovalStep(Settings):
    """Wait until somebody sets the annotation `approve: "<run>"`: `{approval: true}`."""

    approval: Literal[True]


class GateStep(Settings):
    """Wait until a webhook says yes: `{gate: load-test}`."""

    gate: WebhookName


class PromotionGates(Settings):
    """What is asked when all steps have passed; made from `webhooks.promotion`, not written by users."""

    promotion_gates: tuple[WebhookName, ...]


class Climb(Settings):
    """Weights as they fit the risk budget, one look after the other; made from `adaptive`, not written by users."""

    adaptive: AdaptiveRamp
    weight: Percent
    """The present one."""


KINDS = {
    "weight": Step,
    "mirror": MirrorStep,
    "match": MatchStep,
    "pause": PauseStep,
    "approval": ApprovalStep,
    "gate": GateStep,
}


def _kind(given: Any) -> str | None:
    if isinstance(given, Mapping):
        return next((kind for kind in KINDS if kind in given), None)
    return next((kind for kind, model in KINDS.items() if isinstance(given, model)), None)


AnyStep = Annotated[
    Annotated[Step, Tag("weight")]
    | Annotated[MirrorStep, Tag("mirror")]
    | Annotated[MatchStep, Tag("match")]
    | Annotated[PauseStep, Tag("pause")]
    | Annotated[ApprovalStep, Tag("approval")]
    | Annotated[GateStep, Tag("gate")],
    Discriminator(
        _kind,
        custom_error_type="step",
        custom_error_message=f"a step has one of the fields {', '.join(KINDS)}",
    ),
]

RampStep = Step | Climb | MirrorStep | MatchStep | PauseStep | ApprovalStep | GateStep | PromotionGates


def seconds_of(step: RampStep) -> float:
    """Return the shortest time that a step takes; 0 for those that wait for an answer."""
    match step:
        case Step() | MirrorStep() | MatchStep():
            return step.seconds
        case PauseStep():
            return step.pause
        case _:
            return 0.0

"""The parts of a policy beside the ramp and the judgement: sessions, sizes, webhooks, and the strategies' own."""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from canary_analyzer.rollout.fields import Seconds, Settings, Token, WebhookName
from canary_analyzer.rollout.steps import AnyStep, Step


class Baseline(StrEnum):
    """What the canary is compared with."""

    STABLE = "stable"
    """All pods of stable: most requests, soonest verdict."""
    FRESH = "fresh"
    """New pods of stable's version, as many as the canary's and with as many requests: both arms are equally cold."""


class Webhooks(Settings):
    """Which webhooks of the service's config are asked, and when; forward goes only what they answer with 2xx."""

    start: tuple[WebhookName, ...] = ()
    """Before the first step; the canary's pods are Available and have no traffic."""
    step: tuple[WebhookName, ...] = ()
    """Before each change of traffic."""
    promotion: tuple[WebhookName, ...] = ()
    """When all steps have passed, before stable is touched."""
    end: tuple[WebhookName, ...] = ()
    """After the end, good or bad; told, not asked."""
    rollback: tuple[WebhookName, ...] = ()
    """When traffic has gone back; told, not asked."""

    @property
    def names(self) -> frozenset[str]:
        """All that are named."""
        return frozenset((*self.start, *self.step, *self.promotion, *self.end, *self.rollback))


class StickySessions(Settings):
    """A user stays with the version that he met first, by a cookie that lasts at most the run."""

    cookie: Token = "canary-analyzer"
    seconds: Annotated[int, Field(gt=0)] = 86400
    """Lifetime of the cookie: a day, so that whoever comes back in the afternoon finds what he saw in the morning."""


class Sizing(Settings):
    """How many pods the canary gets."""

    headroom_percent: Annotated[int, Field(ge=0, le=400)] = 20
    """Pods beyond the weight's share of stable's: a weight is met on average only, and the canary is cold."""


class BlueGreen(Settings):
    """The strategy blue-green: green is as large as blue, checked in private, then gets (nearly) everything at once."""

    preview: tuple[AnyStep, ...] = ()
    """Steps before any user is moved: mirror, match, pause, approval, gate."""
    control_percent: Annotated[int, Field(ge=0, le=50)] = 10
    """Users who stay on blue for the time of the analysis. Without a concurrent control there is nothing to compare
    with and no guarantee against false aborts: at 0 only the guardrails judge."""
    analysis_seconds: Seconds = 300.0
    """How long green is compared with the control after the switch."""
    requests: Annotated[int, Field(ge=0)] = 50
    """Fewest requests that green must have answered by then."""
    keep_seconds: Seconds = 300.0
    """How long blue stays at full size when green has everything: the way back is one write."""

    @model_validator(mode="after")
    def _in_private(self) -> Self:
        if any(isinstance(step, Step) for step in self.preview):
            raise ValueError("preview: a weight moves users: use mirror, match, pause, approval and gate")
        return self


class RollingUpdate(Settings):
    """The strategy rolling: the Deployment's own rolling update, slow enough to be watched."""

    pace_seconds: Annotated[int, Field(ge=0)] = 60
    """How long each batch of new pods has to serve beside old ones before the next: for the time of the run stable's
    minReadySeconds is raised to it. 0 leaves stable's own; then most roll-outs are over before they can be judged."""


class BringYourOwn(Settings):
    """A canary that the user made (annotation `baseline`)."""

    patch_stable: bool = False
    """Give stable the canary's images once they have passed. Off, as with GitOps stable's image is for Git to change:
    the weight is held until stable carries it."""

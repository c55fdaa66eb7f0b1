"""The base of what is read from configuration, and the kinds of values in it."""

import re
from collections.abc import Callable
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, WithJsonSchema

T = TypeVar("T")
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
RECORDED = "recorded"
"""The validation context of what a run's record holds: bounds that came after the run began do not bind it."""
TICKS = (1.0, 300.0)
"""The shortest and the longest tick, seconds: what is looked at all the time costs Prometheus too much, and what is
looked at seldom (guardrails, deadline, verdict) comes too late for the users of a broken canary."""

Percent = Annotated[int, Field(ge=1, le=100)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Settings(BaseModel):
    """Base of all that is read from configuration: frozen, and unknown fields are mistakes."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


def _asked(check: Callable[[T], T]) -> AfterValidator:
    """Check what people ask for, not what a record holds."""

    def checked(value: T, info: ValidationInfo) -> T:
        return value if info.context == RECORDED else check(value)

    return AfterValidator(checked)


def _a_tick(seconds: float) -> float:
    shortest, longest = TICKS
    if not shortest <= seconds <= longest:
        raise ValueError(f"guardrails and deadline are looked at once a tick: give {shortest:g} to {longest:g} seconds")
    return seconds


Tick = Annotated[Seconds, _asked(_a_tick), WithJsonSchema({"type": "number", "minimum": TICKS[0], "maximum": TICKS[1]})]


def _a_token(text: str) -> str:
    if not _TOKEN.fullmatch(text):
        raise ValueError("names of cookies and headers have letters, digits, and of other signs only !#$%&'*+-.^_`|~")
    return text


Token = Annotated[str, _asked(_a_token)]
"""Name of a cookie (RFC 6265, 4.1.1) or header (RFC 9110, 5.6.2): with more in it, it could end and another begin."""


def _a_name(text: str) -> str:
    if "/" in text or ":" in text:
        raise ValueError("a URL is not accepted here: name one of the webhooks of the service's config")
    if not text or len(text) > 63 or not all(c.isalnum() or c in "-_." for c in text):
        raise ValueError("a webhook's name has 1 to 63 letters, digits, '-', '_' or '.'")
    return text


WebhookName = Annotated[str, AfterValidator(_a_name)]
"""Which webhook of the service's config; where it is and how it is reached is for nobody else to say."""

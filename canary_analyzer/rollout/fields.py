"""The base of what is read from configuration, and the kinds of values in it."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

Percent = Annotated[int, Field(ge=1, le=100)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Settings(BaseModel):
    """Base of all that is read from configuration: frozen, and unknown fields are mistakes."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


def _a_name(text: str) -> str:
    if "/" in text or ":" in text:
        raise ValueError("a URL is not accepted here: name one of the webhooks of the service's config")
    if not text or len(text) > 63 or not all(c.isalnum() or c in "-_." for c in text):
        raise ValueError("a webhook's name has 1 to 63 letters, digits, '-', '_' or '.'")
    return text


WebhookName = Annotated[str, AfterValidator(_a_name)]
"""Which webhook of the service's config; where it is and how it is reached is for nobody else to say."""

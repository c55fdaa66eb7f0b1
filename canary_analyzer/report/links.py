"""Links to where a run can be seen further, such as Grafana or a log system, by templates of the service's config."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import Formatter
from typing import Annotated
from urllib.parse import quote, urlsplit

from pydantic import AfterValidator, Field

from canary_analyzer.report.words import ended
from canary_analyzer.rollout.fields import Settings
from canary_analyzer.rollout.run import Run

PLACEHOLDERS = ("namespace", "deployment", "canary", "run", "since_ms", "until_ms")


def _a_template(text: str) -> str:
    if urlsplit(text).scheme not in ("http", "https"):
        raise ValueError("a link begins with http:// or https://")
    try:
        parts = list(Formatter().parse(text))
    except ValueError as error:
        raise ValueError(f"{error}; write {{{{ and }}}} for braces that are no placeholder") from error
    wrong = [name for _, name, form, how in parts if name is not None and (name not in PLACEHOLDERS or form or how)]
    if wrong:
        known = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
        raise ValueError(f"there is no placeholder {{{wrong[0]}}}; there is {known}")
    if "{" in urlsplit(text).netloc:
        raise ValueError("the host must be written out: a run does not choose where a link leads")
    return text


class LinkTemplate(Settings):
    """One link of every run's page."""

    title: Annotated[str, Field(min_length=1, max_length=100)]
    url: Annotated[str, AfterValidator(_a_template)]
    """With {namespace}, {deployment}, {canary}, {run}, {since_ms} and {until_ms}, each put in URL-encoded."""


@dataclass(frozen=True, kw_only=True)
class Link:
    """Where to look further."""

    title: str
    url: str


def links_of(templates: Sequence[LinkTemplate], run: Run, now: float) -> list[Link]:
    """Return the links of a run; until its end, or until now (seconds since the epoch) while it goes on."""
    values: Mapping[str, object] = {
        "namespace": run.namespace,
        "deployment": run.deployment,
        "canary": run.canary,
        "run": run.name,
        "since_ms": round(run.started * 1000),
        "until_ms": round((ended(run) or now) * 1000),
    }
    encoded = {name: quote(str(value), safe="") for name, value in values.items()}
    return [Link(title=each.title, url=each.url.format(**encoded)) for each in templates]

"""All that a dashboard asks of Prometheus, as Grafana would send it; so that tests can ask the same."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

MACROS: Mapping[str, str] = {"__rate_interval": "1m", "__interval": "15s", "__range": "1h"}
"""What Grafana puts in of its own accord, here for a short scrape interval and an hour in sight."""
LABEL_VALUES = re.compile(r"label_values\((?P<selector>.*), (?P<label>\w+)\)")

Document = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Query:
    """One query, and what asks it."""

    asked_by: str
    expression: str
    label: str = ""
    """Of a variable: whose values are wanted of the series that `expression` selects."""


def of_panels(page: Document, values: Mapping[str, str]) -> Iterator[Query]:
    """Yield the queries of all panels, the page's variables having these values."""
    for panel in page["panels"]:
        for target in panel.get("targets", ()):
            asked_by = f"{page['title']} / {panel['title']} / {target['legendFormat']}"
            yield Query(asked_by=asked_by, expression=filled(target["expr"], values))


def of_annotations(page: Document, values: Mapping[str, str]) -> Iterator[Query]:
    """Yield the queries of all annotations."""
    for each in page.get("annotations", {}).get("list", ()):
        yield Query(asked_by=f"{page['title']} / annotation {each['name']}", expression=filled(each["expr"], values))


def of_variables(page: Document, values: Mapping[str, str]) -> Iterator[Query]:
    """Yield the queries of all variables that have one.

    Raises:
        ValueError: a variable is asked for in another way than by `label_values`.
    """
    for each in page["templating"]["list"]:
        if each["type"] != "query":
            continue
        found = LABEL_VALUES.fullmatch(filled(each["query"], values))
        if found is None:
            raise ValueError(f"variable {each['name']}: {each['query']} is not label_values(SELECTOR, LABEL)")
        asked_by = f"{page['title']} / variable {each['name']}"
        yield Query(asked_by=asked_by, expression=found["selector"], label=found["label"])


def filled(text: str, values: Mapping[str, str]) -> str:
    """Return text with variables and macros put in.

    Raises:
        KeyError: there is no value for one of them.
    """
    known = {**MACROS, **values}
    return re.sub(r"\$\{?(\w+)\}?", lambda found: known[found[1]], text)

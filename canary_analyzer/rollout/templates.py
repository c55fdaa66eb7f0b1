"""Selectors of series with places for the names of an arm, such as `carts_total{app="{{workload}}"}`; pure.

A place stands inside the quoted string of an equality matcher, or is all of `pod=~"{{pods}}"`. So a name can only ever
become a string of PromQL, quoted by whoever renders the template, and an answer's series belong to the arm whose names
their labels bear: https://prometheus.io/docs/prometheus/latest/querying/basics/#time-series-selectors
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

PODS = "{{pods}}"
NAMES = ("namespace", "workload", "service")
_PLACE = re.compile(r"\{\{\s*(\w*)\s*\}\}")
_SELECTOR = re.compile(r"\s*([a-zA-Z_:][a-zA-Z0-9_:]*)\s*\{(.*)\}\s*", re.DOTALL)
_STRING = r'"(?:[^"\\\n]|\\.)*"'
_MATCHER = re.compile(rf"\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*(=~|!~|!=|=)\s*({_STRING})\s*(?:,|$)")


class BadTemplateError(ValueError):
    """A text that is no template; the message lists all that is wrong with it."""


@dataclass(frozen=True, kw_only=True)
class Matcher:
    """One condition on a label: `label`, one of the four operators of PromQL, and the string, not quoted."""

    label: str
    operator: str
    text: str

    @property
    def places(self) -> frozenset[str]:
        """The names that it has a place for."""
        return frozenset(_PLACE.findall(self.text))

    def filled(self, names: Mapping[str, str]) -> str:
        """Return the string with each place taken by its name, still not quoted."""
        return _PLACE.sub(lambda place: names[place[1]], self.text)


@dataclass(frozen=True, kw_only=True)
class Template:
    """A selector of series: the metric's name, and conditions that must all hold."""

    metric: str
    matchers: tuple[Matcher, ...]


@cache
def parse(text: str) -> Template:
    """Return the template that the text is.

    Raises:
        BadTemplateError: It is none; the message says all that is wrong, and what would be right.
    """
    found = _SELECTOR.fullmatch(text)
    if found is None:
        raise BadTemplateError(
            'give one selector of series, such as carts_total{namespace="{{namespace}}",app="{{workload}}"}, '
            "without functions, ranges or operators: raw counters are read, and rates made of them here"
        )
    matchers, rest = _matchers(found[2])
    wrong = [f'cannot read {rest!r}: give label="text" in double quotes, separated by commas'] if rest else []
    wrong += [mistake for matcher in matchers for mistake in _mistakes(matcher)]
    places = frozenset[str]().union(*(matcher.places for matcher in matchers))
    if not wrong and not places & {"workload", "service", "pods"}:
        wrong.append('it has no place for an arm\'s name: use {{workload}}, {{service}} or pod=~"{{pods}}"')
    if wrong:
        raise BadTemplateError("; ".join(wrong))
    return Template(metric=found[1], matchers=matchers)


def _matchers(text: str) -> tuple[tuple[Matcher, ...], str]:
    """Return the matchers at the beginning of the text, and what follows them."""
    matchers = []
    while text.strip() and (found := _MATCHER.match(text)):
        label, operator, quoted = found.groups()
        try:
            # Half a surrogate pair can be quoted, but not sent.
            condition = json.loads(quoted).encode().decode()
            matchers.append(Matcher(label=label, operator=operator, text=condition))
        except ValueError:
            break
        text = text[found.end() :]
    return tuple(matchers), text.strip()


def _mistakes(matcher: Matcher) -> Iterator[str]:
    if matcher.label == "__name__":
        yield "__name__: put the metric's name before the braces"
    if matcher.label == "le":
        yield "le: leave it out, all buckets are read"
    for place in sorted(matcher.places - {"pods", *NAMES}):
        yield f"{matcher.label}: there is no name {place!r}: use namespace, workload, service or pods"
    if "pods" in matcher.places and (matcher.operator != "=~" or matcher.text != PODS):
        yield f'{matcher.label}: pods stand alone: write {matcher.label}=~"{PODS}"'
    elif matcher.places - {"pods"} and matcher.operator != "=":
        yield f'{matcher.label}: a name is compared, not searched for: write {matcher.label}="..."'

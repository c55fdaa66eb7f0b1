"""What stands in the way of the steps that a run may take beside weights."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from canary_analyzer.routing.dialect import Api
from canary_analyzer.routing.documents import Document, Problem, Target, title
from canary_analyzer.routing.routes import Entry, Reading, Role, entries
from canary_analyzer.routing.traffic import Match, Sticky, Traffic
from canary_analyzer.routing.weights import weighted


def step_obstacles(chosen: Sequence[Document], target: Target, api: Api, wanted: Sequence[Traffic]) -> list[Problem]:
    """Every reason why an entry that reaches stable cannot take a step of `wanted`; each is named once."""
    found: dict[Problem, None] = {}
    for document in chosen:
        reading = Reading.of(document, target, api)
        listed = entries(document, api.entries_at)
        for entry in reading.governed(document):
            name = title(document, target.namespace)
            place = _Place(title=name, entry=entry, body=listed[entry.index], reading=reading)
            found |= dict.fromkeys(problem for traffic in wanted for problem in _obstacles(place, traffic))
    return list(found)


@dataclass(frozen=True, kw_only=True)
class _Place:
    """An entry and where it stands."""

    title: str
    entry: Entry
    body: Document
    reading: Reading

    def problem(self, field: str, reason: str, remedy: str) -> Problem:
        path = f"spec.{self.reading.api.entries_at}[{self.entry.index}]{field}"
        return Problem(object=self.title, path=path, reason=reason, remedy=remedy)


def _obstacles(place: _Place, traffic: Traffic) -> Iterator[Problem]:
    if traffic.mirror:
        yield from _mirror(place)
    if traffic.match is not None:
        yield from _match(place, traffic.match)
    if traffic.sticky is not None:
        yield from _sticky(place, traffic.sticky)


def _match(place: _Place, match: Match) -> Iterator[Problem]:
    narrowed = place.reading.api.narrowed(place.body, match.conditions())
    if narrowed is None:
        headers = ", ".join(condition.header for condition in match.conditions())
        yield place.problem(
            _match_field(place),
            f"testers are to be told by {headers}, on which this entry has a condition of its own",
            "Tell testers by another header",
        )
    elif place.reading.target.brought and not place.reading.is_added(narrowed):
        yield place.problem(
            _match_field(place),
            "an entry for testers to a canary that you brought could not be told from one of your own",
            "Write the entry for testers yourself, or leave the step out",
        )


def _match_field(place: _Place) -> str:
    return ".match" if place.reading.api.entries_at == "http" else ".matches"


def _mirror(place: _Place) -> Iterator[Problem]:
    if place.reading.target.brought:
        yield place.problem(
            "",
            "a mirror to a canary that you brought could not be told from one of your own",
            "Write the mirror into the route yourself, or leave the step out",
        )
        return
    items = weighted(place.entry, place.reading, Traffic())
    canary = items[place.reading.roles(items).index(Role.CANARY)]
    bare = place.reading.api.mirrored(place.body, canary, 0) or place.body
    if place.reading.api.mirrored(bare, canary, 100) is None:
        yield place.problem(
            "",
            "its requests are mirrored already, and an entry has one mirror",
            "Remove the mirror, or leave the step out",
        )


def _sticky(place: _Place, sticky: Sticky) -> Iterator[Problem]:
    api, cookie = place.reading.api, sticky.set_cookie(100)
    if api.narrowed(place.body, [sticky.condition([100])]) is None:
        yield place.problem(
            _match_field(place),
            "sessions stick by a condition on the header cookie, on which this entry has one of its own",
            "Turn sticky sessions off for this run",
        )
    for j, (item, role) in enumerate(zip(place.entry.items, place.entry.roles, strict=True)):
        if role is not Role.FOREIGN and api.with_cookie(api.with_cookie(item, None) or item, cookie) is None:
            yield place.problem(
                f".{api.items_at}[{j}]",
                "the cookie for sticky sessions finds no place among its response headers",
                "Remove its operation on Set-Cookie, or empty header operations, or turn sticky sessions off",
            )
    operations = (
        (place.body.get("headers") or {}).get("response") if isinstance(place.body.get("headers"), dict) else None
    )
    if "set-cookie" in _removed_or_set(operations):
        yield place.problem(
            ".headers.response",
            "it removes or replaces Set-Cookie, ours included",
            "Turn sticky sessions off for this run",
        )


def _removed_or_set(operations: object) -> set[str]:
    """Names of response headers that operations of an entry remove or replace, after those of its destinations."""
    if not isinstance(operations, dict):
        return set()
    return {str(name).lower() for field in ("set", "remove") for name in operations.get(field) or ()}

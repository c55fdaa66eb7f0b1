"""What the routes are to do, as one value: a step of a ramp states all of it, so that what it leaves out ends."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

COOKIE = "canary-analyzer"
COOKIE_VALUE = "canary-analyzer."
"""Begins every cookie value that we give out; by it our header operations are told from the user's."""


class Condition(NamedTuple):
    """A condition on one request header: its exact value, or an RE2 expression for the whole of it."""

    header: str
    value: str
    is_regex: bool = False


@dataclass(frozen=True, kw_only=True)
class Match:
    """Requests of testers: all of these headers, and the cookie, have exactly these values."""

    headers: Mapping[str, str] = field(default_factory=dict)
    cookie: tuple[str, str] | None = None
    """Name and value."""

    def conditions(self) -> list[Condition]:
        """One condition for each header; the cookie's is an expression on the header that carries all cookies."""
        exact = [Condition(name, value) for name, value in self.headers.items()]
        return exact if self.cookie is None else [*exact, cookie_condition(self.cookie[0], re.escape(self.cookie[1]))]


@dataclass(frozen=True, kw_only=True)
class Sticky:
    """Sessions that stay with their version, by a cookie.

    Visitors are drawn into buckets that end at the `bounds`; a bucket moves to the canary when the weight reaches its
    bound. So the canary's share of sessions is the weight at every step, and nobody moves back while weights grow.
    """

    run: str
    """Name of the run; cookies of another run mean nothing."""
    bounds: tuple[int, ...]
    """Every weight that the ramp can have, in percent."""
    cookie: str = COOKIE
    seconds: int = 86400
    """How long a browser keeps the cookie; a day outlasts a run."""

    def buckets(self) -> list[tuple[int, int]]:
        """(Beyond, up to) in percent of the sessions; together they cover 0 to 100."""
        ends = sorted({bound for bound in self.bounds if 0 < bound < 100} | {100})
        return list(zip([0, *ends], ends, strict=False))

    def set_cookie(self, bucket: int) -> str:
        """Value of the Set-Cookie header (RFC 6265) for a visitor of the bucket that ends at `bucket`."""
        return (
            f"{self.cookie}={COOKIE_VALUE}{self.run}.{bucket}; Path=/; Max-Age={self.seconds}; HttpOnly; SameSite=Lax"
        )

    def condition(self, buckets: list[int]) -> Condition:
        """Requests that carry the cookie of one of these buckets."""
        ends = "|".join(str(bucket) for bucket in buckets)
        return cookie_condition(self.cookie, f"{re.escape(COOKIE_VALUE + self.run)}[.]({ends})")


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """Where requests to stable go; weights in percent of what stable and ours have together.

    Raises:
        ValueError: with every mistake in it.
    """

    weight: int = 0
    """The canary's."""
    baseline: int = 0
    """The fresh baseline's; stable keeps the rest."""
    mirror: int = 0
    """Percent of stable's requests that the canary gets a copy of."""
    match: Match | None = None
    """Requests that all go to the canary."""
    sticky: Sticky | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        if mistakes := list(_mistakes(self)):
            raise ValueError("; ".join(mistakes))


def cookie_condition(name: str, value: str) -> Condition:
    """A condition on the header `cookie`, in which cookies stand as `name=value; name=value` (RFC 6265, 4.2.1).

    `value` is an RE2 expression. Anchored, because implementations differ in whether an expression has to match the
    whole header.
    """
    return Condition("cookie", f"^(.*; ?)?{re.escape(name)}={value}(;.*)?$", is_regex=True)


def _mistakes(traffic: Traffic) -> Iterator[str]:
    for name in ("weight", "baseline", "mirror"):
        value = getattr(traffic, name)
        if not 0 <= value <= 100:
            yield f"{name}: {value} is not a percentage: give a whole number from 0 to 100"
    if traffic.weight + traffic.baseline > 100:
        yield f"weight + baseline: {traffic.weight} + {traffic.baseline} is more than 100: lower one of them"
    if traffic.match is not None:
        yield from _mistakes_in_match(traffic.match)
    if traffic.sticky is not None:
        yield from _mistakes_in_sticky(traffic, traffic.sticky)


def _mistakes_in_match(match: Match) -> Iterator[str]:
    names = [name.lower() for name in match.headers]
    if not names and match.cookie is None:
        yield "match: it has no condition, so every request would meet it: name a header or a cookie"
    if len(set(names)) < len(names):
        yield "match.headers: a header is named twice (upper and lower case mean the same): name it once"
    if "cookie" in names:
        yield "match.headers: the header cookie carries all cookies: use match.cookie"


def _mistakes_in_sticky(traffic: Traffic, sticky: Sticky) -> Iterator[str]:
    if traffic.baseline:
        yield "sticky: sessions cannot stick while there is a fresh baseline: leave out one of the two"
    if traffic.weight not in (0, 100, *sticky.bounds):
        yield f"sticky.bounds: the weight {traffic.weight} is not among {sticky.bounds}: name every weight of the ramp"

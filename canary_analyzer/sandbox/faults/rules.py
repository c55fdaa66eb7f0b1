"""Which requests get which fault; pure but for the counting of what has fired."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from canary_analyzer.sandbox.faults.answers import Rewrite
from canary_analyzer.sandbox.faults.watches import WatchFault


@dataclass(frozen=True, kw_only=True)
class Refuse:
    """An error instead of an answer, in the words of an API server; the request does not reach it.

    Without a reason it is what a server says that has just begun, or a proxy before it, and knows nothing of objects.
    """

    status: int
    reason: str = ""
    retry_after: int | None = None

    def body(self) -> bytes:
        """The Status document; a line of plain text where there is no reason."""
        if not self.reason:
            return f"{self.status} page not found\n".encode()
        fixed = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
        told = {"reason": self.reason, "message": "a scripted fault", "code": self.status}
        details = {} if self.retry_after is None else {"details": {"retryAfterSeconds": self.retry_after}}
        return json.dumps({**fixed, **told, **details}).encode()


NO_PAGE = Refuse(status=404)
CONFLICT = Refuse(status=409, reason="Conflict")
GONE = Refuse(status=410, reason="Expired")
TOO_MANY = Refuse(status=429, reason="TooManyRequests", retry_after=1)
INTERNAL = Refuse(status=500, reason="InternalError")
UNAVAILABLE = Refuse(status=503, reason="ServiceUnavailable")


@dataclass(frozen=True, kw_only=True)
class Drop:
    """The connection ends without an answer; with `after`, once the server has done what it was asked for."""

    after: bool = False


@dataclass(frozen=True, kw_only=True)
class Slow:
    """The request arrives so many seconds late."""

    seconds: float


@dataclass(frozen=True, kw_only=True)
class Truncate:
    """The answer breaks off after this share of its bytes."""

    share: float = 0.5


@dataclass(frozen=True, kw_only=True)
class Stale:
    """A read gets the answer that the same read got before the last change; the true one when there is none."""


Action = Refuse | Drop | Slow | Truncate | Stale | WatchFault | Rewrite


@dataclass(frozen=True, kw_only=True)
class Rule:
    """An action, and the requests that get it.

    `path` and `query` are regular expressions searched for in the path, and in the decoded query string and form; no
    `methods` are all. The first `skip` matching requests are spared, at most `times` are hit, each with `probability`.
    """

    action: Action
    methods: tuple[str, ...] = ()
    path: str = ""
    query: str = ""
    probability: float = 1.0
    skip: int = 0
    times: int | None = None


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request as rules see it."""

    method: str
    path: str
    query: str = ""
    watch: bool = False


@dataclass(frozen=True, kw_only=True)
class Fired:
    """What was done to a request."""

    asked: Asked
    action: Action


@dataclass(kw_only=True)
class Script:
    """Rules with the numbers of requests that they have met and hit; the same requests in the same order fare alike."""

    rules: Sequence[Rule]
    seed: int = 0
    fired: list[Fired] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Start from the seed."""
        self.chance = Random(self.seed)  # noqa: S311  (to be drawn again from the same seed)
        self._met = [0] * len(self.rules)
        self._hit = [0] * len(self.rules)

    def actions(self, asked: Asked) -> list[Action]:
        """What is to be done to this request, in the order of the rules."""
        hits = [rule.action for index, rule in enumerate(self.rules) if self._hits(index, rule, asked)]
        self.fired += [Fired(asked=asked, action=action) for action in hits]
        return hits

    def _hits(self, index: int, rule: Rule, asked: Asked) -> bool:
        if not _matches(rule, asked):
            return False
        self._met[index] += 1
        spent = rule.times is not None and self._hit[index] >= rule.times
        if self._met[index] <= rule.skip or spent or self.chance.random() >= rule.probability:
            return False
        self._hit[index] += 1
        return True


def _matches(rule: Rule, asked: Asked) -> bool:
    method = not rule.methods or asked.method in rule.methods
    # What is meant for events spares everything else, and the other way round a watch has no answer to break off.
    streamed = not isinstance(rule.action, WatchFault) if not asked.watch else not isinstance(rule.action, _WHOLE)
    found = re.search(rule.path, asked.path) and re.search(rule.query, asked.query)
    return method and streamed and bool(found)


_WHOLE = (Truncate, Stale, Rewrite)

"""Following a Deployment's canary until its end, whatever the API server does meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from canary_analyzer.cli.access import Access
from canary_analyzer.cli.looking import Look, look
from canary_analyzer.cli.outcome import Outcome, Standing, State, Until, state
from canary_analyzer.cli.verb import Trouble
from canary_analyzer.cluster import records
from canary_analyzer.cluster.errors import ClusterError

POLL_SECONDS = 1.0
PATIENCE_SECONDS = 60.0
"""How long the API server may fail to answer before it is given up."""
NOTHING = "no canary of {name} was asked for; start one with kubectl canary start {name} --image IMAGE"
PASSING = frozenset({0, 408, 429, 500, 502, 503, 504})
"""HTTP codes (0: no answer) that another try may not meet again."""


@dataclass(frozen=True, kw_only=True)
class Followed:
    """What is followed, and how long."""

    deployment: str
    request: str = ""
    """The stamp of the wish that is meant; else the newest."""
    until: Until = Until.END
    seconds: float = float("inf")


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One look: where the wish stands, the run if there is one, and how it ended if it has."""

    state: State
    look: Look | None
    outcome: Outcome | None


def follow(access: Access, followed: Followed, sleep: Callable[[float], None] = time.sleep) -> Iterator[Seen]:
    """Yield a look every second; the last one has an outcome.

    Raises:
        Trouble: there is no such Deployment (any more), or nobody asked for a canary of it.
        ClusterError: the API server refuses, or has not answered for a minute.
    """
    began = answered = time.monotonic()
    while True:
        try:
            seen = seen_now(access, followed)
            answered = time.monotonic()
        except ClusterError as error:
            if error.status not in PASSING or time.monotonic() - answered > PATIENCE_SECONDS:
                raise
        else:
            if seen.state.standing is Standing.NOTHING:
                raise Trouble(NOTHING.format(name=followed.deployment))
            if seen.outcome is None and time.monotonic() - began >= followed.seconds:
                seen = Seen(state=seen.state, look=seen.look, outcome=Outcome.TIMED_OUT)
            yield seen
            if seen.outcome is not None:
                return
        sleep(POLL_SECONDS)


def seen_now(access: Access, followed: Followed) -> Seen:
    """Look once.

    Raises:
        Trouble: there is no such Deployment.
        ClusterError: the API server did not answer.
    """
    deployment = access.deployment(followed.deployment)
    found = records.of_deployment(access.cluster, access.namespace, followed.deployment)
    stands = state(deployment, found, followed.request)
    seen = look(access, stands.record, time.time()) if stands.record is not None else None
    return Seen(state=stands, look=seen, outcome=stands.outcome(followed.until))

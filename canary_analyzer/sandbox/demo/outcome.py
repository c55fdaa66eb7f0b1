"""What the demo promises, and whether it kept it; pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

ENDED = frozenset({"Succeeded", "Aborted", "Refused"})


@dataclass(frozen=True, kw_only=True)
class Rollout:
    """A canary of the demo: the image and the phase it must end in."""

    image: str
    expected: str
    story: str


ROLLOUTS = (
    Rollout(image="flask-app:v2", expected="Succeeded", story="a good version"),
    Rollout(image="flask-app:v2-errors", expected="Aborted", story="10 % of its answers are errors"),
    Rollout(image="flask-app:v2-slow", expected="Aborted", story="every answer takes 1.5 times as long"),
)


@dataclass(frozen=True, kw_only=True)
class Load:
    """What the client at the ingress has seen: requests sent, and those that nobody answered."""

    sent: int
    lost: int


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a rollout ended.

    Attributes:
        rollout: What was tried.
        phase: The phase it ended in, or the last one seen where it did not end in time.
        seconds: From the annotation to the end.
        weight: Highest weight of the canary, percent.
        canary_requests: Requests that the canary answered.
        reason: The service's own sentence.
    """

    rollout: Rollout
    phase: str
    seconds: float
    weight: float
    canary_requests: int
    reason: str

    @property
    def as_expected(self) -> bool:
        """Whether it ended as it should."""
        return self.phase == self.rollout.expected

    def __str__(self) -> str:
        return (
            f"{self.rollout.image}: {self.phase} after {self.seconds:.0f} s, weight reached {self.weight:.0f} %, "
            f"{self.canary_requests:,} canary requests: {self.reason}"
        )


def last_line(
    rollouts: Sequence[Rollout], outcomes: Sequence[Outcome], load: Load | None, trouble: str = ""
) -> tuple[str, int]:
    """Return the demo's last line and its exit code: 0 if every rollout ended as expected and nothing was lost.

    `trouble` is why the demo could not go on, if it could not; then nobody may have asked for the load.
    """
    losses = () if trouble and load is None else _losses(load)
    mistakes = [*filter(None, [trouble]), *_mistakes(rollouts, outcomes), *losses]
    if mistakes or load is None:
        return f"demo: failed, {'; '.join(mistakes)}", 1
    return f"demo: ok, 0 of {load.sent:,} requests lost", 0


def _mistakes(rollouts: Sequence[Rollout], outcomes: Sequence[Outcome]) -> Iterator[str]:
    for outcome in outcomes:
        if not outcome.as_expected:
            yield _mistake(outcome)
    ended = {outcome.rollout.image for outcome in outcomes}
    for rollout in rollouts:
        if rollout.image not in ended:
            yield f"{rollout.image} was not tried"


def _mistake(outcome: Outcome) -> str:
    if outcome.phase in ENDED:
        return f"{outcome.rollout.image} ended as {outcome.phase} instead of {outcome.rollout.expected}"
    return f"{outcome.rollout.image} had not ended after {outcome.seconds:.0f} s (phase {outcome.phase or 'none'})"


def _losses(load: Load | None) -> Iterator[str]:
    if load is None:
        yield "the load client did not say what it sent"
    elif load.sent == 0:
        yield "the load client sent nothing"
    elif load.lost:
        yield f"{load.lost:,} of {load.sent:,} requests lost"

"""What became of the requests."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

SHOWN_LOSSES = 50
REMEMBERED_LOSSES = 10_000
# Between the end of a process and the word of it, and between two clocks' readings: so long a request on a connection
# that breaks counts as in flight.
CLOCK_SECONDS = 1.0
KILLED_SECONDS = 30.0  # for so long a pod killed by force may still be called; afterwards its losses have other causes
# What Envoy says of an answer of its own, %RESPONSE_FLAGS%.
_BROKEN = {"UC", "UR"}  # the connection ended under a request
_NO_POD = {"UH", "NC", "NR"}


class LossKind(StrEnum):
    """Whose fault a loss is."""

    IN_FLIGHT_ON_KILLED = "in_flight_on_killed_pod"
    SENT_TO_KILLED = "sent_to_killed_pod"
    NO_POD = "no_pod_to_send_to"
    OTHER = "other"


@dataclass(frozen=True, kw_only=True)
class Loss:
    """A request without an answer of the application: when it was lost (Unix seconds), after how long, and why.

    `pod` and `flags` are what Envoy says of it: the pod that was to answer, and its response flags.
    """

    time: float
    seconds: float
    cause: str
    pod: str = ""
    flags: str = ""


def kind_of(loss: Loss, kills: Mapping[str, Sequence[float]]) -> LossKind:
    """Why a request was lost, given when pods were killed (Unix seconds by name, the first first)."""
    flags = set(loss.flags.split(","))
    killed = max((at for at in kills.get(loss.pod, ()) if at <= loss.time + CLOCK_SECONDS), default=-math.inf)
    since = loss.time - killed
    if since <= KILLED_SECONDS:
        broken = bool(flags & _BROKEN) and since <= CLOCK_SECONDS
        return LossKind.IN_FLIGHT_ON_KILLED if broken else LossKind.SENT_TO_KILLED
    return LossKind.NO_POD if flags & _NO_POD else LossKind.OTHER


@dataclass(kw_only=True)
class Tally:
    """Counts since the start. A request counts once its fate is known: sent = lost + all answers by version."""

    answers: Counter[tuple[str, int]] = field(default_factory=Counter)
    lost: int = 0
    in_flight: int = 0
    losses: list[Loss] = field(default_factory=list)
    kills: dict[str, list[float]] = field(default_factory=dict)

    def answered(self, version: str, status: int) -> None:
        """The application answered, whatever it said."""
        self.answers[version, status] += 1

    def lose(self, loss: Loss) -> None:
        """No answer that names a version came back; the first losses are remembered."""
        self.lost += 1
        if len(self.losses) < REMEMBERED_LOSSES:
            self.losses.append(loss)

    def killed(self, pod: str, time: float) -> None:
        """A pod was ended by force."""
        self.kills.setdefault(pod, []).append(time)

    def summary(self) -> dict[str, Any]:
        """The counts as the control API shows them; losses beyond those remembered are of no known kind."""
        by_version: dict[str, dict[str, int]] = {}
        for (version, status), count in sorted(self.answers.items()):
            by_version.setdefault(version, {})[str(status)] = count
        kinds = Counter(dict.fromkeys(LossKind, 0))
        kinds.update(kind_of(loss, self.kills) for loss in self.losses)
        kinds[LossKind.OTHER] += self.lost - len(self.losses)
        return {
            "sent": self.lost + self.answers.total(),
            "lost": self.lost,
            "lost_by_kind": {str(kind): count for kind, count in kinds.items()},
            "in_flight": self.in_flight,
            "by_version": by_version,
        }

    def remembered(self) -> list[dict[str, Any]]:
        """The first losses with their kinds, oldest first."""
        return [asdict(loss) | {"kind": kind_of(loss, self.kills)} for loss in self.losses[:SHOWN_LOSSES]]

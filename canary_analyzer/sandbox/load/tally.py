"""What became of the requests."""

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

REMEMBERED_LOSSES = 50


@dataclass(frozen=True, kw_only=True)
class Loss:
    """A request without an answer of the application: when (Unix seconds), after how long, and why."""

    time: float
    seconds: float
    cause: str


@dataclass(kw_only=True)
class Tally:
    """Counts since the start. A request counts once its fate is known: sent = lost + all answers by version."""

    answers: Counter[tuple[str, int]] = field(default_factory=Counter)
    lost: int = 0
    in_flight: int = 0
    losses: list[Loss] = field(default_factory=list)

    def answered(self, version: str, status: int) -> None:
        """The application answered, whatever it said."""
        self.answers[version, status] += 1

    def lose(self, loss: Loss) -> None:
        """No answer that names a version came back; the first losses are remembered."""
        self.lost += 1
        if len(self.losses) < REMEMBERED_LOSSES:
            self.losses.append(loss)

    def summary(self) -> dict[str, Any]:
        """The counts as the control API shows them."""
        by_version: dict[str, dict[str, int]] = {}
        for (version, status), count in sorted(self.answers.items()):
            by_version.setdefault(version, {})[str(status)] = count
        sent = self.lost + self.answers.total()
        return {"sent": sent, "lost": self.lost, "in_flight": self.in_flight, "by_version": by_version}

    def remembered(self) -> list[dict[str, Any]]:
        """The first losses, oldest first."""
        return [asdict(loss) for loss in self.losses]

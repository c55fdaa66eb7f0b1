"""What became of a wish: what a Deployment and the records of its runs say, and the exit code for it."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum

from canary_analyzer.analysis import Decision
from canary_analyzer.cli.verb import Code
from canary_analyzer.cluster.observe import workload
from canary_analyzer.cluster.records import Record
from canary_analyzer.rollout import annotations, byo_plan
from canary_analyzer.rollout.causes import Cause
from canary_analyzer.rollout.phases import Phase
from canary_analyzer.rollout.run import Run
from canary_analyzer.routing import Document


class Until(StrEnum):
    """What is waited for."""

    VERDICT = "verdict"
    """It is decided what becomes of the canary; its end may take minutes more."""
    END = "end"
    """Nothing is left to do."""


class Outcome(StrEnum):
    """How it ended."""

    PROMOTED = "promoted"
    HEALTHY = "healthy"
    """Shown to be good, and waiting for approval; only where a verdict is waited for."""
    ABORTED = "aborted"
    REFUSED = "refused"
    INCONCLUSIVE = "inconclusive"
    TIMED_OUT = "timed out"

    @property
    def code(self) -> Code:
        """The exit code."""
        match self:
            case Outcome.PROMOTED | Outcome.HEALTHY:
                return Code.DONE
            case Outcome.INCONCLUSIVE:
                return Code.INCONCLUSIVE
            case Outcome.TIMED_OUT:
                return Code.TIMED_OUT
            case Outcome.ABORTED | Outcome.REFUSED:
                return Code.BAD


class Standing(Enum):
    """Where a wish stands."""

    NOTHING = "nothing was asked for"
    ASKED = "no service has taken it up yet"
    UNDER_WAY = "under way"
    REFUSED = "refused"
    ENDED = "ended"


@dataclass(frozen=True, kw_only=True)
class State:
    """A Deployment's canary at one moment."""

    standing: Standing
    record: Record | None = None
    """Of the run that is meant; None where there is none (yet)."""
    reason: str = ""
    """Why it was refused."""

    def outcome(self, until: Until) -> Outcome | None:
        """Return how it ended; None while it goes on."""
        if self.standing is Standing.REFUSED:
            return Outcome.REFUSED
        return outcome(self.record.run, until) if self.record is not None else None


def state(deployment: Document, records: Sequence[Record], request: str = "") -> State:
    """Return where the newest wish on a Deployment stands.

    Args:
        deployment: as it is now.
        records: of its runs, oldest first.
        request: the stamp of the wish that is meant; else the newest, whichever it is.
    """
    meant = [record for record in records if not request or record.run.request == request]
    if meant and (not meant[-1].run.ended or request):
        return State(standing=Standing.ENDED if meant[-1].run.ended else Standing.UNDER_WAY, record=meant[-1])
    if _asks(deployment, records):
        return State(standing=Standing.ASKED)
    status = annotations.status_of(deployment)
    if status.get("phase") == Phase.REFUSED:
        return State(standing=Standing.REFUSED, reason=str(status.get("reason", "")))
    if meant:
        return State(standing=Standing.ENDED, record=meant[-1])
    return State(standing=Standing.NOTHING)


def _asks(deployment: Document, records: Sequence[Record]) -> bool:
    found = annotations.of(deployment)
    if annotations.BASELINE in found:
        return byo_plan.is_asked(deployment, workload(deployment), [record.run for record in records])
    return annotations.IMAGE in found


def outcome(run: Run, until: Until) -> Outcome | None:
    """Return how a run ended, or was decided; None while it goes on."""
    if run.phase in _ENDS or (until is Until.VERDICT and run.phase in _DECIDED):
        return _decided(run)
    if until is Until.VERDICT and run.phase is Phase.AWAITING_APPROVAL and run.conclusion:
        return Outcome.HEALTHY if run.verdict == Decision.HEALTHY.value else Outcome.INCONCLUSIVE
    return None


_ENDS = frozenset({Phase.SUCCEEDED, Phase.ABORTED, Phase.REFUSED})
_DECIDED = frozenset({Phase.PROMOTING, Phase.ABORTING})


def _decided(run: Run) -> Outcome:
    if run.phase in (Phase.SUCCEEDED, Phase.PROMOTING):
        return Outcome.PROMOTED
    if run.phase is Phase.REFUSED:
        return Outcome.REFUSED
    return Outcome.INCONCLUSIVE if run.cause is Cause.UNDECIDED else Outcome.ABORTED

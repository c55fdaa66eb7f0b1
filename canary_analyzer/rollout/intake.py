"""Is an annotated Deployment a request for a canary, or an echo of one that is over?

`kubectl rollout undo` puts back an old ReplicaSet's annotations together with its template, so that a trigger
that was consumed long ago may reappear. Such an echo must not start the image again that somebody just undid.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from canary_analyzer.rollout import annotations
from canary_analyzer.rollout.causes import Cause
from canary_analyzer.rollout.phases import Phase
from canary_analyzer.rollout.run import Run


class Intent(Enum):
    """What a Deployment's annotations ask of us when no run of it is active."""

    NOTHING = "nothing"
    START = "start"
    ECHO = "echo"


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What matters of a Deployment at one moment: its trigger, the wish's stamp, its template and their number."""

    image: str | None
    request: str | None
    template: str
    revision: str = ""

    @classmethod
    def of(cls, deployment: Mapping[str, Any], template: str) -> "Seen":
        """Take it from a document and the hash of its template."""
        found = annotations.of(deployment)
        return cls(
            image=found.get(annotations.IMAGE),
            request=found.get(annotations.REQUEST),
            template=template,
            revision=annotations.revision_of(deployment),
        )


def before_next(run: Run) -> Seen | None:
    """Return how stable looked when an aborted run began, so that an undo during the run is told from a wish.

    None where it was sent back because its template had changed while the trigger stood: what is asked for later did
    not come along with that.
    """
    if run.phase is not Phase.ABORTING or run.cause is Cause.STABLE_CHANGED:
        return None
    return Seen(image=run.trigger, request=run.request, template=run.stable_template)


def assess(before: Seen | None, now: Seen, ended: Sequence[Run]) -> Intent:
    """Tell a wish from an echo.

    Args:
        before: how the Deployment looked before it got its trigger; None where nobody watched.
        now: how it looks.
        ended: its ended runs, oldest first.
    """
    if now.image is None:
        return Intent.NOTHING
    if now.request is not None:
        return Intent.ECHO if any(run.request == now.request for run in ended) else Intent.START
    if before is not None:
        template_came_along = before.image != now.image and before.template != now.template
        return Intent.ECHO if template_came_along else Intent.START
    last = next((run for run in reversed(ended) if (run.trigger, run.request) == (now.image, None)), None)
    return Intent.ECHO if last is not None and _undone(last, now) else Intent.START


def _undone(run: Run, now: Seen) -> bool:
    """Whether what the run had consumed is back with another template: as it was, a person has asked once more.

    What was promoted may be asked for again on a template that it was not promoted from.
    """
    if run.phase is Phase.SUCCEEDED:
        return run.stable_template == now.template
    return run.revision not in ("", now.revision)

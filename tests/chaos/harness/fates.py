"""What had to become of each run, from how its version fared; said of their records, without the code under test."""

from collections.abc import Iterator

from harness.arena import Arena
from harness.emulator import Document
from harness.traffic import Quality


def misjudged(arena: Arena) -> Iterator[str]:
    """Say which run was found worse while nothing was wrong, or promoted though nothing was ever right."""
    for run in arena.runs():
        fared = arena.traffic.qualities(run["started"], _decided(run))
        # What its user has brought is looked at also while it waits to be promoted.
        until_sent_back = arena.traffic.qualities(run["started"], _reached(run, "Aborting"))
        if run["cause"] == "judged-worse" and Quality.BAD not in until_sent_back:
            yield f"{run['name']} was found worse, and its version never was: {run['reason']}"
        by_hand = "a user promoted it" in run["conclusion"]
        # A rolling update lasts as long as its pods take: its policy may promote what is not decided by then.
        judged = run["strategy"] != "rolling" and not by_hand
        if run["phase"] == "Succeeded" and fared == {Quality.BAD} and judged:
            yield f"{run['name']} was promoted, and its version was bad all along: {run['reason']}"


def demoted(arena: Arena, untouched_since: float) -> Iterator[str]:
    """Say that the version promoted last does not run, though no user has touched the Deployment since a time."""
    promoted = [run for run in arena.runs() if run["phase"] == "Succeeded"]
    last = max(promoted, key=_ended, default=None)
    if last is None or _decided(last) <= untouched_since:
        return
    if arena.images() != (wanted := list(last["images"].values())):
        yield f"{last['name']} has promoted {wanted}, and {arena.images()} runs"


def _decided(run: Document) -> float:
    """Return when it turned out how the run ends."""
    return _reached(run, "Promoting", "Aborting")


def _reached(run: Document, *phases: str) -> float:
    later = (moment["at"] for moment in run["timeline"] if moment["phase"] in phases)
    return float(next(later, _ended(run)))


def _ended(run: Document) -> float:
    return float(run["timeline"][-1]["at"])

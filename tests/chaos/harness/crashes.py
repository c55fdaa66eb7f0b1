"""A rollout that is killed after each of its writes in turn, and what became of it."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from canary_analyzer.sandbox.faults import Rule
from harness.apps import Case
from harness.arena import Arena
from harness.rest import Belongings, unsettled, unspent
from harness.routes import splits
from harness.traffic import Quality

PATIENCE = 800.0
LONG = 260.0
"""Seconds after which whoever was down comes back too late: past the policy's deadline."""
DOWN = (0.0, 5.0, LONG)
TELLING = ("tell the end", "close request")
"""Stages of a promotion that is complete: whoever changes his mind now comes too late."""
AFTERMATH = 15.0
"""Seconds that are left to tell of the end, and to tidy up after a Deployment that is gone."""


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How a run is to end.

    Attributes:
        act: what a user (or the new version) does, called every second until it returns True.
        phase: in which the run ends; empty where its record goes with its Deployment.
        image: that the app runs afterwards.
    """

    name: str
    act: Callable[[Case, Arena], bool]
    phase: str
    image: str


def _weighted(arena: Arena) -> bool:
    """Whether the new version gets requests."""
    shared = any(0 < weight < 100 for split in splits(arena.emulator) for _, weight in split.weights)
    return shared or arena.images() == ["app:v2"]


def _promote(_: Case, __: Arena) -> bool:
    return True


def _spoil(_: Case, arena: Arena) -> bool:
    arena.quality = Quality.BAD
    return True


def _break(_: Case, arena: Arena) -> bool:
    arena.world.broken.add("app:v2")
    return True


def _break_promoted(_: Case, arena: Arena) -> bool:
    """Let what serves as the canary do so no more once it is stable."""
    if arena.images() != ["app:v2"]:
        return False
    arena.world.broken.add("app:v2")
    return True


def _withdraw(case: Case, arena: Arena) -> bool:
    if _weighted(arena):
        arena.annotate(case.subject, **{key: None for key in case.trigger if key in ("image", "baseline")})
        return True
    return False


def _change_mind(case: Case, arena: Arena) -> bool:
    going_on = arena.status(case.subject).get("phase") == "Promoting" and arena.runs()[0]["stage"] not in TELLING
    if going_on and arena.images() == ["app:v2"]:
        arena.annotate(case.subject, abort=arena.runs()[0]["name"])
        return True
    return False


ENDINGS = {
    ending.name: ending
    for ending in (
        Ending(name="promoted", act=_promote, phase="Succeeded", image="app:v2"),
        Ending(name="found worse", act=_spoil, phase="Aborted", image="app:v1"),
        Ending(name="withdrawn", act=_withdraw, phase="Aborted", image="app:v1"),
        Ending(name="aborted while promoting", act=_change_mind, phase="Aborted", image="app:v1"),
        Ending(name="never Ready", act=_break, phase="Aborted", image="app:v1"),
        Ending(name="not Ready once promoted", act=_break_promoted, phase="Aborted", image="app:v1"),
    )
}


@dataclass(frozen=True, kw_only=True)
class Blow:
    """What happens to the service; `down` is seconds before one that was killed is started again."""

    kill_at: int = 0
    down: float = 0.0
    lose_at: int = 0


def play(case: Case, ending: Ending, blow: Blow = Blow(), rules: Sequence[Rule] = ()) -> tuple[Arena, list[str]]:
    """Return the arena after a rollout, and all that was wrong in it.

    Args:
        case: the app.
        ending: how it ends.
        blow: after which write the service is killed, or of which it hears no answer; none by default.
        rules: faults of the API server, from the request on.
    """
    arena = case.arena(kill_at=blow.kill_at, lose_at=blow.lose_at)
    arena.down_seconds = blow.down
    belongings = Belongings.of(arena)
    case.ask(arena)
    if rules:
        arena.wire.play(*rules, seed=1)
        arena.end()  # what may go wrong at its start does
    acted, until = False, arena.now + PATIENCE
    while arena.now < until and not (arena.phases() and set(arena.phases()) <= {"Succeeded", "Aborted"}):
        acted = acted or ending.act(case, arena)
        arena.run(1.0)
    arena.run(AFTERMATH)
    arena.end()
    ends = {(seen.phase, seen.image) for seen in (ending if acted else ENDINGS["promoted"],)}
    if blow.down >= LONG:
        ends.add(("Aborted", "app:v1"))  # no verdict in time
    wrong = [*arena.violations, *arena.hasty, *belongings.wrong(arena), *_unfinished(arena, ends), *_misread(arena)]
    return arena, wrong if acted or blow != Blow() else [*wrong, f"it was never {ending.name}"]


def _misread(arena: Arena) -> Iterator[str]:
    """Nobody but the service and the user of the ending has touched anything."""
    for run in arena.runs():
        if "somebody else" in json.dumps(run["timeline"]):
            yield f"{run['name']} takes somebody else to have written: {run['timeline']}"


def _unfinished(arena: Arena, ends: set[tuple[str, str]]) -> Iterator[str]:
    yield from unsettled(arena)
    yield from unspent(arena)
    if (found := set(zip(arena.phases(), arena.images(), strict=False))) - ends or len(arena.phases()) != 1:
        yield f"expected one run, and that it ends as one of {ends}; found {arena.phases()}, {found}"

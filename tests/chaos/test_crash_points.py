"""One crash point of each strategy, and two that once went wrong; `make chaos` tries all of them."""

import pytest

from harness.apps import CASES
from harness.crashes import ENDINGS, Blow, play


@pytest.mark.parametrize(
    ("case", "ending", "point"),
    [
        (case, list(ENDINGS.values())[row % 3], 5 * row % 12 + 1)  # no rollout has fewer than 12 writes
        for row, case in enumerate(CASES.values())
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_a_rollout_that_is_killed_after_a_write_ends_as_if_nothing_had_been(case, ending, point):
    arena, wrong = play(case, ending, Blow(kill_at=point, down=point % 5))
    assert wrong == []
    assert arena.kills == 1


@pytest.mark.parametrize("from_the_end", [2, 12], ids=["ended, and nobody told", "given back, and still owned"])
def test_the_last_writes_of_a_rollout_are_made_up_for(from_the_end):
    case, ending = CASES["canary"], ENDINGS["promoted"]
    whole, wrong = play(case, ending)
    assert wrong == []
    assert play(case, ending, Blow(kill_at=len(whole.writes) + 1 - from_the_end))[1] == []


LOST = {"route canary": 7, "shift weight": 10, "promoted": 23, "ended": 46}


@pytest.mark.parametrize("write", LOST.values(), ids=LOST)
def test_a_write_that_was_made_and_never_answered_is_recognised_as_made(write):
    """These were once taken for somebody else's edits, or aborted the run."""
    assert play(CASES["canary"], ENDINGS["promoted"], Blow(lose_at=write))[1] == []

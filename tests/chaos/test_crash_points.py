"""One crash point of each strategy, and those that once went wrong; `make chaos` tries all of them."""

from dataclasses import replace

import pytest

from canary_analyzer.sandbox.client import DEPLOYMENTS
from harness.apps import CASES
from harness.crashes import ENDINGS, LONG, Blow, play


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


@pytest.fixture(scope="module")
def point():
    """Return the number of one of the writes of a promotion, those to this path counted from the start or the end."""
    whole, wrong = play(CASES["canary"], ENDINGS["promoted"])
    assert wrong == []

    def found(path, which):
        return [number for number, write in enumerate(whole.writes, start=1) if write.endswith(path)][which]

    return found


KILLED = {
    "given back, and still owned": ("/virtualservices/app", -2),
    "the canary's Deployment deleted, and still held": ("/deployments/app-canary", -2),
    "ended, and nobody told": ("/events", -1),
}


@pytest.mark.parametrize("write", KILLED.values(), ids=KILLED)
def test_the_last_writes_of_a_rollout_are_made_up_for(point, write):
    assert play(CASES["canary"], ENDINGS["promoted"], Blow(kill_at=point(*write)))[1] == []


LOST = {
    "route canary": ("/virtualservices/app", 0),
    "shift weight": ("/virtualservices/app", 1),
    "promoted": ("/deployments/app", 2),
    "ended": ("/configmaps/canary-run-app-1", -1),
}


@pytest.mark.parametrize("write", LOST.values(), ids=LOST)
def test_a_write_that_was_made_and_never_answered_is_recognised_as_made(point, write):
    """These were once taken for somebody else's edits, or aborted the run."""
    assert play(CASES["canary"], ENDINGS["promoted"], Blow(lose_at=point(*write)))[1] == []


def test_a_service_that_comes_back_after_the_deadline_gives_the_traffic_back(point):
    arena, wrong = play(CASES["canary"], ENDINGS["promoted"], Blow(kill_at=point("/virtualservices/app", 2), down=LONG))
    assert (wrong, arena.phases()) == ([], ["Aborted"])


def test_no_step_is_taken_before_every_pod_is_there_that_its_share_of_the_requests_needs():
    def large(arena):
        CASES["canary"].prepare(arena)
        arena.emulator.merge(DEPLOYMENTS, "app", {"spec": {"replicas": 8}})

    assert play(replace(CASES["canary"], prepare=large), ENDINGS["promoted"])[1] == []


def test_fields_of_a_route_are_given_up_by_a_service_that_was_down_for_longer_than_it_tries(point):
    blow = Blow(kill_at=point("/virtualservices/app", -2), down=LONG)
    assert play(CASES["canary"], ENDINGS["promoted"], blow)[1] == []


NOT_READY = [ENDINGS["never Ready"], ENDINGS["not Ready once promoted"]]


@pytest.mark.parametrize("ending", NOT_READY, ids=lambda ending: ending.name)
@pytest.mark.parametrize("case", ["canary", "blue-green", "rolling"])
def test_what_does_not_become_ready_goes_back_to_what_was(case, ending):
    assert play(CASES[case], ending)[1] == []

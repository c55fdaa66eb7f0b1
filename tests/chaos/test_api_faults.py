"""The API server fails in every way there is while a version is rolled out: it takes longer, and ends the same."""

import pytest

from canary_analyzer.sandbox.faults import (
    CONFLICT,
    GONE,
    INTERNAL,
    NO_PAGE,
    TOO_MANY,
    UNAVAILABLE,
    CutWatch,
    Drop,
    DuplicateEvents,
    ExpireWatch,
    Refuse,
    ReorderEvents,
    Rule,
    Slow,
    Stale,
    Truncate,
)
from harness.apps import CASES
from harness.crashes import ENDINGS, PATIENCE, play

FAULTS = {
    "404 for objects that are there": Rule(action=NO_PAGE, path="/(deploy[a-z]+|[a-z]*services)/", probability=0.1),
    "409": Rule(action=CONFLICT, methods=("PATCH",), probability=0.5),
    "410": Rule(action=GONE, probability=0.1),
    "429": Rule(action=TOO_MANY, probability=0.1),
    "429 for a long time": Rule(
        action=Refuse(status=429, reason="TooManyRequests", retry_after=3600), probability=0.02
    ),
    "500": Rule(action=INTERNAL, probability=0.1),
    "503": Rule(action=UNAVAILABLE, probability=0.1),
    "slow": Rule(action=Slow(seconds=3), probability=0.05),
    "slower than anybody waits": Rule(action=Slow(seconds=30), probability=0.01),
    "refused connections": Rule(action=Drop(), probability=0.1),
    "done, but the answer is lost": Rule(action=Drop(after=True), probability=0.05),
    "answers in part": Rule(action=Truncate(), probability=0.1),
    "stale lists": Rule(action=Stale(), path="/[a-z]+s$", probability=0.3),
    "a watch that is cut": Rule(action=CutWatch(events=1), times=20),
    "a watch that expires": Rule(action=ExpireWatch(events=1), times=20),
    "a watch that expires at its start": Rule(action=GONE, query="watch=true", times=20),
    "events twice": Rule(action=DuplicateEvents(), times=20),
    "events out of order": Rule(action=ReorderEvents(), times=20),
}


@pytest.mark.parametrize("rule", FAULTS.values(), ids=FAULTS)
def test_a_fault_of_the_api_server_delays_a_rollout_and_changes_nothing_else(rule):
    arena, wrong = play(CASES["canary, autoscaled"], ENDINGS["promoted"], rules=[rule])
    assert wrong == []
    assert arena.wire.hits[type(rule.action).__name__] > 0


def test_who_asks_for_another_version_in_a_rolling_update_gets_it_however_late_that_is_heard():
    """The run had changed the template itself: with the next wish that once looked like an undo."""
    arena = CASES["rolling"].arena()
    CASES["rolling"].ask(arena)
    arena.run(20)
    arena.annotate(image="app:v3")
    while arena.phases() != ["Aborted"]:
        assert arena.elapsed < PATIENCE, arena.runs()
        arena.run(0.1)
    arena.wire.play(Rule(action=INTERNAL, methods=("GET",), path="/deployments/app$", times=3))
    arena.run(1)
    arena.annotate(hold="true")
    arena.run(5)
    arena.annotate(hold=None)
    assert arena.run_until({"Aborted", "Succeeded"})
    assert [(run["trigger"], run["phase"]) for run in arena.runs()] == [("app:v2", "Aborted"), ("app:v3", "Succeeded")]

"""Webhooks: who is asked before something happens, and who is told after it."""

import pytest

from canary_analyzer.analysis import Decision
from canary_analyzer.rollout.gates import Answer
from canary_analyzer.rollout.phases import Phase
from driving import WEIGHT, drive, start

YES = Answer(passed=True, text="answered 200")
ALL = {"start": ["a"], "step": ["b"], "promotion": ["c"], "end": ["d"], "rollback": ["e"]}


def order(world):
    return [entry for entry in world.log if "/" in entry or entry.startswith(("SetTraffic", "PatchStable"))]


def test_gates_are_asked_before_what_they_guard_and_others_are_told_after_it(make, healthy):
    healthy.answer = lambda _: YES
    run = start(make, steps=[{"gate": "g"}, WEIGHT], webhooks=ALL)
    assert drive(run, healthy).phase is Phase.SUCCEEDED
    assert list(dict.fromkeys(order(healthy))) == [
        "SetTraffic 0",
        "start/0/a",
        "gate/0/g",
        "step/1/b",
        "SetTraffic 50",
        "promotion/2/c",
        "PatchStable",
        "end/2/d",
    ]


NOT_YES = {
    "answers an error": Answer(passed=False, text="answered 500"),
    "redirects elsewhere": Answer(passed=False, text="answered 302, a redirect, which is not followed"),
    "hangs": None,
}


@pytest.mark.parametrize("moment", ["start", "step", "promotion"])
@pytest.mark.parametrize("answer", NOT_YES.values(), ids=NOT_YES)
def test_a_gate_that_does_not_say_yes_never_moves_traffic_forward(make, healthy, moment, answer):
    healthy.answer = lambda _: answer
    run = start(make, steps=[WEIGHT], webhooks={moment: ["a"]}, deadline_seconds=100)
    ended = drive(run, healthy)
    assert ended.phase is Phase.ABORTED
    assert "no verdict within 100 s" in ended.reason
    assert "PatchStable" not in healthy.log
    assert ("SetTraffic 50" in healthy.log) is (moment == "promotion")


def test_a_gate_that_is_closed_holds_the_run_with_the_reason_and_opens_later(make, healthy):
    healthy.answer = lambda _: NOT_YES["answers an error"]
    waiting = drive(start(make, steps=[WEIGHT], webhooks={"step": ["load-test"]}), healthy, until=30)
    assert waiting.phase is Phase.HOLDING
    assert "load-test answered 500" in waiting.reason
    healthy.answers, healthy.answer = {}, lambda _: YES
    assert drive(waiting, healthy).phase is Phase.SUCCEEDED


def test_a_gate_s_last_word_aborts_at_once(make, healthy):
    healthy.answer = lambda _: Answer(passed=False, text="answered 403", final=True)
    ended = drive(start(make, webhooks={"start": ["a"]}), healthy)
    assert (ended.phase, ended.reason) == (Phase.ABORTED, "a webhook has refused: a answered 403")


def test_a_gate_that_has_said_yes_is_not_asked_again_after_a_restart(make, healthy):
    def restart(run, world, now):
        if run.passed:
            world.answers = {}  # all that the process knew

    healthy.answer = lambda _: YES
    drive(start(make, steps=[{"gate": "g"}, WEIGHT]), healthy, each=restart)
    assert healthy.log.count("gate/0/g") == 1


def test_who_is_only_told_holds_nothing_up_for_long(make, healthy):
    run = start(make, steps=[WEIGHT], webhooks={"end": ["deaf"], "rollback": ["deaf"]})
    assert drive(run, healthy).phase is Phase.SUCCEEDED


def test_a_roll_back_is_told_when_traffic_has_gone_back(make, healthy):
    def turn_bad(run, world, now):
        if run.weight == 50:
            world.verdict = make.verdict(Decision.ABORT)

    healthy.answer = lambda _: YES
    drive(start(make, webhooks=ALL, steps=[WEIGHT]), healthy, each=turn_bad)
    assert order(healthy)[-3:] == ["SetTraffic 0", "rollback/0/e", "end/0/d"]

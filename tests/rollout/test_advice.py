import inspect
import shlex

import pytest

from canary_analyzer.rollout.advice import what_now
from canary_analyzer.rollout.causes import Cause
from canary_analyzer.rollout.phases import Phase
from canary_analyzer.rollout.rules import CAUSES, RULES
from canary_analyzer.rollout.strategy import Strategy


def commands(text):
    return [shlex.split(part) for part in text.split("`")[1::2] if part.startswith("kubectl")]


@pytest.mark.parametrize("cause", Cause)
def test_whatever_sent_a_run_back_there_is_something_to_do_about_it(make, cause):
    said = what_now(make.run(phase=Phase.ABORTED, cause=cause))
    restart = [
        "kubectl",
        "annotate",
        "deployment/app",
        "-n",
        "default",
        "--overwrite",
        "canary-analyzer.io/image=app:v2",
    ]
    assert restart in commands(said)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        pytest.param({"phase": Phase.ANALYSING}, "goes on by itself", id="going on"),
        pytest.param({"phase": Phase.HOLDING, "held_since": 5.0}, "canary-analyzer.io/hold-", id="held by a person"),
        pytest.param({"phase": Phase.HOLDING}, "as soon as that is over", id="held by something else"),
        pytest.param({"phase": Phase.AWAITING_APPROVAL}, "canary-analyzer.io/approve=app-1", id="approval"),
        pytest.param({"phase": Phase.PROMOTING}, "app rolls out the new version", id="promoting"),
        pytest.param(
            {"phase": Phase.PROMOTING, "strategy": Strategy.BRING_YOUR_OWN, "baseline": "stable"},
            "Give stable what has passed (app:v2)",
            id="promoted by Git",
        ),
        pytest.param({"phase": Phase.ABORTING}, "Nothing to do yet", id="going back"),
        pytest.param({"phase": Phase.SUCCEEDED}, "app runs the new version", id="promoted"),
        pytest.param({"phase": Phase.ABORTED}, "To start again", id="a record that knows no cause"),
    ],
)
def test_where_a_run_stands_says_what_to_do(make, fields, words):
    assert words in what_now(make.run(**fields))


def test_an_image_cannot_smuggle_a_command_into_what_is_pasted(make):
    said = what_now(make.run(phase=Phase.ABORTED, cause=Cause.LATE, trigger="app=x;reboot$(id)"))
    assert commands(said)[0][-1] == "canary-analyzer.io/image=app=x;reboot$(id)"


def test_every_rule_that_sends_a_run_back_has_a_cause():
    rules = {inspect.unwrap(rule) for each in RULES.values() for rule in each}
    assert rules == set(CAUSES)

"""Prometheus fails in every way there is, over HTTP, while a good and a bad version are rolled out (`make chaos`)."""

from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from canary_analyzer.metrics import PrometheusReader, SampleReader
from canary_analyzer.sandbox.faults import (
    INTERNAL,
    UNAVAILABLE,
    ClockOff,
    Drop,
    Empty,
    Failed,
    HaPair,
    Huge,
    MissingBuckets,
    NotANumber,
    OtherType,
    Refuse,
    Reset,
    Rule,
    Slow,
    Truncate,
    Value,
    Warn,
    faulty,
)
from harness.apps import CASES
from harness.prometheus import Prometheus, served
from harness.rest import Belongings, unsettled
from harness.traffic import Quality


@dataclass(frozen=True, kw_only=True)
class Seen:
    """How a run went: the phases and reasons that its status told, and what was wrong at the end."""

    told: list[tuple[str, str]]
    phase: str
    wrong: list[str]

    @property
    def reasons(self):
        return " | ".join(reason for _, reason in self.told)


@pytest.fixture
def roll_out():
    """Roll a version out whose metrics come through a proxy that plays these rules from the first weight on."""

    def played(quality, *rules, mend_after=None, abort_after=None):
        case = CASES["canary"]
        with ExitStack() as stack:
            arena = case.arena()
            url = stack.enter_context(served(Prometheus(arena.traffic, arena.now)))
            proxy = stack.enter_context(faulty(url))
            arena.read_by(SampleReader(PrometheusReader(proxy.url, timeout_seconds=0.3)))
            belongings, arena.quality, told, broken = Belongings.of(arena), quality, [], 0.0
            case.ask(arena)
            while arena.elapsed < 330 and not set(arena.phases()) & {"Succeeded", "Aborted"}:
                arena.run(1.0)
                status = arena.status()
                told.append((status.get("phase", ""), status.get("reason", "")))
                if status.get("phase") == "Analysing" and not broken:
                    proxy.play(*rules, seed=1)
                    broken = arena.now
                if mend_after and broken and arena.now > broken + mend_after:
                    proxy.play()
                if abort_after and broken and arena.now > broken + abort_after:
                    arena.annotate(abort=arena.runs()[0]["name"])
            arena.run(10)
        wrong = [*arena.violations, *belongings.wrong(arena), *unsettled(arena)]
        return Seen(told=list(dict.fromkeys(told)), phase=arena.phases()[0], wrong=wrong)

    return played


NO_ANSWER = {
    "down": (Drop(), "cannot be reached"),
    "slow": (Slow(seconds=0.6), "did not answer within"),
    "overloaded": (UNAVAILABLE, "refused the query"),
    "broken": (INTERNAL, "refused the query"),
    "a proxy's page": (Refuse(status=404, reason="NotFound"), "refused the query"),
    "cut off": (Truncate(), "Prometheus"),
    "partial": (Warn(text="store gateway down"), "store gateway down"),
}


@pytest.mark.parametrize("quality", [Quality.GOOD, Quality.BAD], ids=lambda quality: quality.value)
@pytest.mark.parametrize(("action", "reason"), [NO_ANSWER["down"], NO_ANSWER["partial"]], ids=["down", "partial"])
def test_without_answers_a_run_holds_says_why_and_goes_back_at_its_deadline(roll_out, quality, action, reason):
    seen = roll_out(quality, Rule(action=action))
    assert ("Holding", True) in [(phase, reason in why) for phase, why in seen.told], seen.told
    assert (seen.phase, seen.wrong) == ("Aborted", [])
    assert "no verdict within" in seen.reasons


@pytest.mark.parametrize(("action", "reason"), NO_ANSWER.values(), ids=NO_ANSWER)
def test_after_some_time_without_answers_the_run_goes_on_as_if_nothing_had_been(roll_out, action, reason):
    seen = roll_out(Quality.GOOD, Rule(action=action), mend_after=8)
    assert reason in seen.reasons, seen.told
    assert (seen.phase, seen.wrong) == ("Succeeded", [])


IMPOSSIBLE = {
    "infinite": (Value(value="+Inf"), "stands at inf"),
    "negative": (Value(value="-5"), "stands at -5"),
    "beyond counting": (Value(value="1e30"), "stands at 1e+30"),
    "no number": (Value(value="abc"), "which is none"),
    "without quotes": (Value(value=5), "which is none"),
    "a point of three": (Value(value=["1", "2"]), "which is none"),
    "another type": (OtherType(), "Prometheus"),
    "a type that is none": (OtherType(name="weird"), "not as Prometheus does"),
    "failed": (Failed(), "refused the query: query timed out"),
}


@pytest.mark.parametrize(("action", "reason"), IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_with_impossible_answers_a_run_holds_says_why_and_its_user_can_abort_it(roll_out, action, reason):
    seen = roll_out(Quality.GOOD, Rule(action=action), abort_after=20)
    assert ("Holding", True) in [(phase, reason in why) for phase, why in seen.told], seen.told
    assert (seen.phase, seen.wrong) == ("Aborted", [])
    assert "no verdict within" not in seen.reasons


@pytest.mark.parametrize(("action", "reason"), [IMPOSSIBLE["infinite"], IMPOSSIBLE["no number"]], ids=str)
def test_with_impossible_answers_a_run_goes_back_at_its_deadline(roll_out, action, reason):
    seen = roll_out(Quality.BAD, Rule(action=action))
    assert reason in seen.reasons, seen.told
    assert "no verdict within" in seen.reasons
    assert (seen.phase, seen.wrong) == ("Aborted", [])


WRONG_ANSWER = {
    "empty": Empty(),
    "not a number": NotANumber(share=0.3),
    "counted by two": HaPair(label="prometheus_replica"),
    "counters reset": Reset(share=0.3),
    "no buckets": MissingBuckets(share=0.5),
    "five minutes late": ClockOff(seconds=-300),
    "five minutes early": ClockOff(seconds=300),
    "huge": Huge(copies=20),
}


@pytest.mark.parametrize("action", WRONG_ANSWER.values(), ids=WRONG_ANSWER)
def test_no_wrong_answer_makes_a_bad_version_good(roll_out, action):
    seen = roll_out(Quality.BAD, Rule(action=action))
    assert (seen.phase, seen.wrong) == ("Aborted", []), seen.told


@pytest.mark.parametrize("action", WRONG_ANSWER.values(), ids=WRONG_ANSWER)
def test_no_wrong_answer_makes_a_good_version_bad(roll_out, action):
    seen = roll_out(Quality.GOOD, Rule(action=action), mend_after=12)
    assert "errors worse than tolerated" not in seen.reasons, seen.told
    assert (seen.phase, seen.wrong) == ("Succeeded", []), seen.told

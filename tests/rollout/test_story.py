import json
from dataclasses import replace

import numpy as np
import pytest

from canary_analyzer.analysis import Decision, MetricState, MetricVerdict, Verdict
from canary_analyzer.analysis.types import ArmTick, Tick
from canary_analyzer.rollout.story import MOST, Seen, Story

EDGES = (10.0, 100.0)


def seen(until: float, canary: int = 10, counts: bool = True) -> Seen:
    arm = ArmTick(requests=canary, errors=1, latency=np.array([canary, 0, 0]))
    baseline = ArmTick(requests=90, errors=2, latency=np.array([80, 10, 0]))
    return Seen(until=until, weight=10, tick=Tick(canary=arm, baseline=baseline), counts=counts, edges_ms=EDGES)


def verdict(high: float = 0.2) -> Verdict:
    errors = MetricVerdict(
        name="errors",
        state=MetricState.UNDECIDED,
        effect=0.01,
        low=-0.1,
        high=high,
        evidence_against=0.3,
        evidence_for=-0.1,
        n_canary=10,
        n_baseline=90,
        reason="errors not decided",
    )
    return Verdict(decision=Decision.CONTINUE, metrics=(errors,), reason="", tick=0)


def told(ticks: int) -> Story:
    story = Story()
    for i in range(ticks):
        story = story.after(seen(10.0 * (i + 1)), verdict())
    return story


@pytest.mark.parametrize("ticks", [1, MOST - 1, MOST, MOST + 1, 5 * MOST, 5 * MOST + 3])
def test_a_story_stays_small_and_loses_no_request(ticks: int) -> None:
    story = told(ticks)
    samples = story.all_samples
    assert len(samples) <= MOST
    assert sum(s.requests.canary for s in samples) == 10 * ticks
    assert sum(s.errors.baseline for s in samples) == 2 * ticks
    assert sum(story.latency.baseline) == 90 * ticks
    assert samples[-1].at == 10.0 * ticks
    assert [s.at for s in samples] == sorted({s.at for s in samples})


def test_a_tick_that_is_read_again_after_a_restart_is_told_once() -> None:
    story = told(5)
    assert story.after(seen(50.0), verdict()) == story


def test_a_tick_that_does_not_count_is_shown_and_not_added_to_the_latencies() -> None:
    story = Story().after(seen(10.0, counts=False), None)
    assert (story.samples[0].requests.canary, story.latency.canary, story.samples[0].metrics) == (10, (), ())


def test_a_figure_that_is_not_bounded_is_kept_as_unknown_for_json_has_no_infinity() -> None:
    story = Story().after(seen(10.0), verdict(high=float("inf")))
    assert story.samples[0].metrics[0].high is None
    assert Story.model_validate_json(story.model_dump_json()) == story


@pytest.mark.parametrize("line", ["", "{}", "[1,2,3]", '[0,5,[1,"many"],[0,0],[]]'])
def test_a_story_that_somebody_garbled_is_not_taken_for_one(line: str) -> None:
    with pytest.raises(ValueError, match="lines"):
        Story.model_validate_json(json.dumps({"lines": [*told(2).lines, line]}))


def test_other_buckets_than_before_start_the_latencies_anew() -> None:
    story = told(2)
    other = Seen(until=30.0, weight=10, tick=seen(30.0).tick, counts=True, edges_ms=(5.0, 50.0))
    assert story.after(other, verdict()).latency.canary == (10, 0, 0)


LONGEST = "x" * 10_000


@pytest.mark.parametrize("metrics", [4, 30], ids=["usual metrics", "many metrics"])
def test_the_story_of_a_thousand_ticks_with_long_reasons_fits_a_record(metrics):
    one = verdict().metrics[0]
    many = tuple(replace(one, name=f"metric-{i}", reason=LONGEST, effect=1 / 3) for i in range(metrics))
    said = replace(verdict(), metrics=many)
    story = Story()
    for i in range(1000):
        story = story.after(seen(10.0 * (i + 1)), said)
    assert len(story.model_dump_json()) < 150_000
    assert sum(s.requests.canary for s in story.all_samples) == 10_000

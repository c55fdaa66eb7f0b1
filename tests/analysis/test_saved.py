"""A history written to a file is the same when read, and a file that is none says all that is wrong."""

import json

import numpy as np
import pytest

from canary_analyzer.analysis import ArmCounts, Decision, ExtraCounts, History, Policy
from canary_analyzer.analysis.backtest import Change, replay
from canary_analyzer.analysis.saved import FORMAT, Past, read, written


def arm(errors=0):
    return ArmCounts(
        requests=np.full(3, 1000), errors=np.full(3, errors), latency=np.tile(np.array([900, 90, 10]), (3, 1))
    )


def past(errors=0):
    extra = {
        "carts": ExtraCounts(edges_ms=None, canary=arm(5), baseline=arm()),
        "queries": ExtraCounts(edges_ms=np.array([1.0, 2.0]), canary=arm(), baseline=arm()),
    }
    history = History(
        tick_seconds=10, edges_ms=np.array([10.0, 50.0]), canary=arm(errors), baseline=arm(1), extra=extra
    )
    return Past(history=history, times=(100.0, 110.0, 150.0))


def test_what_is_written_and_read_back_is_the_same():
    document = json.loads(json.dumps(written(past())))
    assert written(read(document)) == document
    assert read(document).times == (100.0, 110.0, 150.0)
    assert read(document).history.extra["queries"].edges_ms.tolist() == [1.0, 2.0]


def test_times_and_own_metrics_may_be_missing():
    document = written(past())
    del document["extra"], document["times"]
    assert read(document).times is None


def broken(**fields):
    return written(past()) | fields


FILES = {
    "a list": ([], ["format"]),
    "another format": ({"format": "x"}, ["format"]),
    "nothing but the format": ({"format": FORMAT}, ["canary.latency", "baseline.latency", "tick_seconds", "edges_ms"]),
    "mistakes on all levels": (
        broken(
            tick_seconds=0,
            canary={"requests": [1, -1, 1], "errors": [0], "latency": [[1], [1, 2], [3]]},
            times=[1, "x"],
        ),
        ["canary.requests: value -1", "canary.latency: value of shape (3,)", "canary.errors", "tick_seconds", "times"],
    ),
    "edges": (broken(edges_ms=[50, 10]), ["edges_ms: value [50, 10]"]),
    "edges in words": (broken(edges_ms="10"), ["edges_ms"]),
    "times too few": (broken(times=[1, 2]), ["times: 2 values: give one per tick, 3"]),
    "times not ascending": (broken(times=[1, 1, 2]), ["times: not ascending"]),
    "own metric": (broken(extra={"carts": {"canary": 3}}), ["extra.carts.canary.latency", "extra.carts.baseline"]),
    "own metrics in a list": (broken(extra=[1]), ["extra: value [1]"]),
}


@pytest.mark.parametrize(("document", "mistakes"), FILES.values(), ids=FILES.keys())
def test_a_file_that_is_no_history_says_all_that_is_wrong(document, mistakes):
    with pytest.raises(ValueError, match="saved history is not usable") as refused:
        read(document)
    lines = str(refused.value).splitlines()[1:]
    assert all(any(line.startswith(f"- {mistake}") for line in lines) for mistake in mistakes), lines


def test_a_replay_tells_what_was_thought_and_when():
    outcome = replay("mine", Policy(), past(errors=900).history)
    assert (outcome.policy, outcome.judge, outcome.verdict.decision) == ("mine", "sequential", Decision.ABORT)
    assert outcome.changes == (Change(tick=0, decision=Decision.ABORT),)


def test_a_replay_of_no_ticks_is_inconclusive():
    outcome = replay("mine", Policy(), past().history.picked([]))
    assert outcome.verdict.decision is Decision.INCONCLUSIVE
    assert outcome.changes == ()

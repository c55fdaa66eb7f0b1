"""Faults of Prometheus on one answer with a counter and two buckets."""

from random import Random

import pytest

from canary_analyzer.sandbox.faults import (
    ClockOff,
    Empty,
    Failed,
    HaPair,
    Huge,
    MissingBuckets,
    NotANumber,
    OtherType,
    Reset,
    Value,
    Warn,
)
from canary_analyzer.sandbox.faults.answers import rewritten


def series(*values, **labels):
    return {"metric": labels, "values": [[float(i), str(value)] for i, value in enumerate(values)]}


ANSWER = {
    "status": "success",
    "data": {
        "resultType": "matrix",
        "result": [series(1, 2, 3, 4, code="200"), series(1, 1, le="10"), series(2, 2, le="+Inf")],
    },
}


def result(fault, answer=ANSWER):
    return rewritten(fault, answer, Random(0))["data"]["result"]


def values(found):
    return [value for _, value in found["values"]]


def test_an_empty_answer_is_a_successful_one():
    assert rewritten(Empty(), ANSWER, Random(0)) == {
        "status": "success",
        "data": {"resultType": "matrix", "result": []},
    }


def test_values_are_not_a_number():
    assert values(result(NotANumber())[0]) == ["NaN"] * 4


def test_all_values_are_another():
    assert values(result(Value(value="+Inf"))[0]) == ["+Inf"] * 4


def test_another_type_of_result_is_told():
    assert rewritten(OtherType(), ANSWER, Random(0))["data"] == {"resultType": "vector", "result": []}


def test_a_failure_has_no_series_and_says_why():
    found = rewritten(Failed(text="too many samples"), ANSWER, Random(0))
    assert (found["status"], found["error"], found["data"]["result"]) == ("error", "too many samples", [])


def test_a_pair_tells_every_series_twice():
    assert [each["metric"].get("prometheus_replica") for each in result(HaPair())] == ["a", "b"] * 3


def test_a_warning_stands_beside_the_data():
    assert rewritten(Warn(text="partial"), ANSWER, Random(0)) == {**ANSWER, "warnings": ["partial"]}


def test_counters_begin_anew_in_the_middle():
    assert values(result(Reset())[0]) == ["1", "2", "1", "2"]


def test_buckets_are_missing_and_nothing_else():
    assert result(MissingBuckets(share=1.0)) == [ANSWER["data"]["result"][0]]


def test_a_clock_is_five_minutes_off():
    assert [time for time, _ in result(ClockOff())[0]["values"]] == [300.0, 301.0, 302.0, 303.0]


def test_a_huge_answer_has_every_series_many_times():
    found = result(Huge(copies=100))
    assert len({tuple(sorted(each["metric"].items())) for each in found}) == len(found) == 300


@pytest.mark.parametrize("fault", [NotANumber(), Value(value="1"), Reset(), ClockOff()], ids=type)
def test_instant_answers_are_rewritten_too(fault):
    instant = {"status": "success", "data": {"result": [{"metric": {}, "value": [0.0, "5"]}]}}
    assert len(result(fault, instant)[0]["value"]) == 2

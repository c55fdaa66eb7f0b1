"""Answers are taken apart as a decoder of JSON would, or not at all."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from canary_analyzer.metrics.raw import taken_apart

RESULT = '"resultType":"matrix","result":['
LOOKALIKES = st.sampled_from(['{"metric":{', '},"values":[["', "]]", RESULT, "\\", '"', "]}"])
TEXT = st.lists(st.one_of(st.text(max_size=5), LOOKALIKES), max_size=4).map("".join)
POINTS = st.lists(st.tuples(st.integers(0, 10**10), st.integers(0, 10**9).map(str)), min_size=1, max_size=3)
SERIES = st.builds(
    lambda metric, values: {"metric": metric, "values": values}, st.dictionaries(TEXT, TEXT, max_size=3), POINTS
)


def answered(result, separators=(",", ":"), **more):
    document = {"status": "success", "data": {"resultType": "matrix", "result": result}, **more}
    return json.dumps(document, separators=separators, ensure_ascii=False).encode()


@settings(max_examples=200, deadline=None)
@given(st.lists(SERIES, max_size=4))
def test_what_labels_hold_cannot_be_mistaken_for_layout(result):
    found = taken_apart(answered(result))
    assert [one.labels for one in found] == [one["metric"] for one in result]
    assert [[tuple(point) for point in one.points] for one in found] == [one["values"] for one in result]


def test_what_servers_say_after_the_result_is_passed_over():
    result = [{"metric": {"a": "b"}, "values": [[1, "2"]]}]
    assert taken_apart(answered(result, stats={"seriesFetched": "1"}))[0].labels == {"a": "b"}


@pytest.mark.parametrize(
    "body",
    [
        answered([{"metric": {"a": "b"}, "values": [[1, "2"]]}], separators=(", ", ": ")),
        answered([{"metric": {"a": "b"}, "histograms": [[1, {"count": "2"}]]}]),
        answered([{"metric": {"a": "b"}, "values": [[1, "2"]], "histograms": [[1, {"count": "2"}]]}]),
        answered([{"metric": {"a": "b"}, "values": [[1, "2"]]}] * 2)[:-20],
        b'{"status":"success","data":{"resultType":"vector","result":[]}}',
        answered([{"values": [[1, "2"]], "metric": {"a": "b"}}]),
        b"<html>",
    ],
    ids=["white space", "no values", "more than values", "cut off", "instant vector", "other order", "no JSON"],
)
def test_another_layout_is_left_to_the_decoder(body):
    assert taken_apart(body) is None

"""Answers are taken apart as a decoder of JSON would, or not at all."""

import json
from bisect import bisect_right
from operator import itemgetter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from canary_analyzer.metrics.raw import RawSeries, taken_apart

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


def numbers(values):
    return [(float(time), float(value)) for time, value in values]


def points(raw):
    return raw.since(float("-inf"))


@settings(max_examples=200, deadline=None)
@given(st.lists(SERIES, max_size=4))
def test_what_labels_hold_cannot_be_mistaken_for_layout(result):
    found = taken_apart(answered(result))
    assert [one.labels for one in found] == [one["metric"] for one in result]
    assert [points(one) for one in found] == [numbers(one["values"]) for one in result]


@given(SERIES, st.integers(-1, 10**10 + 1))
def test_points_that_were_counted_are_not_read_but_for_the_last(one, time):
    one["values"].sort()
    raw, wanted = RawSeries.of(one), numbers(one["values"])
    assert raw.since(time) == wanted[max(0, bisect_right(wanted, time, key=itemgetter(0)) - 1) :]


@pytest.mark.parametrize("value", ["NaN", "+Inf", "1e+06", "0.5"])
def test_every_number_that_prometheus_writes_is_read(value):
    (raw,) = taken_apart(answered([{"metric": {"a": "b"}, "values": [[1.5, value]]}]))
    assert str(points(raw)) == str([(1.5, float(value))])


def test_a_series_without_points_has_none():
    assert RawSeries.of({"metric": {"a": "b"}, "histograms": [[1, {"count": "2"}]]}).since(0) == []


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

"""Samples that cannot be what they should be are a reason to hold, never a count and never a crash."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from canary_analyzer.metrics import MetricsUnavailable, PrometheusReader, SampleReader
from canary_analyzer.rollout.metrics import MetricQuery

CART_TIME = MetricQuery(name="cart_time", histogram='cart_seconds{namespace="{{namespace}}",app="{{workload}}"}')
RESULT, THERE = '{"status":"success","data":{"resultType":"%s","result":[%s]}}', '{"metric":{},"value":[0,"1"]}'
FAILED = json.dumps({"status": "error", "errorType": "execution", "error": "too many samples"})


@pytest.fixture
def collected(telling, pair, grid):
    """Counts of two ticks where Prometheus has some series of requests."""

    def collect(*of_requests):
        with telling(lambda query: [] if "_bucket" in query else of_requests) as url:
            return SampleReader(PrometheusReader(url)).collect(pair("shop"), grid(0, 5, 10))

    return collect


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        pytest.param(["1", "+Inf", "5"], r"a counter that is none: .*\"shop\".* stands at inf", id="infinite"),
        pytest.param(["+Inf", "2", "5"], r"stands at inf", id="infinite at the start"),
        pytest.param(["1", "-3", "5"], r"stands at -3", id="negative"),
        pytest.param(["1", "2", "1e30"], r"stands at 1e\+30, where no counter can", id="beyond counting"),
        pytest.param(["1", "abc", "5"], r"sample \[1700000005.0,\"abc\"\], which is none, of .*shop", id="no number"),
        pytest.param(["1", 2, 5], "which is none", id="a number without quotes"),
        pytest.param(["1", [2], "5"], "which is none", id="a list"),
    ],
)
def test_a_value_that_no_counter_can_have_is_refused_by_name(collected, series, requests_to, values, reason):
    with pytest.raises(MetricsUnavailable, match=reason):
        collected(series(requests_to("shop", "web"), *values))


@pytest.mark.parametrize("labels", [{"destination_workload": 5}, {"response_code": None}], ids=str)
def test_labels_that_are_no_texts_are_refused(collected, series, requests_to, labels):
    odd = series(requests_to("shop", "web"), "1", "2")
    with pytest.raises(MetricsUnavailable, match="labels cannot be read"):
        collected({**odd, "metric": {**odd["metric"], **labels}})


def test_one_teams_unreadable_metric_holds_only_that_team(telling, pair, series, requests_to, carts_of, grid):
    def tell(query):
        if query.startswith("cart_seconds"):
            return [
                series(carts_of("cart_seconds", "bad", "web", 0), "0", "1", "2"),
                *(series(carts_of("cart_seconds", "good", "web", 0, le=edge), "0", "1") for edge in ("0.1", "+Inf")),
            ]
        return [] if "_bucket" in query else [series(requests_to(name, "web"), *"0123") for name in pairs]

    with_metrics = {name: replace(pair(name), metrics=(CART_TIME,)) for name in ("bad", "good")}
    pairs = {**with_metrics, "x": pair("x")}
    with telling(tell) as url:
        told = collected_by_all(SampleReader(PrometheusReader(url)), pairs, grid)
    assert "has a bucket with le=None" in told.pop("bad")
    assert told == {"good": [2], "x": [2]}


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(FAILED, id="too many samples"),
        pytest.param('{"status":"success","data":{"resultType":"vector","result":[]}}', id="another type"),
        pytest.param("<html>", id="no answer of Prometheus"),
    ],
)
def test_a_query_of_one_teams_that_fails_holds_only_that_team(answering, pair, grid, answer):
    def body(query):
        if query.startswith("cart_seconds"):
            return answer
        return RESULT % ("vector", THERE) if query.startswith("count(") else RESULT % ("matrix", "")

    pairs = {"bad": replace(pair("bad"), metrics=(CART_TIME,)), "x": pair("x")}
    with answering(200, body) as url:
        told = collected_by_all(SampleReader(PrometheusReader(url)), pairs, grid)
    assert "Prometheus" in told["bad"]
    assert told["x"] == [0]


@pytest.mark.parametrize("seconds", [200, 340, 700, 1300, 3600])
def test_a_long_outage_costs_two_queries_a_tick_however_many_runs_there_are(
    telling, pair, series, requests_to, grid, seconds
):
    asked, now = [], 10

    def tell(query):
        asked.append(query)
        window = float(query.rpartition("[")[2].removesuffix("ms]")) / 1000
        if "_bucket" in query or now - window > 15:
            return []
        return [series(requests_to(name, "web"), *"0123") for name in pairs]

    pairs = {f"team-{number}": pair(f"team-{number}") for number in range(20)}
    with telling(tell) as url:
        reader = SampleReader(PrometheusReader(url))
        assert set(map(str, collected_by_all(reader, pairs, grid).values())) == {"[2]"}
        asked, now = [], seconds
        for one in pairs.values():
            with pytest.raises(MetricsUnavailable, match="no sample of either arm since 22:13:"):
                reader.collect(one, grid(*range(10, seconds + 1, 10)))
    assert len(asked) == 2


def test_after_a_restart_in_an_outage_nobody_asks_alone_once_one_got_no_answer(telling, pair, grid):
    asked = []
    reader = SampleReader(
        PrometheusReader("http://127.0.0.1:9", on_query=lambda *_: asked.append(1), timeout_seconds=0.2)
    )
    for number in range(20):
        with pytest.raises(MetricsUnavailable, match="cannot be reached"):
            reader.collect(pair(f"team-{number}"), grid(0, 10))
    assert len(asked) == 1


def collected_by_all(reader, pairs, grid):
    """Requests of each pair's baseline, or why there are none."""
    for one in pairs.values():
        reader.follow(one, grid(0)[0])
    told = {}
    for name, one in pairs.items():
        try:
            told[name] = reader.collect(one, grid(0, 10)).baseline.requests.tolist()
        except MetricsUnavailable as error:
            told[name] = error.reason
    return told

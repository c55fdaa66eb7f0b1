"""What a rollout gets to judge from, read from a real Prometheus."""

from __future__ import annotations

import gc
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
import requests

from canary_analyzer.metrics import (
    Istio,
    Linkerd,
    MetricsUnavailable,
    Pair,
    Pods,
    PrometheusReader,
    ReaderSettings,
    SampleReader,
    Workload,
)
from canary_analyzer.metrics.answers import PairAnswer
from canary_analyzer.rollout.metrics import MetricQuery

TICKS = (0, 10, 20, 30, 40)


@pytest.fixture
def reader(prometheus):
    return SampleReader(prometheus)


@pytest.fixture
def queries(prometheus_url):
    """How many queries Prometheus has answered."""

    def count():
        lines = requests.get(f"{prometheus_url}/metrics", timeout=5).text.splitlines()
        name = 'prometheus_http_requests_total{code="200",handler="/api/v1/query"}'
        return sum(int(float(line.split()[-1])) for line in lines if line.startswith(name))

    return count


def totals(counts):
    return [list(map(int, row)) for row in (counts.baseline.requests, counts.canary.requests)]


def test_both_arms_are_counted_to_the_last_request(reader, pair, grid):
    counts = reader.collect(pair("shop"), grid(*TICKS))
    assert list(counts.baseline.requests) == [42, 42, 42, 42]
    assert list(counts.baseline.errors) == [2, 2, 2, 2]
    assert list(counts.canary.requests) == [0, 7, 14, 14]
    assert list(counts.canary.errors) == [0, 0, 4, 4]


def test_latency_comes_as_counts_between_edges(reader, pair, grid):
    counts = reader.collect(pair("shop"), grid(*TICKS))
    assert list(counts.edges_ms) == [10, 100]
    assert counts.baseline.latency.tolist() == [[10, 20, 12]] * 4
    assert counts.canary.latency.tolist() == [[0, 0, 0], [0, 3, 4], [0, 6, 8], [0, 6, 8]]


def test_the_counts_are_a_history(reader, pair, grid):
    history = reader.collect(pair("shop"), grid(*TICKS)).history(10)
    assert len(list(history.ticks())) == 4


@pytest.mark.parametrize(
    "calls",
    [
        pytest.param([(0, 10), (10, 20), (20, 30), (30, 40)], id="tick by tick"),
        pytest.param([(0, 10), (10, 20, 30), (30, 40)], id="a tick came late"),
        pytest.param([(0, 10, 20, 30), (20, 30, 40)], id="an interval asked for again"),
    ],
)
def test_the_counts_do_not_depend_on_when_they_are_collected(reader, prometheus, pair, grid, calls):
    whole = totals(SampleReader(prometheus).collect(pair("shop"), grid(*TICKS)))
    by_end = {}
    for boundaries in calls:
        counts = totals(reader.collect(pair("shop"), grid(*boundaries)))
        by_end |= {end: row for end, *row in zip(boundaries[1:], *counts, strict=True)}
    assert [list(row) for row in zip(*(by_end[end] for end in TICKS[1:]), strict=True)] == whole


def test_intervals_that_nobody_asked_for_are_left_out(reader, pair, grid):
    reader.collect(pair("shop"), grid(0, 10))
    assert totals(reader.collect(pair("shop"), grid(30, 40))) == [[42], [14]]


def test_a_long_run_is_replayed_piece_by_piece(prometheus, pair, grid):
    piecewise = SampleReader(prometheus, ReaderSettings(longest_window=15))
    assert totals(piecewise.collect(pair("shop"), grid(*TICKS))) == [[42] * 4, [0, 7, 14, 14]]


def test_requests_that_found_no_healthy_host_are_errors_of_that_arm(reader, pair, grid):
    counts = reader.collect(pair("down"), grid(*TICKS))
    assert (list(counts.canary.requests), list(counts.canary.errors)) == ([0, 10, 10, 10], [0, 10, 10, 10])
    assert list(counts.baseline.errors) == [0, 0, 0, 0]


def test_what_prometheus_missed_is_counted_when_it_is_back(reader, pair, grid):
    assert totals(reader.collect(pair("gap"), grid(0, 10, 20, 70)))[0] == [20, 20, 180]


def test_while_no_samples_come_nothing_is_reported_and_nothing_is_lost(reader, pair, grid):
    first = totals(reader.collect(pair("gap"), grid(0, 10, 20)))[0]
    with pytest.raises(MetricsUnavailable, match=r"no sample of either arm since 22:13:40 UTC, 40 s ago"):
        reader.collect(pair("gap"), grid(20, 30, 40, 50, 59.9))
    later = totals(reader.collect(pair("gap"), grid(20, 70)))[0]
    assert (first, later) == ([20, 20], [180])


@pytest.mark.parametrize(
    ("until", "limit"),
    [
        pytest.param(35, 15, id="as old as the limit"),
        pytest.param(80, 60, id="the limit is a setting"),
        pytest.param(32, 1, id="at least two and a half scrape intervals"),
    ],
)
def test_samples_may_be_as_old_as_a_limit(prometheus, pair, grid, until, limit):
    reader = SampleReader(prometheus, ReaderSettings(staleness=limit))
    assert reader.collect(pair("stale"), grid(*range(0, until + 1, 4), until + 1)[:-1]).baseline.requests.sum() == 40


def test_samples_older_than_the_limit_are_refused(reader, pair, grid):
    with pytest.raises(MetricsUnavailable, match="no sample of either arm since 22:13:40 UTC, 20 s ago"):
        reader.collect(pair("stale"), grid(*range(0, 41, 5)))


def test_a_service_without_traffic_has_no_data_and_that_is_no_error(reader, pair, grid):
    counts = reader.collect(pair("nobody-calls"), grid(*TICKS))
    assert totals(counts) == [[0] * 4, [0] * 4]
    assert counts.edges_ms[0] == 0.5
    assert counts.canary.latency.shape == (4, len(counts.edges_ms) + 1)


def test_where_prometheus_was_not_there_at_the_start_history_is_not_counted(reader, pair, grid):
    counts = totals(reader.collect(pair("shop"), grid(-500, -490, *range(-100, -80, 10))))
    assert counts == [[0, 0, 42], [0, 0, 0]]


def test_of_two_replicas_one_is_counted_and_the_other_takes_over(reader, pair, grid):
    first = totals(reader.collect(pair("twice"), grid(0, 10, 20)))[0]
    later = [totals(reader.collect(pair("twice"), grid(low, low + 10)))[0][0] for low in range(20, 90, 10)]
    assert first == [20, 20]
    # Nothing is counted while it is not yet clear that replica a is gone; then replica b catches up.
    assert later == [20, 20, 0, 30, 20, 20, 20]


def test_replicas_may_be_told_apart_by_any_label(prometheus, pair, grid):
    reader = SampleReader(prometheus, ReaderSettings(replica_labels=["monitor"]))
    assert totals(reader.collect(pair("pair"), grid(0, 10, 20)))[0] == [20, 20]


def test_names_are_matched_as_they_are_whatever_they_contain(reader, pair, grid):
    names = ['a"b\\c.*|d\n', "xyz"]
    for namespace in names:
        reader.collect(pair(namespace), grid(0, 10))
    assert [totals(reader.collect(pair(one), grid(10, 20)))[0] for one in names] == [[14], [2]]


def test_the_number_of_queries_does_not_grow_with_the_rollouts(reader, pair, grid, queries):
    teams = [pair(f"team-{number}") for number in range(40)]
    for team in teams:
        reader.collect(team, grid(0, 10))
    before = queries()
    with ThreadPoolExecutor(8) as threads:
        counted = list(threads.map(lambda team: reader.collect(team, grid(10, 20)), teams))
    assert [int(one.baseline.requests.sum()) for one in counted] == [2 * number for number in range(40)]
    assert queries() - before == 2


def test_those_who_begin_together_share_their_queries_too(reader, pair, grid, queries):
    teams = [pair(f"team-{number}") for number in range(40)]
    before = queries()
    for team in teams:
        reader.follow(team, grid(0)[0])
    counted = [reader.collect(team, grid(0, 10)) for team in teams]
    assert [int(one.baseline.requests.sum()) for one in counted] == [2 * number for number in range(40)]
    assert queries() - before == 3


def test_a_rollout_that_is_over_is_not_read_any_more(reader, pair, grid):
    reader.collect(pair("shop"), grid(0, 10))
    reader.forget(pair("shop"))
    assert totals(reader.collect(pair("shop"), grid(20, 30))) == [[42], [14]]


def test_a_failed_read_is_shared_too_and_the_next_tick_tries_again(telling, pair, grid):
    with telling(lambda _: []) as url:
        reader = SampleReader(PrometheusReader(url))
        for namespace in ("a", "b"):
            reader.collect(pair(namespace), grid(0, 10))
    reasons = []
    for namespace in ("a", "b"):
        with pytest.raises(MetricsUnavailable) as failure:
            reader.collect(pair(namespace), grid(10, 20))
        reasons.append(failure.value.reason)
    assert reasons[0] == reasons[1]
    assert "cannot be reached" in reasons[0]


def test_a_failed_read_lets_go_of_what_had_been_answered(telling, pair, grid):
    """Much of it would wait for the garbage collector, which looks for cycles seldom."""
    with telling(lambda _: []) as url:
        reader = SampleReader(PrometheusReader(url))
        reader.collect(pair("a"), grid(0, 10))
    gc.collect()
    gc.disable()
    try:
        with suppress(MetricsUnavailable):
            reader.collect(pair("a"), grid(10, 20))
        assert not [each for each in gc.get_objects() if isinstance(each, PairAnswer)]
    finally:
        gc.enable()


def test_counts_are_whole_numbers(reader, pair, grid):
    counts = reader.collect(pair("shop"), grid(*TICKS))
    assert counts.canary.requests.dtype == counts.baseline.latency.dtype == np.int64


CARTS = MetricQuery(
    name="carts",
    total='carts_total{namespace="{{namespace}}",app="{{workload}}"}',
    good='carts_good_total{namespace="{{namespace}}",app="{{workload}}"}',
)
CART_TIME = MetricQuery(name="cart_time", histogram='cart_seconds_bucket{namespace="{{namespace}}",pod=~"{{pods}}"}')
UNHEARD = MetricQuery(name="unheard", histogram='nobody_bucket{app="{{workload}}"}')


def test_metrics_of_the_users_own_come_with_the_others(reader, pair, grid):
    counts = reader.collect(replace(pair("shop"), metrics=(CARTS, CART_TIME, UNHEARD)), grid(0, 10, 20))
    carts, times = counts.extra["carts"], counts.extra["cart_time"]
    assert (carts.baseline.requests.tolist(), carts.baseline.errors.tolist()) == ([20, 20], [4, 4])
    assert (carts.canary.requests.tolist(), carts.canary.errors.tolist()) == ([8, 8], [8, 8])
    assert (times.edges_ms.tolist(), times.canary.latency.tolist()) == ([5, 100], [[2, 4, 2]] * 2)
    assert times.baseline.latency.tolist() == [[0, 0, 0]] * 2
    assert counts.extra.keys() == {"carts", "cart_time"}
    assert len(list(counts.history(10).ticks())) == 2


def test_a_long_run_is_replayed_with_its_metrics(prometheus, pair, grid):
    piecewise = SampleReader(prometheus, ReaderSettings(longest_window=15))
    counts = piecewise.collect(replace(pair("shop"), metrics=(CARTS, CART_TIME)), grid(*TICKS))
    assert counts.extra["carts"].canary.requests.tolist() == [8] * 4
    assert counts.extra["cart_time"].canary.latency.tolist() == [[2, 4, 2]] * 4


def test_rollouts_with_the_same_metrics_share_their_queries(reader, pair, grid, queries):
    pairs = [replace(pair(namespace), metrics=(CARTS, CART_TIME)) for namespace in ("shop", "bank")]
    for one in pairs:
        reader.collect(one, grid(0, 10))
    before = queries()
    counted = [reader.collect(one, grid(10, 20)) for one in pairs]
    assert [int(counts.extra["carts"].baseline.requests.sum()) for counts in counted] == [20, 20]
    assert queries() - before == 5


def rolling(sources=()):
    old, new = (
        Workload(namespace="rolling", name="web", pods=Pods(values=frozenset({value}))) for value in ("old", "new")
    )
    return Pair(baseline=old, canary=new, baseline_service="web", canary_service="web", sources=frozenset(sources))


def test_new_pods_are_compared_with_old_ones_of_the_same_workload(reader, grid):
    counts = reader.collect(rolling(), grid(*TICKS))
    assert totals(counts) == [[60] * 4, [24] * 4]
    assert counts.canary.errors.tolist() == [6] * 4


def test_the_pods_of_a_workload_are_listed(reader, grid):
    workload = Workload(namespace="rolling", name="web")
    assert reader.pods(workload, *grid(0, 40)) == {"web-old-x8k2p", "web-new-x8k2p", "web-older-x8k2p"}


def test_callers_that_the_route_does_not_govern_are_left_out(reader, pair, grid):
    everyone = reader.collect(pair("callers"), grid(0, 10))
    governed = reader.collect(replace(pair("callers"), sources=frozenset({"gateway"})), grid(0, 10))
    assert (totals(everyone)[0], totals(governed)[0]) == ([216], [16])


def test_arms_that_cannot_be_told_apart_are_refused_and_harm_no_other(prometheus, pair, grid):
    reader = SampleReader(prometheus, ReaderSettings(dialect=Istio(reporter="waypoint")))
    with pytest.raises(MetricsUnavailable, match="not by pod"):
        reader.follow(rolling(), grid(0)[0])
    reader.collect(pair("shop"), grid(0, 10))
    assert totals(reader.collect(pair("shop"), grid(10, 20))) == [[0], [0]]


def test_a_linkerd_mesh_is_read_in_its_own_words(prometheus, pair, grid):
    reader = SampleReader(prometheus, ReaderSettings(dialect=Linkerd()))
    counts = reader.collect(pair("meshed"), grid(0, 10))
    assert totals(counts) == [[42], [20]]
    assert (counts.baseline.errors.tolist(), counts.canary.errors.tolist()) == ([2], [10])
    assert (counts.edges_ms.tolist(), counts.canary.latency.tolist()) == ([1, 30], [[8, 10, 2]])

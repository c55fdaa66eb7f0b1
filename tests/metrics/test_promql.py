"""Queries say what is meant, whatever the names contain."""

from __future__ import annotations

import pytest

from canary_analyzer.metrics.promql import LIST_CHARACTERS, matcher, selectors


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param(["web"], 'app="web"', id="one value is compared"),
        pytest.param(["web", "api"], 'app=~"api|web"', id="several are alternatives"),
        pytest.param(["a.b", "c"], r'app=~"a\\.b|c"', id="a dot is a dot"),
        pytest.param(["a|b", "c"], r'app=~"a\\|b|c"', id="a bar is a bar"),
        pytest.param(['x"} or up{"'], r'app="x\"} or up{\""', id="a quote does not end the string"),
        pytest.param(["a\\", "b"], r'app=~"a\\\\|b"', id="a backslash is a backslash"),
        pytest.param(["a\nb"], r'app="a\nb"', id="a line break is escaped"),
        pytest.param(["größe"], 'app="größe"', id="letters of all languages"),
        pytest.param([""], 'app=""', id="empty"),
        pytest.param(
            ["(a+b)*[c]{2}^$?", "z"], r'app=~"\\(a\\+b\\)\\*\\[c\\]\\{2\\}\\^\\$\\?|z"', id="all that means something"
        ),
    ],
)
def test_matchers_quote_what_they_are_given(values, expected):
    assert matcher("app", values) == expected


def test_one_pair_needs_three_selectors(pair):
    (group,) = selectors([pair("shop")], "source")
    arms = 'destination_workload=~"web|web-canary",destination_workload_namespace="shop"'
    assert group.requests == f'istio_requests_total{{reporter="source",{arms}}}'
    assert group.buckets == f'istio_request_duration_milliseconds_bucket{{reporter="source",{arms}}}'
    assert group.unreached == (
        'istio_requests_total{reporter="source",destination_workload="unknown",'
        'destination_service_name=~"web|web-canary"}'
    )


def test_many_pairs_are_cut_into_queries_that_fit_into_a_url(pair):
    groups = list(selectors([pair(f"a-rather-long-team-name-{number}") for number in range(200)], "source"))
    assert 1 < len(groups) < 10
    assert max(len(group.requests) for group in groups) < 2 * LIST_CHARACTERS
    assert sum(group.requests.count("team-name") for group in groups) == 200


def test_no_pairs_no_queries():
    assert list(selectors([], "source")) == []

"""Queries say what is meant, whatever the names contain."""

from __future__ import annotations

import pytest

from canary_analyzer.metrics.promql import QUERY_CHARACTERS, Query, chunked, matcher


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


def by_namespace(pairs):
    selector = f"up{{{matcher('namespace', [pair.baseline.namespace for pair in pairs])}}}"
    return Query(selector=selector, owners=lambda _: ())


@pytest.mark.parametrize(
    ("pairs", "length", "queries"),
    [
        pytest.param(0, 10, 0, id="no pairs, no queries"),
        pytest.param(1, 10, 1, id="one pair"),
        pytest.param(1000, 10, 5, id="so many that an answer would be huge"),
        pytest.param(100, 200, 2, id="names so long that the query would be"),
        pytest.param(1, QUERY_CHARACTERS, 1, id="a pair is never cut in two"),
    ],
)
def test_many_pairs_share_few_queries(pair, pairs, length, queries):
    names = [f"{number:0{length}}" for number in range(pairs)]
    asked = list(chunked(map(pair, names), by_namespace))
    assert len(asked) == queries
    assert sorted(name for query in asked for name in names if name in query.selector) == names

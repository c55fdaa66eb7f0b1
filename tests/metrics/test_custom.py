"""Metrics of the user's own: one query for many, and every series to whom it belongs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from canary_analyzer.metrics import Arm, Pair, Pods, Workload
from canary_analyzer.metrics.custom import queries
from canary_analyzer.metrics.dialects import CannotTellApartError
from canary_analyzer.metrics.promql import Part, Role
from canary_analyzer.rollout.metrics import MetricQuery

BY_NAME = 'carts_total{namespace="{{namespace}}",app="{{workload}}"}'
FAILED = 'carts_total{namespace="{{namespace}}",app="{{workload}}",outcome!~"ok|late"}'
BY_POD = 'cart_seconds_bucket{namespace="{{namespace}}",pod=~"{{pods}}"}'


def carts(**more):
    return MetricQuery(**({"name": "carts", "total": BY_NAME, "bad": FAILED} | more))


def histogram(**more):
    return MetricQuery(**({"name": "cart_time", "histogram": BY_POD} | more))


def with_metrics(pair, *metrics):
    return replace(pair, metrics=metrics)


def by_pods(label, old, new, *metrics):
    baseline, canary = (
        Workload(namespace="shop", name="web", pods=Pods(label=label, values=frozenset({value})))
        for value in (old, new)
    )
    return Pair(baseline=baseline, canary=canary, baseline_service="web", canary_service="web", metrics=metrics)


def test_each_selector_is_one_query_for_all_pairs(pair):
    asked = list(queries([with_metrics(pair(f"team-{number}"), carts(), histogram()) for number in range(2)]))
    names = 'namespace=~"team-0|team-1",app=~"web|web-canary"'
    pods = r"pod=~\"web-[a-z0-9]{1,10}-[a-z0-9]{5}|web-canary-[a-z0-9]{1,10}-[a-z0-9]{5}\"".replace("\\", "")
    assert [query.selector for query in asked] == [
        f"carts_total{{{names}}}",
        f'carts_total{{{names},outcome!~"ok|late"}}',
        f'cart_seconds_bucket{{namespace=~"team-0|team-1",{pods}}}',
    ]
    assert asked[2].unit_ms == 1000


def test_without_metrics_of_their_own_nothing_is_asked(pair):
    assert list(queries([pair("shop")])) == []


@pytest.mark.parametrize(
    ("labels", "owner"),
    [
        pytest.param({"namespace": "shop", "app": "web"}, ("shop", Arm.BASELINE), id="baseline"),
        pytest.param({"namespace": "bank", "app": "web-canary"}, ("bank", Arm.CANARY), id="another's canary"),
        pytest.param({"namespace": "else", "app": "web"}, None, id="a namesake elsewhere"),
        pytest.param({"namespace": "shop"}, None, id="without the label"),
    ],
)
def test_a_series_belongs_to_the_arm_whose_names_it_bears(pair, labels, owner):
    total, _ = queries([with_metrics(pair(name), carts()) for name in ("shop", "bank")])
    found = [(pair.baseline.namespace, part.arm) for pair, part in total.owners(labels)]
    assert found == ([owner] if owner else [])


@pytest.mark.parametrize(
    ("pod", "arm"),
    [
        pytest.param("web-6d4cf56db6-x8k2p", Arm.BASELINE, id="stable's pod"),
        pytest.param("web-canary-6d4cf56db6-x8k2p", Arm.CANARY, id="the canary's, whose name goes on"),
        pytest.param("web-api-6d4cf56db6-x8k2p", None, id="another whose name goes on"),
        pytest.param("web-0", None, id="no Deployment's pod"),
        pytest.param("web", None, id="no pod at all"),
    ],
)
def test_pods_are_known_by_how_deployments_name_them(pair, pod, arm):
    (query,) = queries([with_metrics(pair("shop"), histogram())])
    found = [part for _, part in query.owners({"namespace": "shop", "pod": pod})]
    assert found == ([Part(arm=arm, role=Role.BUCKET, metric="cart_time")] if arm else [])


@pytest.mark.parametrize(
    ("label", "old", "new"),
    [
        pytest.param("pod_template_hash", "58b9c", "6d4cf", id="by hash"),
        pytest.param("pod", "web-58b9c-aaaaa", "web-6d4cf-bbbbb", id="by name"),
    ],
)
def test_pods_of_one_workload_are_told_apart_by_their_names(label, old, new):
    (query,) = queries([by_pods(label, old, new, histogram())])
    pods = ("web-58b9c-aaaaa", "web-6d4cf-bbbbb", "web-77777-ccccc")
    found = [[part.arm for _, part in query.owners({"namespace": "shop", "pod": pod})] for pod in pods]
    assert found == [[Arm.BASELINE], [Arm.CANARY], []]


@pytest.mark.parametrize(
    "alike",
    [
        pytest.param(by_pods("pod_template_hash", "old", "new", carts()), id="pods of one workload by its name"),
        pytest.param(
            Pair(
                baseline=Workload(namespace="shop", name="web"),
                canary=Workload(namespace="shop", name="web-canary"),
                baseline_service="web",
                canary_service="web",
                metrics=(carts(total='carts_total{s="{{service}}"}', bad='bad_total{s="{{service}}"}'),),
            ),
            id="subsets of one Service by its name",
        ),
    ],
)
def test_a_selector_that_finds_the_same_for_both_arms_is_refused(alike):
    with pytest.raises(CannotTellApartError, match=r"metric carts: .* finds the same series for canary and baseline"):
        list(queries([alike]))


def test_names_never_become_promql(pair):
    evil = 'x"} or vector(1) or up{a="|.*'
    total, _ = queries([with_metrics(pair(evil), carts())])
    assert total.selector == (r"""carts_total{namespace="x\"} or vector(1) or up{a=\"|.*",app=~"web|web-canary"}""")

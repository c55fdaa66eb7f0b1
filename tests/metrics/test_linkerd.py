"""What Linkerd's proxies call things."""

from __future__ import annotations

from dataclasses import replace

import pytest

from canary_analyzer.metrics import Arm, Linkerd, Pair, Pods, Workload
from canary_analyzer.metrics.dialects import CannotTellApartError
from canary_analyzer.metrics.promql import Role


def outbound(**more):
    caller = {"direction": "outbound", "namespace": "front", "deployment": "ingress", "pod_template_hash": "old"}
    return caller | {"dst_namespace": "shop", "dst_deployment": "web-canary", "classification": "success"} | more


def inbound(**more):
    return {"direction": "inbound", "namespace": "shop", "deployment": "web", "classification": "success"} | more


def owners(query, given):
    return [(part.arm, part.role) for _, part in query.owners(given)]


@pytest.mark.parametrize(
    ("direction", "labels"),
    [
        pytest.param("outbound", 'dst_deployment=~"web|web-canary",dst_namespace="shop"', id="callers"),
        pytest.param("inbound", 'deployment=~"web|web-canary",namespace="shop"', id="called"),
    ],
)
def test_one_pair_needs_two_queries(pair, direction, labels):
    assert [query.selector for query in Linkerd(direction=direction).queries([pair("shop")])] == [
        f'response_total{{direction="{direction}",{labels}}}',
        f'response_latency_ms_bucket{{direction="{direction}",{labels}}}',
    ]


@pytest.mark.parametrize(
    ("direction", "given", "expected"),
    [
        pytest.param("outbound", outbound(), [(Arm.CANARY, Role.TOTAL)], id="success"),
        pytest.param(
            "outbound",
            outbound(classification="failure"),
            [(Arm.CANARY, Role.TOTAL), (Arm.CANARY, Role.BAD)],
            id="failure",
        ),
        pytest.param("outbound", outbound(dst_namespace="other"), [], id="a namesake elsewhere"),
        pytest.param("inbound", inbound(), [(Arm.BASELINE, Role.TOTAL)], id="seen by the called"),
    ],
)
def test_whose_request_it_was_and_whether_it_failed(pair, direction, given, expected):
    requests, _ = Linkerd(direction=direction).queries([pair("shop")])
    assert owners(requests, given) == expected


@pytest.mark.parametrize(
    ("direction", "given"),
    [
        pytest.param("outbound", outbound(dst_deployment="web", dst_pod_template_hash="new"), id="outbound"),
        pytest.param("inbound", inbound(pod_template_hash="new"), id="inbound"),
    ],
)
def test_the_pod_that_was_called_decides_not_the_caller(direction, given):
    old, new = (
        Workload(namespace="shop", name="web", pods=Pods(values=frozenset({value}))) for value in ("old", "new")
    )
    pair = Pair(baseline=old, canary=new, baseline_service="web", canary_service="web")
    requests, _ = Linkerd(direction=direction).queries([pair])
    assert owners(requests, given) == [(Arm.CANARY, Role.TOTAL)]


@pytest.mark.parametrize(("sources", "counted"), [(["front/ingress"], True), (["batch"], False)])
def test_only_the_named_callers_count(pair, sources, counted):
    requests, _ = Linkerd().queries([replace(pair("shop"), sources=frozenset(sources))])
    assert bool(owners(requests, outbound())) is counted


def test_callers_that_the_metrics_do_not_name_cannot_be_chosen(pair):
    with pytest.raises(CannotTellApartError, match="do not name the caller"):
        list(Linkerd(direction="inbound").queries([replace(pair("shop"), sources=frozenset({"ingress"}))]))

"""Which arm a request belongs to, and whether it failed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from canary_analyzer.metrics import Arm, Istio, Pair, Pods, Workload
from canary_analyzer.metrics.dialects import CannotTellApartError
from canary_analyzer.metrics.istio import addressee, failed
from canary_analyzer.metrics.promql import Role


def labels(**more):
    reached = {
        "destination_workload": "web",
        "destination_workload_namespace": "shop",
        "destination_service_name": "web",
    }
    return reached | {"response_code": "200", "response_flags": "-"} | more


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param(labels(), False, id="200"),
        pytest.param(labels(response_code="404"), False, id="the caller's mistake"),
        pytest.param(labels(response_code="500"), True, id="500"),
        pytest.param(labels(response_code="503", response_flags="UF,URX"), True, id="503"),
        pytest.param(labels(response_code="0", response_flags="UC"), True, id="no answer"),
        pytest.param(labels(response_code="0", response_flags="DC"), False, id="the caller hung up"),
        pytest.param(
            labels(response_code="0", response_flags="UT,DC"), False, id="the caller hung up, among other flags"
        ),
        pytest.param(labels(grpc_response_status="0"), False, id="gRPC ok"),
        pytest.param(labels(grpc_response_status=""), False, id="not gRPC"),
        pytest.param(labels(grpc_response_status="5"), False, id="gRPC not found"),
        *(
            pytest.param(labels(grpc_response_status=code), True, id=f"gRPC {code}")
            for code in ["2", "4", "12", "13", "14", "15"]
        ),
        pytest.param({"destination_workload": "unknown", "response_code": "404"}, True, id="no healthy host"),
        pytest.param({}, True, id="nothing is known"),
    ],
)
def test_what_counts_as_an_error(given, expected):
    assert failed(given) is expected


UNREACHED = {"destination_workload": "unknown", "destination_service_name": "web-canary"}


@pytest.mark.parametrize(
    ("given", "arm"),
    [
        pytest.param(labels(), Arm.BASELINE, id="baseline"),
        pytest.param(labels(destination_workload="web-canary"), Arm.CANARY, id="canary"),
        pytest.param(labels(destination_workload="other"), None, id="another workload"),
        pytest.param(labels(destination_workload_namespace="other"), None, id="a namesake elsewhere"),
        pytest.param(UNREACHED | {"destination_service_namespace": "shop"}, Arm.CANARY, id="no host of the canary"),
        pytest.param(UNREACHED | {"destination_service_namespace": "other"}, None, id="no host of a namesake"),
        pytest.param(
            UNREACHED
            | {"destination_service_namespace": "unknown", "destination_service": "web-canary.shop.svc.cluster.local"},
            Arm.CANARY,
            id="the namespace is in the host name",
        ),
        pytest.param(UNREACHED, None, id="no namespace at all"),
    ],
)
def test_whose_request_it_was(pair, given, arm):
    assert pair("shop").arm_of(addressee(given), given) is arm


def test_where_both_arms_share_a_service_requests_that_reached_nobody_are_charged_to_neither(pair):
    shared = replace(pair("shop"), canary_service="web")
    given = UNREACHED | {"destination_service_name": "web", "destination_service_namespace": "shop"}
    assert shared.arm_of(addressee(given), given) is None


def by_pods(new="6d4cf", old="58b9c"):
    baseline, canary = (
        Workload(namespace="shop", name="web", pods=Pods(values=frozenset({value}))) for value in (old, new)
    )
    return Pair(baseline=baseline, canary=canary, baseline_service="web", canary_service="web")


def owners(query, given):
    return [(part.arm, part.role) for _, part in query.owners(given)]


def test_one_pair_needs_two_queries(pair):
    requests, buckets = Istio().queries([pair("shop")])
    services = 'destination_service_name=~"web|web-canary"'
    assert requests.selector == (
        f'istio_requests_total{{reporter="source",{services},destination_workload=~"unknown|web|web-canary",'
        'destination_workload_namespace=~"shop|unknown"}'
    )
    assert buckets.selector == (
        f'istio_request_duration_milliseconds_bucket{{reporter="source",{services},'
        'destination_workload=~"web|web-canary",destination_workload_namespace="shop"}'
    )


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param(labels(), [(Arm.BASELINE, Role.TOTAL)], id="a good answer"),
        pytest.param(
            labels(response_code="500"), [(Arm.BASELINE, Role.TOTAL), (Arm.BASELINE, Role.BAD)], id="a failed one"
        ),
        pytest.param(labels(destination_workload="other"), [], id="another workload's"),
        pytest.param(labels(destination_service_name="web-admin"), [], id="past the route"),
    ],
)
def test_a_failed_request_counts_among_all_and_among_the_bad(pair, given, expected):
    requests, _ = Istio().queries([pair("shop"), pair("other")])
    assert owners(requests, given) == expected


def test_without_a_service_all_callers_count():
    pair = Pair(baseline=Workload(namespace="shop", name="web"), canary=Workload(namespace="shop", name="nobody"))
    requests, _ = Istio().queries([pair])
    assert "service" not in requests.selector
    assert owners(requests, labels(destination_service_name="web-admin")) == [(Arm.BASELINE, Role.TOTAL)]


@pytest.mark.parametrize(
    ("sources", "counted"),
    [
        pytest.param([], True, id="all callers"),
        pytest.param(["gateway"], True, id="by name"),
        pytest.param(["istio-system/gateway"], True, id="by namespace and name"),
        pytest.param(["other/gateway"], False, id="a namesake elsewhere"),
        pytest.param(["web"], False, id="another caller"),
        pytest.param([".*"], False, id="a name is no pattern"),
    ],
)
def test_only_the_named_callers_count(pair, sources, counted):
    requests, buckets = Istio().queries([replace(pair("shop"), sources=frozenset(sources))])
    given = labels(source_workload="gateway", source_workload_namespace="istio-system", le="10")
    assert [bool(owners(query, given)) for query in (requests, buckets)] == [counted] * 2


@pytest.mark.parametrize(
    ("pod", "arm"),
    [
        pytest.param({"pod_template_hash": "6d4cf"}, Arm.CANARY, id="new"),
        pytest.param({"pod_template_hash": "58b9c"}, Arm.BASELINE, id="old"),
        pytest.param({"pod_template_hash": "older"}, None, id="of another rollout"),
        pytest.param({}, None, id="Prometheus does not map pod labels"),
    ],
)
def test_pods_of_one_workload_are_told_apart_by_a_label(pod, arm):
    requests, _ = Istio().queries([by_pods()])
    assert owners(requests, labels(**pod)) == ([(arm, Role.TOTAL)] if arm else [])


def test_of_single_pods_their_own_sidecar_tells(pair):
    queries = list(Istio().queries([pair("shop"), by_pods()]))
    assert ['reporter="destination"' in query.selector for query in queries] == [False, False, True, True]


def test_a_waypoint_knows_workloads_but_no_pods(pair):
    assert all('reporter="waypoint"' in query.selector for query in Istio(reporter="waypoint").queries([pair("shop")]))
    with pytest.raises(CannotTellApartError, match="by workload, not by pod"):
        list(Istio(reporter="waypoint").queries([by_pods()]))

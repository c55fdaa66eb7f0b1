"""Which arm a request belongs to, and whether it failed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from canary_analyzer.metrics import Arm
from canary_analyzer.metrics.istio import addressee, failed


def labels(**more):
    reached = {"destination_workload": "web", "destination_workload_namespace": "shop"}
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
    assert pair("shop").arms.get(addressee(given)) is arm


def test_where_both_arms_share_a_service_requests_that_reached_nobody_are_charged_to_neither(pair):
    shared = replace(pair("shop"), canary_service="web")
    given = UNREACHED | {"destination_service_name": "web", "destination_service_namespace": "shop"}
    assert shared.arms.get(addressee(given)) is None

import pytest

from canary_analyzer.routing import Target, canary_destination_rule

TARGET = Target(namespace="shop", stable="web", canary="web-canary")
POLICY = {"connectionPool": {"http": {"http1MaxPendingRequests": 10}}, "unknown": [1]}


def rule(host="web", name="web", namespace="shop", created="2024-01-01T00:00:00Z", **spec):
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "DestinationRule",
        "metadata": {"name": name, "namespace": namespace, "creationTimestamp": created, "uid": "1"},
        "spec": {"host": host, "trafficPolicy": POLICY, **spec},
    }


def test_the_traffic_policy_is_cloned_for_the_canary_host():
    clone = canary_destination_rule([rule("api"), rule(subsets=[{"name": "v1"}], workloadSelector={"a": 1})], TARGET)
    assert clone == {
        "apiVersion": "networking.istio.io/v1",
        "kind": "DestinationRule",
        "metadata": {"name": "web-canary", "namespace": "shop"},
        "spec": {"host": "web-canary", "trafficPolicy": POLICY, "workloadSelector": {"a": 1}},
    }


@pytest.mark.parametrize(
    "given",
    [
        pytest.param([], id="no rule"),
        pytest.param([rule("api")], id="another host"),
        pytest.param([rule(namespace="edge")], id="a short name of another namespace"),
        pytest.param([rule(trafficPolicy={})], id="no policy"),
        pytest.param([rule("*.shop.svc.cluster.local")], id="a wildcard, which covers the canary already"),
    ],
)
def test_where_no_rule_is_for_stable_alone_none_is_made(given):
    assert canary_destination_rule(given, TARGET) is None


def test_a_rule_from_elsewhere_stays_as_visible_as_it_was():
    clone = canary_destination_rule(
        [rule("web.shop.svc.cluster.local", namespace="edge", exportTo=[".", "pos"])], TARGET
    )
    assert clone is not None
    assert clone["metadata"]["namespace"] == "shop"
    assert clone["spec"]["host"] == "web-canary.shop.svc.cluster.local"
    assert clone["spec"]["exportTo"] == ["edge", "pos"]


def test_the_rule_beside_the_service_wins_and_then_the_oldest():
    elsewhere = rule("web.shop.svc.cluster.local", namespace="a", created="2020", trafficPolicy={"from": "elsewhere"})
    younger = rule(created="2023", trafficPolicy={"from": "younger"})
    older = rule(name="x", created="2022", trafficPolicy={"from": "older"})
    clone = canary_destination_rule([elsewhere, younger, older], TARGET)
    assert clone is not None
    assert clone["spec"]["trafficPolicy"] == {"from": "older"}


def test_where_routes_name_a_subset_its_policy_is_laid_over_the_hosts():
    ports = [{"port": {"number": 80}, "tls": {"mode": "SIMPLE"}, "loadBalancer": {"simple": "RANDOM"}}]
    own = {"loadBalancer": {"simple": "LEAST_REQUEST"}}
    target = Target(namespace="shop", stable="web", canary="web-canary", stable_subsets=("v1",))
    given = rule(subsets=[{"name": "v1", "trafficPolicy": own}], trafficPolicy={**POLICY, "portLevelSettings": ports})
    clone = canary_destination_rule([given], target)
    assert clone is not None
    assert clone["spec"]["trafficPolicy"] == {
        **POLICY,
        **own,
        "portLevelSettings": [{"port": {"number": 80}, "tls": {"mode": "SIMPLE"}}],
    }

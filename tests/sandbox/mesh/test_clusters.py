import pytest

from canary_analyzer.sandbox.mesh.translate import translate
from canary_analyzer.sandbox.mesh.world import World

APP = "outbound|80||app.default.svc.cluster.local"
V2 = "outbound|80|v2|app.default.svc.cluster.local"


@pytest.fixture
def world(make):
    def build(*rules, ready=(("198.18.0.1", 8080, "a"), ("198.18.0.2", 8080, "b"))):
        return World(
            services=[make.service("app")],
            endpoints=[make.endpoints("app", *ready)],
            pods=[make.pod("a", "app", version="v1"), make.pod("b", "app-canary", version="v2")],
            destination_rules=rules,
        )

    return build


def hosts(assignment):
    return [
        each["endpoint"]["address"]["socket_address"]["address"] for each in assignment["endpoints"][0]["lb_endpoints"]
    ]


def test_a_service_is_a_cluster_with_all_its_ready_addresses(world):
    assert hosts(translate(world()).endpoints[APP]) == ["127.1.0.1", "127.1.0.2"]


def test_a_subset_holds_only_the_pods_with_its_labels(make, world):
    rule = make.destination_rule("app", "app", subsets=[{"name": "v2", "labels": {"version": "v2"}}])
    assert hosts(translate(world(rule)).endpoints[V2]) == ["127.1.0.2"]


def test_hosts_of_one_cluster_carry_the_workload_of_their_own_pod(world):
    entries = translate(world()).endpoints[APP]["endpoints"][0]["lb_endpoints"]
    assert [each["metadata"]["filter_metadata"]["istio"]["workload"] for each in entries] == ["app", "app-canary"]


def test_an_address_waits_until_its_pod_is_known(world):
    assert hosts(translate(world(ready=[("127.1.0.9", 8080, "unheard-of")])).endpoints[APP]) == []


def test_a_service_without_endpoints_has_an_empty_cluster(world):
    snapshot = translate(world(ready=()))
    assert APP in snapshot.clusters
    assert hosts(snapshot.endpoints[APP]) == []


def test_an_external_name_is_no_cluster(make):
    assert not translate(World(services=[make.service("app", type="ExternalName")])).clusters


def test_nothing_is_limited_or_ejected_unless_a_rule_asks(world):
    cluster = translate(world()).clusters[APP]
    assert set(cluster["circuit_breakers"]["thresholds"][0].values()) == {4294967295}
    assert "outlier_detection" not in cluster


@pytest.mark.parametrize(
    ("policy", "path", "value"),
    [
        ({"outlierDetection": {"consecutive5xxErrors": 3}}, ("outlier_detection", "consecutive_5xx"), 3),
        ({"outlierDetection": {"baseEjectionTime": "2m"}}, ("outlier_detection", "base_ejection_time"), "120s"),
        ({"connectionPool": {"tcp": {"connectTimeout": "250ms"}}}, ("connect_timeout",), "0.25s"),
        ({"loadBalancer": {"simple": "RANDOM"}}, ("lb_policy",), "RANDOM"),
        ({}, ("lb_policy",), "LEAST_REQUEST"),
    ],
    ids=["outlier", "ejection-time", "connect-timeout", "random", "default-balancer"],
)
def test_a_traffic_policy_reaches_the_cluster(make, world, policy, path, value):
    found = translate(world(make.destination_rule("app", "app", trafficPolicy=policy))).clusters[APP]
    for step in path:
        found = found[step]
    assert found == value


def test_a_ports_own_settings_replace_those_of_the_host(make, world):
    policy = {
        "loadBalancer": {"simple": "RANDOM"},
        "portLevelSettings": [{"port": {"number": 80}, "connectionPool": {"http": {"maxRetries": 7}}}],
    }
    cluster = translate(world(make.destination_rule("app", "app", trafficPolicy=policy))).clusters[APP]
    assert cluster["lb_policy"] == "LEAST_REQUEST"
    assert cluster["circuit_breakers"]["thresholds"][0]["max_retries"] == 7


def test_a_subsets_policy_goes_over_that_of_its_host(make, world):
    subset = {"name": "v2", "labels": {"version": "v2"}, "trafficPolicy": {"loadBalancer": {"simple": "RANDOM"}}}
    rule = make.destination_rule(
        "app", "app", trafficPolicy={"loadBalancer": {"simple": "ROUND_ROBIN"}}, subsets=[subset]
    )
    clusters = translate(world(rule)).clusters
    assert (clusters[APP]["lb_policy"], clusters[V2]["lb_policy"]) == ("ROUND_ROBIN", "RANDOM")

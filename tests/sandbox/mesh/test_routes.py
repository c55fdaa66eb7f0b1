import pytest

from canary_analyzer.sandbox.mesh.matches import matches
from canary_analyzer.sandbox.mesh.mirror import policy
from canary_analyzer.sandbox.mesh.routes import DEFAULT_RETRY_ON, Router, envoy_routes

APP = "outbound|80||app.default.svc.cluster.local"
CANARY = "outbound|80||app-canary.default.svc.cluster.local"


@pytest.fixture
def route():
    """The one Envoy route of an http route."""

    def translate(**http):
        http.setdefault("route", [{"destination": {"host": "app"}}])
        (found,) = envoy_routes(http, "mesh", Router(namespace="default", services={}))
        return found

    return translate


@pytest.mark.parametrize(
    ("condition", "envoy"),
    [
        ({"uri": {"exact": "/a"}}, {"path": "/a"}),
        ({"uri": {"prefix": "/a"}}, {"prefix": "/a"}),
        ({"uri": {"regex": "/a.*"}}, {"safe_regex": {"regex": "/a.*"}}),
        ({"uri": {"prefix": "/a"}, "ignoreUriCase": True}, {"prefix": "/a", "case_sensitive": False}),
        (
            {"method": {"exact": "GET"}},
            {"prefix": "/", "headers": [{"name": ":method", "string_match": {"exact": "GET"}}]},
        ),
        (
            {"headers": {"x-user": {"prefix": "qa-"}}},
            {"prefix": "/", "headers": [{"name": "x-user", "string_match": {"prefix": "qa-"}}]},
        ),
        ({"headers": {"x-user": {}}}, {"prefix": "/", "headers": [{"name": "x-user", "present_match": True}]}),
        (
            {"withoutHeaders": {"x-user": {}}},
            {"prefix": "/", "headers": [{"name": "x-user", "present_match": True, "invert_match": True}]},
        ),
        (
            {"queryParams": {"v": {"exact": "2"}}},
            {"prefix": "/", "query_parameters": [{"name": "v", "string_match": {"exact": "2"}}]},
        ),
    ],
    ids=["exact", "prefix", "regex", "ignore-case", "method", "header", "presence", "absence", "query"],
)
def test_conditions(condition, envoy):
    assert matches({"match": [condition]}, "mesh") == [envoy]


@pytest.mark.parametrize(
    "condition",
    [{"gateways": ["edge"]}, {"sourceLabels": {"app": "web"}}, {"sourceNamespace": "shop"}],
    ids=["gateway", "source-labels", "source-namespace"],
)
def test_a_condition_that_no_request_here_can_fulfil_is_left_out(condition):
    assert matches({"match": [condition]}, "mesh") == []


def test_every_alternative_condition_is_a_route_of_its_own(route):
    http = {"match": [{"uri": {"exact": "/a"}}, {"uri": {"exact": "/b"}}], "route": [{"destination": {"host": "app"}}]}
    found = envoy_routes(http, "mesh", Router(namespace="default", services={}))
    assert [each["match"]["path"] for each in found] == ["/a", "/b"]


def test_a_single_destination_needs_no_weight(route):
    assert route()["route"]["cluster"] == APP


def test_a_destination_of_weight_zero_stays_in_the_route(make, route):
    weighted = route(route=[make.to("app", 100), make.to("app-canary", 0)])["route"]["weighted_clusters"]
    assert weighted == {"clusters": [{"name": APP, "weight": 100}, {"name": CANARY, "weight": 0}]}


def test_a_subset_and_a_port_choose_the_cluster(route):
    destination = {"host": "app", "subset": "v2", "port": {"number": 8080}}
    assert route(route=[{"destination": destination}])["route"]["cluster"] == (
        "outbound|8080|v2|app.default.svc.cluster.local"
    )


def test_retries_are_istios_default_unless_the_route_has_its_own(route):
    policy = route()["route"]["retry_policy"]
    assert (policy["num_retries"], policy["retry_on"]) == (2, DEFAULT_RETRY_ON)


@pytest.mark.parametrize(
    ("retries", "expected"),
    [
        ({"attempts": 4}, {"num_retries": 4, "retry_on": DEFAULT_RETRY_ON}),
        ({"attempts": 1, "retryOn": "5xx"}, {"num_retries": 1, "retry_on": "5xx"}),
        (
            {"attempts": 1, "retryOn": "reset,503"},
            {"retry_on": "reset,retriable-status-codes", "retriable_status_codes": [503]},
        ),
        ({"attempts": 1, "perTryTimeout": "250ms"}, {"per_try_timeout": "0.25s"}),
    ],
    ids=["attempts", "condition", "status-code", "per-try-timeout"],
)
def test_retries_of_the_route(route, retries, expected):
    assert expected.items() <= route(retries=retries)["route"]["retry_policy"].items()


def test_zero_attempts_are_no_retries(route):
    assert "retry_policy" not in route(retries={"attempts": 0})["route"]


@pytest.mark.parametrize(
    ("http", "expected"),
    [
        ({}, {"timeout": "0s"}),
        ({"timeout": "1500ms"}, {"timeout": "1.5s"}),
        ({"rewrite": {"uri": "/b"}}, {"prefix_rewrite": "/b"}),
        ({"rewrite": {"authority": "inner"}}, {"host_rewrite_literal": "inner"}),
        (
            {"rewrite": {"uri": "/b"}, "match": [{"uri": {"regex": "/a.*"}}]},
            {"regex_rewrite": {"pattern": {"regex": "/a.*"}, "substitution": "/b"}},
        ),
        (
            {"mirror": {"host": "app-canary"}, "mirrorPercentage": {"value": 12.5}},
            {
                "request_mirror_policies": [
                    policy(CANARY, {"numerator": 125000, "denominator": "MILLION"}),
                ]
            },
        ),
    ],
    ids=["no-timeout", "timeout", "rewrite", "authority", "regex-rewrite", "mirror"],
)
def test_forwarding(route, http, expected):
    assert expected.items() <= route(**http)["route"].items()


def test_a_redirect_goes_before_any_destination(route):
    found = route(redirect={"uri": "/new", "redirectCode": 308})
    assert found["redirect"] == {"path_redirect": "/new", "response_code": "PERMANENT_REDIRECT"}
    assert "route" not in found


def test_a_direct_response(route):
    found = route(directResponse={"status": 503, "body": {"string": "closed"}})
    assert found["direct_response"] == {"status": 503, "body": {"inline_string": "closed"}}


def test_a_fault(route):
    fault = {"abort": {"httpStatus": 503, "percentage": {"value": 10}}, "delay": {"fixedDelay": "2s"}}
    config = route(fault=fault)["typed_per_filter_config"]["envoy.filters.http.fault"]
    assert config["abort"] == {"http_status": 503, "percentage": {"numerator": 100000, "denominator": "MILLION"}}
    assert config["delay"]["fixed_delay"] == "2s"


def test_header_operations_of_the_route_and_of_a_destination(make, route):
    operations = {"request": {"set": {"x-a": "1"}, "add": {"x-b": "2"}, "remove": ["x-c"]}}
    found = route(route=[make.to("app", headers={"response": {"remove": ["server"]}})], headers=operations)
    actions = [(each["header"]["key"], each["append_action"]) for each in found["request_headers_to_add"]]
    assert actions == [("x-a", "OVERWRITE_IF_EXISTS_OR_ADD"), ("x-b", "APPEND_IF_EXISTS_OR_ADD")]
    assert found["request_headers_to_remove"] == ["x-c"]
    (entry,) = found["route"]["weighted_clusters"]["clusters"]
    assert entry == {"name": APP, "weight": 100, "response_headers_to_remove": ["server"]}

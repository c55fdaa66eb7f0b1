import pytest

from canary_analyzer.sandbox.mesh.virtualhosts import ingress_hosts
from canary_analyzer.sandbox.mesh.world import World

SHORT_NAMES = {"app", "app.default", "app.default.svc", "app.default.svc.cluster.local"}


def targets(world):
    """The cluster host of every domain's first route."""
    return {
        each["domains"][0]: each["routes"][0]["route"]["cluster"].rpartition("|")[2].partition(".")[0]
        for each in ingress_hosts(world)
    }


@pytest.mark.parametrize(
    ("claimed", "exposed", "domains"),
    [
        (["*"], ["*"], {"*"}),
        (["a.example.com"], ["*"], {"a.example.com"}),
        (["*"], ["a.example.com"], {"a.example.com"}),
        (["*.example.com"], ["a.example.com"], {"a.example.com"}),
        (["a.example.com"], ["*.example.com"], {"a.example.com"}),
        (["a.example.com"], ["default/a.example.com"], {"a.example.com"}),
        (["a.example.com"], ["other/*"], set()),
        (["a.example.com"], ["b.example.com"], set()),
    ],
    ids=["all", "one", "by-gateway", "wide-claim", "wide-gateway", "namespace", "other-namespace", "disjoint"],
)
def test_a_gateway_and_a_virtual_service_must_agree_on_the_host(make, claimed, exposed, domains):
    rule = make.virtual_service("app", {"route": [make.to("app")]}, hosts=claimed, gateways=["edge"])
    found = ingress_hosts(World(virtual_services=[rule], gateways=[make.gateway("edge", *exposed)]))
    assert {each["domains"][0] for each in found} == domains


def test_a_gateway_that_does_not_exist_lets_nothing_in(make):
    rule = make.virtual_service("app", {"route": [make.to("app")]}, hosts=["*"], gateways=["edge"])
    assert ingress_hosts(World(virtual_services=[rule])) == []


def test_a_service_is_reached_by_all_its_names(make):
    assert targets(World(services=[make.service("app")])) == dict.fromkeys(SHORT_NAMES, "app")


def test_a_virtual_service_of_the_mesh_governs_all_names_of_its_host(make):
    rule = make.virtual_service("app", {"route": [make.to("app-canary")]}, hosts=["app"])
    world = World(services=[make.service("app")], virtual_services=[rule])
    assert targets(world) == dict.fromkeys(SHORT_NAMES, "app-canary")


def test_no_service_name_leads_past_the_virtual_service_of_a_gateway(make):
    rule = make.virtual_service("app", {"route": [make.to("app")]}, hosts=["*"], gateways=["edge"])
    world = World(services=[make.service("app")], virtual_services=[rule], gateways=[make.gateway("edge", "*")])
    assert set(targets(world)) == {"*"}


def test_virtual_services_of_one_gateway_host_are_joined_with_the_unconditional_route_last(make):
    open_ = make.virtual_service("a", {"route": [make.to("a")]}, hosts=["*"], gateways=["edge"])
    beta = {"match": [{"uri": {"prefix": "/beta"}}], "route": [make.to("b")]}
    narrow = make.virtual_service("b", beta, hosts=["*"], gateways=["edge"])
    (host,) = ingress_hosts(World(virtual_services=[open_, narrow], gateways=[make.gateway("edge", "*")]))
    assert [each["match"]["prefix"] for each in host["routes"]] == ["/beta", "/"]


def test_of_several_virtual_services_on_one_host_of_the_mesh_the_oldest_wins(make):
    young = make.virtual_service("young", {"route": [make.to("young")]}, hosts=["app"])
    old = make.virtual_service("old", {"route": [make.to("old")]}, hosts=["app"])
    young["metadata"]["creationTimestamp"] = "2024-01-02T00:00:00Z"
    old["metadata"]["creationTimestamp"] = "2024-01-01T00:00:00Z"
    assert set(targets(World(virtual_services=[young, old])).values()) == {"old"}

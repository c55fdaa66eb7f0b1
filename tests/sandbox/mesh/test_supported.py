import pytest

from canary_analyzer.sandbox.mesh.supported import problems
from canary_analyzer.sandbox.mesh.world import World


@pytest.mark.parametrize(
    ("http", "path"),
    [
        ({"corsPolicy": {}}, "spec.http[0].corsPolicy"),
        ({"retries": {"attempts": 1, "retryRemoteLocalities": True}}, "spec.http[0].retries.retryRemoteLocalities"),
        ({"match": [{"uri": {"exact": "/"}}, {"port": 80}]}, "spec.http[0].match[1].port"),
    ],
    ids=["route", "inside", "in-a-list"],
)
def test_a_field_without_effect_is_reported_with_its_path(make, http, path):
    rule = make.virtual_service("app", http, hosts=["*"])
    assert problems(World(virtual_services=[rule])) == (
        f"VirtualService default/app: {path}: has no effect in the sandbox",
    )


def test_a_document_that_is_understood_is_no_problem(make):
    everything = {
        "match": [{"headers": {"cookie": {"regex": ".*a=b.*"}}}],
        "route": [make.to("app", 0, headers={"response": {"set": {"x": "1"}}})],
        "mirrors": [{"destination": {"host": "app-canary"}, "percentage": {"value": 5}}],
    }
    rule = make.destination_rule("app", "app", subsets=[{"name": "v1", "labels": {"version": "v1"}}])
    world = World(virtual_services=[make.virtual_service("app", everything, hosts=["*"])], destination_rules=[rule])
    assert problems(world) == ()


def test_balancing_by_hash_is_reported(make):
    rule = make.destination_rule("app", "app", trafficPolicy={"loadBalancer": {"consistentHash": {}}})
    assert "trafficPolicy.loadBalancer.consistentHash" in problems(World(destination_rules=[rule]))[0]

"""Strategies, steps and baselines through a real Envoy, judged from a real Prometheus."""

import pytest

from canary_analyzer.cluster.client import DEPLOYMENTS, SERVICES

pytestmark = pytest.mark.e2e

BLUE_GREEN = "{blue_green: {analysis_seconds: 20, requests: 200, keep_seconds: 4}}"
TESTERS_FIRST = (
    '{steps: [{match: {headers: {x-tester: "yes"}}, seconds: 3}, {mirror: 50, seconds: 3}, '
    "{weight: 50, seconds: 15, requests: 200}]}"
)
FRESH = "{baseline: fresh, steps: [{weight: 30, seconds: 20, requests: 200}]}"
WAYS = {
    "blue-green": ({"strategy": "blue-green", "config": BLUE_GREEN}, [10, 90]),
    "testers and mirrored requests first": ({"config": TESTERS_FIRST}, [50, 50]),
    "a fresh baseline": ({"config": FRESH}, [40, 30, 30]),
}


@pytest.mark.parametrize(("wish", "weights"), WAYS.values(), ids=WAYS)
def test_a_good_version_is_promoted_and_loses_no_request(user, service, wish, weights):
    route, lost, seen = user.route(), user.load()["lost"], []

    def over():
        seen.append(sorted(user.weights()))
        return user.status()["phase"] in ("Succeeded", "Aborted")

    user.canary("flask-app:v2", **wish)
    user.eventually(over, "the end of the run")
    ended = user.ended()
    assert ended["phase"] == "Succeeded", ended
    assert sorted(weights) in seen
    assert (user.route(), user.image()) == (route, "flask-app:v2")
    assert user.load()["lost"] == lost
    for kind in (DEPLOYMENTS, SERVICES):
        assert user.cluster.find(kind, "default", "flask-app-baseline") is None


@pytest.mark.parametrize(
    "wish",
    [
        {"strategy": "blue-green", "config": "{blue_green: {analysis_seconds: 100}}"},
        {"config": "{baseline: fresh, steps: [{weight: 30, seconds: 100}]}"},
    ],
    ids=["blue-green", "a fresh baseline"],
)
def test_a_bad_version_is_aborted_and_the_user_s_objects_are_as_they_were(user, service, wish):
    route, template, lost = user.route(), user.deployment()["spec"]["template"], user.load()["lost"]
    user.canary("flask-app:v2-errors", **wish)
    ended = user.ended()
    assert (ended["phase"], "errors" in ended["reason"]) == ("Aborted", True), ended
    assert (user.route(), user.deployment()["spec"]["template"]) == (route, template)
    assert user.load()["lost"] == lost

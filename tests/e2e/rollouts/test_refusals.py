"""Requests that must not start: a Warning Event, a status with the reason, and nothing changed."""

from copy import deepcopy

import pytest

from canary_analyzer.cluster.client import DEPLOYMENTS, VIRTUAL_SERVICES

pytestmark = pytest.mark.e2e


def refused(user, says, **annotated):
    """Annotate, and check all that a refusal promises."""
    route, template = user.route(), user.deployment()["spec"]["template"]
    user.annotate(status=None)
    user.annotate(**{"image": "flask-app:v2", **annotated})
    user.eventually(user.phase("Refused"), "the phase Refused")
    assert says in user.status()["reason"]
    assert any(says in message for message in user.warnings())
    assert (user.route(), user.deployment()["spec"]["template"]) == (route, template)
    assert user.cluster.find(DEPLOYMENTS, "default", "flask-app-canary") is None
    user.annotate(**dict.fromkeys(annotated))


@pytest.fixture
def edited(user):
    """Merge something into the Deployment or the VirtualService, and take it back after the test."""
    undo = []

    def merge(kind, patch, back):
        user.cluster.merge(kind, "default", "flask-app", patch)
        undo.append((kind, back))

    yield merge
    for kind, back in undo:
        user.cluster.merge(kind, "default", "flask-app", back)
    user.eventually(user._rolled_out, "the old state")


MISTAKES = {
    "the image already runs": ({"image": "flask-app:v1"}, "already runs flask-app:v1"),
    "no such container": ({"image": "web=flask-app:v2"}, "no container 'web'"),
    "unknown field": ({"config": "{tick: 1}"}, "tick = 1: there is no such field"),
    "unknown profile": ({"profile": "fast"}, "no such profile"),
}


@pytest.mark.parametrize(("annotated", "says"), MISTAKES.values(), ids=MISTAKES)
def test_it_is_refused_for_a_mistake_in_the_annotations(user, service, annotated, says):
    refused(user, says, **annotated)


def test_all_mistakes_are_told_at_once(user, service):
    refused(user, "there is no such field", image="web=x:1", config="{tick: 1}", profile="quick")
    assert "no container 'web'" in user.status()["reason"]


def test_it_is_refused_without_replicas(user, service, edited):
    edited(DEPLOYMENTS, {"spec": {"replicas": 0}}, {"spec": {"replicas": 3}})
    refused(user, "0 replicas")


def test_it_is_refused_with_strategy_recreate(user, service, edited):
    strategy = deepcopy(user.deployment()["spec"].get("strategy", {}))
    edited(
        DEPLOYMENTS,
        {"spec": {"strategy": {"type": "Recreate", "rollingUpdate": None}}},
        {"spec": {"strategy": strategy}},
    )
    user.eventually(user._rolled_out, "the controller to see it")
    refused(user, "strategy Recreate")


def test_it_is_refused_while_stable_is_not_rolled_out(user, service, edited):
    edited(DEPLOYMENTS, {"spec": {"replicas": 4}}, {"spec": {"replicas": 3}})
    refused(user, "not fully rolled out")


ROUTES = {
    "no route": ([{"route": [{"destination": {"host": "elsewhere"}}]}], "flask-app"),
    "fault": (
        [
            {
                "fault": {"abort": {"httpStatus": 500, "percentage": {"value": 1}}},
                "route": [{"destination": {"host": "flask-app"}}],
            }
        ],
        "fault",
    ),
}


@pytest.mark.parametrize(("http", "says"), ROUTES.values(), ids=ROUTES)
def test_it_is_refused_for_a_route_that_cannot_be_shifted(user, service, edited, http, says):
    old = user.cluster.get(VIRTUAL_SERVICES, "default", "flask-app")["spec"]["http"]
    edited(VIRTUAL_SERVICES, {"spec": {"http": http}}, {"spec": {"http": old}})
    refused(user, says)

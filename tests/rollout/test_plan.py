from copy import deepcopy

import pytest

from canary_analyzer.rollout.annotations import CONFIG, IMAGE, STRATEGY
from canary_analyzer.rollout.plan import Offers, Refused, Surroundings, plan
from canary_analyzer.rollout.policy import PROFILES
from canary_analyzer.rollout.strategy import Strategy

DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "app", "namespace": "default", "uid": "u-1", "annotations": {IMAGE: "app:v2"}},
    "spec": {
        "replicas": 3,
        "selector": {"matchLabels": {"app": "app"}},
        "template": {
            "metadata": {"labels": {"app": "app"}},
            "spec": {"containers": [{"name": "app", "image": "app:v1"}]},
        },
    },
}
SERVICE = {
    "metadata": {"name": "app", "namespace": "default"},
    "spec": {"selector": {"app": "app"}, "ports": [{"port": 80}]},
}


OFFERS = Offers(profiles=PROFILES, webhooks=frozenset({"load-test"}))


def named(name):
    return DEPLOYMENT | {"metadata": {"name": name, "namespace": "default"}}


def virtual_service(name="app", **http):
    route = {"route": [{"destination": {"host": "app"}}], **http}
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"hosts": ["app"], "http": [route]},
    }


@pytest.fixture
def around(make):
    def build(**fields):
        whole = {
            "workload": make.workload(),
            "services": [SERVICE],
            "routes": [virtual_service()],
            "destination_rules": [],
            "neighbours": [],
            "deployments": [DEPLOYMENT],
            **fields,
        }
        return Surroundings(**whole)

    return build


def changed(path, value):
    deployment = deepcopy(DEPLOYMENT)
    *parents, last = path
    at = deployment
    for key in parents:
        at = at.setdefault(key, {})
    at[last] = value
    return deployment


def test_a_plain_deployment_gets_a_run_with_a_sibling_beside_it(around):
    run = plan(DEPLOYMENT, around(), OFFERS, number=4, now=12.0)
    assert (run.name, run.canary, run.canary_service, run.service) == ("app-4", "app-canary", "app-canary", "app")
    assert [str(route) for route in run.routes] == ["VirtualService default/app"]
    assert (run.images, run.stable_images) == ({"app": "app:v2"}, {"app": "app:v1"})
    assert run.label[0] == "app"
    assert run.started == 12.0


def test_it_is_refused_when_stable_has_no_replicas(around, make):
    refused(around(workload=make.workload(replicas=0)), "0 replicas")


def test_it_is_refused_when_stable_is_not_rolled_out(around, make):
    refused(around(workload=make.workload(available=2)), "not fully rolled out (3 updated, 2 available, 3 wanted)")


AT_ONCE = {"rollingUpdate": {"maxUnavailable": "100%"}}
REFUSALS = {
    "strategy Recreate": (changed(["spec", "strategy"], {"type": "Recreate"}), {}, "strategy Recreate"),
    "paused": (changed(["spec", "paused"], True), {}, "kubectl rollout resume deployment/app"),
    "all pods go at once": (changed(["spec", "strategy"], AT_ONCE), {}, "maxUnavailable 3 of 3 replicas"),
    "image already runs": (changed(["metadata", "annotations", IMAGE], "app:v1"), {}, "already runs app:v1"),
    "annotation does not parse": (changed(["metadata", "annotations", CONFIG], "x: 1"), {}, "x: there is no such"),
    "no Service": (DEPLOYMENT, {"services": []}, "no Service selects the pods of app"),
    "no VirtualService": (DEPLOYMENT, {"routes": []}, "app"),
    "several on one mesh host": (
        DEPLOYMENT,
        {"routes": [virtual_service("one"), virtual_service("two")]},
        "two",
    ),
    "fault": (DEPLOYMENT, {"routes": [virtual_service(fault={"abort": {"httpStatus": 500}})]}, "fault"),
    "name taken by a Deployment": (
        DEPLOYMENT,
        {"deployments": [DEPLOYMENT, named("app-canary")]},
        "Deployment app-canary exists",
    ),
    "name taken by a Service": (
        DEPLOYMENT,
        {"services": [SERVICE, {"metadata": {"name": "app-canary", "namespace": "default"}, "spec": {}}]},
        "Service app-canary exists",
    ),
    "name taken by a DestinationRule": (
        DEPLOYMENT,
        {"destination_rules": [{"metadata": {"name": "app-canary", "namespace": "default"}, "spec": {}}]},
        "DestinationRule app-canary exists",
    ),
}


@pytest.mark.parametrize(("deployment", "fields", "says"), REFUSALS.values(), ids=REFUSALS)
def test_it_is_refused_for(around, deployment, fields, says):
    refused(around(**fields), says, deployment)


def test_every_objection_is_told_at_once(around, make):
    deployment = changed(["spec", "strategy"], {"type": "Recreate"})
    deployment["metadata"]["annotations"][IMAGE] = "web=app:v2"
    with pytest.raises(Refused) as error:
        plan(deployment, around(workload=make.workload(replicas=0), routes=[]), OFFERS, 1, 0.0)
    assert len(error.value.reasons) == 4


def test_blue_that_loses_all_pods_at_once_has_no_requests_then(around):
    asked = changed(["spec", "strategy"], AT_ONCE)
    asked["metadata"]["annotations"][STRATEGY] = "blue-green"
    assert plan(asked, around(), OFFERS, number=1, now=0.0).strategy is Strategy.BLUE_GREEN


def refused(around, says, deployment=DEPLOYMENT):
    with pytest.raises(Refused) as error:
        plan(deployment, around, OFFERS, number=1, now=0.0)
    assert len(error.value.reasons) == 1
    assert says in error.value.reasons[0]

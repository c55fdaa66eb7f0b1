from dataclasses import replace

import pytest

from canary_analyzer.routing import GATEWAY_API, Match, Sticky, Target, Traffic, Unroutable

TARGET = Target(namespace="shop", stable="web", canary="web-canary")
TESTERS = Traffic(match=Match(headers={"x-tester": "yes"}))


def to(name="web", weight=None, **fields):
    return {"name": name, "port": 80, **fields} | ({} if weight is None else {"weight": weight})


def route(*rules, namespace="shop"):
    return {"kind": "HTTPRoute", "metadata": {"name": "web", "namespace": namespace}, "spec": {"rules": list(rules)}}


def rule(*backends, **fields):
    return {"backendRefs": list(backends), **fields}


def rules(document, traffic):
    return GATEWAY_API.with_traffic(document, TARGET, traffic)["spec"]["rules"]


def weights(document, traffic):
    return [(each["name"], each.get("weight")) for each in rules(document, traffic)[0]["backendRefs"]]


def problems(*documents, wanted=()):
    with pytest.raises(Unroutable) as caught:
        GATEWAY_API.select(documents, TARGET, wanted)
    return [problem.path for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("backends", "weight", "expected"),
    [
        pytest.param([to()], 10, [("web", 90), ("web-canary", 10)], id="no weight is 1"),
        pytest.param([to(weight=7)], 10, [("web", 90), ("web-canary", 10)], id="a lone weight is all"),
        pytest.param(
            [to(), to("api")], 50, [("web", 25), ("api", 50), ("web-canary", 25)], id="two of 1 each are halves"
        ),
        pytest.param([to(weight=80), to("api", 20)], 25, [("web", 60), ("api", 20), ("web-canary", 20)], id="percent"),
        pytest.param(
            [to(weight=2), to("api", 1)],
            10,
            [("web", 180), ("api", 100), ("web-canary", 20)],
            id="thirds are kept exactly",
        ),
        pytest.param(
            [to(weight=995), to("api", 5)], 0, [("web", 19900), ("api", 100), ("web-canary", 0)], id="and crumbs"
        ),
        pytest.param([to(), to("api", 0)], 10, [("web", 90), ("api", 0), ("web-canary", 10)], id="0 stays 0"),
    ],
)
def test_weights_are_relative_and_foreign_backends_keep_their_share(backends, weight, expected):
    assert weights(route(rule(*backends)), Traffic(weight=weight)) == expected


def test_weights_do_not_grow_however_often_they_move():
    document = route(rule(to(weight=2), to("api", 1)))
    for weight in (10, 50, 90, 10):
        document = GATEWAY_API.with_traffic(document, TARGET, Traffic(weight=weight))
    assert weights(document, Traffic(weight=10)) == [("web", 180), ("api", 100), ("web-canary", 20)]


def test_the_canary_backend_is_a_copy_of_the_stable_one():
    backend = to(kind="Service", group="", filters=[{"type": "RequestHeaderModifier"}])
    assert rules(route(rule(backend)), Traffic(weight=10))[0]["backendRefs"][1] == {
        **backend,
        "name": "web-canary",
        "weight": 10,
    }


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(to(namespace="edge"), id="another namespace"),
        pytest.param(to(kind="ServiceImport", group="multicluster.x-k8s.io"), id="the Service of all clusters"),
        pytest.param(to(kind="InferencePool", group="inference.networking.k8s.io"), id="another kind"),
        pytest.param("?", id="malformed"),
    ],
)
def test_other_backends_are_left_alone(other):
    document = route(rule(other), rule(filters=[{"type": "RequestRedirect"}]), "?")
    assert GATEWAY_API.with_traffic(document, TARGET, Traffic(weight=10)) == document
    assert problems(document) == [""]


def test_mirrors_of_the_users_stay_beside_ours():
    own = {"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "shadow", "port": 80}}}
    (written,) = rules(route(rule(to(), filters=[own])), Traffic(mirror=20))
    ours = {"type": "RequestMirror", "requestMirror": {"backendRef": to("web-canary"), "percent": 20}}
    assert written["filters"] == [own, ours]


def test_testers_have_a_rule_with_one_condition_more():
    document = route(rule(to(), matches=[{"path": {"type": "PathPrefix", "value": "/a"}}]), rule(to("api")))
    first, other, added = rules(document, TESTERS)
    assert added["matches"] == [
        {**first["matches"][0], "headers": [{"type": "Exact", "name": "x-tester", "value": "yes"}]}
    ]
    assert added["backendRefs"] == [to("web-canary", 100)]
    assert other == rule(to("api"))


def test_a_rule_for_testers_of_a_canary_that_the_user_brought_is_left_to_him():
    document = route(rule(to(weight=100), to("web-canary", 0)))
    brought = replace(TARGET, brought=True)
    with pytest.raises(Unroutable, match="could not be told from one of your own"):
        GATEWAY_API.select([document], brought, [Traffic(match=Match(headers={"x-tester": "yes"}))])


def test_a_rule_for_stable_by_header_is_the_users():
    document = route(rule(to(), matches=[{"headers": [{"name": "a", "value": "b"}]}]))
    written = GATEWAY_API.with_traffic(document, TARGET, Traffic(weight=100))
    assert GATEWAY_API.restored(written, document, TARGET) == document


STUCK = Traffic(weight=50, sticky=Sticky(run="r", bounds=(50,)))


@pytest.mark.parametrize(
    ("documents", "wanted", "paths"),
    [
        pytest.param([route(rule(to(weight=0), to("api")))], [], ["spec.rules"], id="no traffic"),
        pytest.param([route(rule(to(weight=0)))], [], ["spec.rules[0].backendRefs"], id="none at all"),
        pytest.param([route(rule(to(weight="1")))], [], ["spec.rules[0].backendRefs[0].weight"], id="not a weight"),
        pytest.param([route(rule(to(), to(port=81)))], [], ["spec.rules[0].backendRefs"], id="stable twice"),
        pytest.param([route(rule(to("api")))], [], [""], id="reaches others only"),
        pytest.param([route(rule(to(namespace="shop")), namespace="edge")], [], ["spec.rules"], id="no grant"),
        pytest.param(
            [route(rule(to()), rule(to("api"), matches=[{"headers": [{"name": "a", "value": "b"}]}]))],
            [TESTERS],
            ["spec.rules[1].matches"],
            id="an added rule could overtake another's",
        ),
        pytest.param(
            [route(rule(to(filters=[{"type": "ResponseHeaderModifier"}])))],
            [STUCK],
            ["spec.rules[0].backendRefs[0]"],
            id="headers",
        ),
        pytest.param([route(*[rule(to())] * 9)], [TESTERS], ["spec.rules"], id="more rules than the API allows"),
    ],
)
def test_what_cannot_be_edited_is_refused(documents, wanted, paths):
    assert problems(*documents, wanted=wanted) == paths


@pytest.mark.parametrize(
    "to_name", [pytest.param({}, id="all Services"), pytest.param({"name": "web-canary"}, id="by name")]
)
def test_a_grant_in_the_services_namespace_lets_a_route_of_another_one_in(to_name):
    document = route(rule(to(namespace="shop")), namespace="edge")
    grant = {
        "kind": "ReferenceGrant",
        "metadata": {"name": "g", "namespace": "shop"},
        "spec": {"from": [{"kind": "HTTPRoute", "namespace": "edge"}], "to": [{"kind": "Service", **to_name}]},
    }
    assert GATEWAY_API.select([grant, document], TARGET) == (document,)

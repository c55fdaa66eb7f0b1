import pytest

from canary_analyzer.sandbox.mesh.delegates import missing, resolved


@pytest.fixture
def delegated(make):
    """The routes of a root that hands everything below a condition to a delegate with these routes."""

    def build(root, *http, namespace="default"):
        outer = {"delegate": {"name": "inner", "namespace": namespace}, **root}
        inner = make.virtual_service("inner", *http, hosts=[])
        inner["metadata"]["namespace"] = namespace
        (document,) = resolved([make.virtual_service("root", outer, hosts=["*"]), inner])
        return document["spec"]["http"]

    return build


def below(prefix):
    return {"match": [{"uri": {"prefix": prefix}}]}


@pytest.mark.parametrize(
    ("root", "route", "expected"),
    [
        ({}, {}, None),
        (below("/a"), {}, [{"uri": {"prefix": "/a"}}]),
        (below("/a"), below("/a/b"), [{"uri": {"prefix": "/a/b"}}]),
        (
            below("/a"),
            {"match": [{"headers": {"x": {"exact": "1"}}}]},
            [{"uri": {"prefix": "/a"}, "headers": {"x": {"exact": "1"}}}],
        ),
    ],
    ids=["none", "root's", "narrower", "both"],
)
def test_a_delegates_route_lies_under_the_conditions_of_its_root(delegated, root, route, expected):
    (found,) = delegated(root, route)
    assert found.get("match") == expected


def test_a_route_outside_of_the_roots_condition_is_left_out(delegated):
    assert delegated(below("/a"), below("/b")) == []


def test_what_a_delegate_does_not_say_the_root_says(delegated, make):
    root = {"timeout": "2s", "headers": {"request": {"set": {"x": "root", "y": "root"}}}}
    route = {"route": [make.to("app")], "headers": {"request": {"set": {"x": "delegate"}}}}
    (found,) = delegated(root, route)
    assert (found["timeout"], found["route"]) == ("2s", [make.to("app")])
    assert found["headers"] == {"request": {"set": {"x": "delegate", "y": "root"}}}


def test_short_names_are_meant_in_the_delegates_namespace(delegated, make):
    (found,) = delegated({}, {"route": [make.to("app")]}, namespace="shop")
    assert found["x-namespace"] == "shop"


def test_a_delegate_that_is_missing_is_reported(make):
    root = make.virtual_service("root", {"delegate": {"name": "nobody"}}, hosts=["*"])
    assert resolved([root])[0]["spec"]["http"] == []
    assert list(missing([root])) == [
        "VirtualService default/root: spec.http[0].delegate: default/nobody is not a VirtualService without hosts"
    ]

import pytest

from canary_analyzer.routing import ISTIO, Around, Pods, Traffic, Unroutable, brought_target, sibling_target

V1 = Pods(name="reviews-v1", labels={"app": "reviews", "version": "v1"})
V2 = Pods(name="reviews-v2", labels={"app": "reviews", "version": "v2"})


def service(name="reviews", **selector):
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"selector": selector},
    }


def rule(host="reviews", **subsets):
    listed = [{"name": name, "labels": {"version": version}} for name, version in subsets.items()]
    return {
        "kind": "DestinationRule",
        "metadata": {"name": host, "namespace": "shop"},
        "spec": {"host": host, "subsets": listed},
    }


def to(host="reviews", subset=None, weight=None):
    destination = {"host": host} | ({} if subset is None else {"subset": subset})
    return {"destination": destination} | ({} if weight is None else {"weight": weight})


def routes(*items, name="reviews"):
    metadata = {"name": name, "namespace": "shop"}
    return {"kind": "VirtualService", "metadata": metadata, "spec": {"hosts": [name], "http": [{"route": list(items)}]}}


ALL = (service(app="reviews"),)
SUBSETS = (rule(v1="v1", v2="v2"),)


def around(*virtual_services, services=ALL, rules=SUBSETS, others=()):
    return Around(namespace="shop", services=services, destination_rules=rules, routes=virtual_services, others=others)


HOSTS = (service("one", version="v1"), service("two", version="v2"))


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        pytest.param(
            around(routes(to("one", weight=100), to("two", weight=0)), services=HOSTS),
            ("one", (None,), "two", None),
            id="two hosts",
        ),
        pytest.param(
            around(routes(to(subset="v1", weight=90), to(subset="v2", weight=10))),
            ("reviews", ("v1",), "reviews", "v2"),
            id="two subsets",
        ),
        pytest.param(
            around(routes(to(subset="v1", weight=90), to("two", weight=10)), services=(service(app="reviews"), *HOSTS)),
            ("reviews", ("v1",), "two", None),
            id="a subset and a host",
        ),
        pytest.param(
            around(
                routes(to(subset="v1", weight=90), to(subset="v2", weight=10)),
                routes(to(subset="old", weight=90), to(subset="v2", weight=10), name="other"),
                rules=(rule(v1="v1", old="v1", v2="v2"),),
            ),
            ("reviews", ("old", "v1"), "reviews", "v2"),
            id="two names for stable",
        ),
    ],
)
def test_a_canary_that_the_user_brought_is_found_by_labels(seen, expected):
    target = brought_target(V1, V2, seen)
    assert (target.stable, target.stable_subsets, target.canary, target.canary_subset) == expected
    assert target.brought


@pytest.mark.parametrize(
    ("seen", "path", "reason"),
    [
        pytest.param(
            around(routes(to())), "spec.http[0].route", "reviews-v1 and reviews-v2", id="one destination for both"
        ),
        pytest.param(
            around(routes(to(subset="v1"))), "spec.http[0].route", "nothing beside it", id="canary not routed to"
        ),
        pytest.param(around(routes(to("ratings"))), "", "no route has a destination", id="neither"),
        pytest.param(around(routes(to(subset="v1")), services=()), "", "no Service selects", id="no Service"),
        pytest.param(
            around(routes(to(subset="v1"), to(subset="v2")), rules=()), "", "no DestinationRule defines", id="no rule"
        ),
        pytest.param(
            around(
                routes(to(subset="v1", weight=1), to(subset="v2", weight=1)),
                routes(to("one", weight=1), to("two", weight=1), name="other"),
                services=(service(app="reviews"), *HOSTS),
            ),
            "",
            "several ways",
            id="two pairs",
        ),
    ],
)
def test_where_the_two_cannot_be_told_apart_by_weights_it_says_why(seen, path, reason):
    with pytest.raises(Unroutable) as caught:
        brought_target(V1, V2, seen)
    assert caught.value.problems[0].path == path
    assert reason in caught.value.problems[0].reason
    assert all(problem.remedy for problem in caught.value.problems)


def test_only_weights_move_and_only_where_both_are():
    document = routes(to(subset="v1", weight=80), to("ratings", weight=10), to(subset="v2", weight=10))
    document["spec"]["http"].insert(0, {"match": [{"port": 1}], "route": [to(subset="v2")]})
    document["spec"]["http"].append({"route": [to(subset="v1")]})
    target = brought_target(V1, V2, around(document))
    assert ISTIO.select([document], target) == (document,)
    testers, both, stable_only = ISTIO.with_traffic(document, target, Traffic(weight=50))["spec"]["http"]
    assert both["route"] == [to(subset="v1", weight=45), to("ratings", weight=10), to(subset="v2", weight=45)]
    assert (testers, stable_only) == (document["spec"]["http"][0], document["spec"]["http"][2])


@pytest.mark.parametrize("edit", [None, {"timeout": "3s"}])
def test_the_users_own_split_comes_back(edit):
    document = routes(to(subset="v1", weight=7), to(subset="v2", weight=3))
    target = brought_target(V1, V2, around(document))
    live = ISTIO.with_traffic(document, target, Traffic(weight=50))
    live["spec"]["http"][0] |= edit or {}
    document["spec"]["http"][0] |= edit or {}
    assert ISTIO.restored(live, document, target) == document


@pytest.mark.parametrize(
    ("seen", "subsets"),
    [
        pytest.param(around(routes(to(subset="v1"))), ("v1",), id="a subset"),
        pytest.param(
            around(routes(to(), to(subset="v1"))), (None, "v1"), id="the host too, where it has no other pods"
        ),
        pytest.param(around(routes(to(), to(subset="v1")), others=(V2,)), ("v1",), id="else not"),
        pytest.param(around(routes(to(subset="v1"), to(subset="v2")), others=(V2,)), ("v1",), id="another's subset"),
        pytest.param(around(routes(to())), (None,), id="no subset"),
    ],
)
def test_the_subsets_of_stable_are_those_that_select_its_pods_alone(seen, subsets):
    assert sibling_target("reviews", "reviews-canary", V1, seen).stable_subsets == subsets


def test_a_canary_of_ours_beside_a_subset_leaves_the_other_subset_its_share():
    document = routes(to(subset="v1", weight=80), to(subset="v2", weight=20))
    target = sibling_target("reviews", "reviews-canary", V1, around(document, others=(V2,)))
    (entry,) = ISTIO.with_traffic(document, target, Traffic(weight=25))["spec"]["http"]
    assert entry["route"] == [to(subset="v1", weight=60), to(subset="v2", weight=20), to("reviews-canary", weight=20)]

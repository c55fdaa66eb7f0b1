import pytest

from canary_analyzer.routing import ISTIO, Target, Traffic
from canary_analyzer.routing.shares import apportion, split

TARGET = Target(namespace="shop", stable="web", canary="web-canary")


def with_weight(document, target, weight):
    return ISTIO.with_traffic(document, target, Traffic(weight=weight))


def to(host, weight=None, **fields):
    return {"destination": {"host": host}, **fields} | ({} if weight is None else {"weight": weight})


def virtual_service(*routes, namespace="shop"):
    return {
        "kind": "VirtualService",
        "metadata": {"name": "web", "namespace": namespace},
        "spec": {"hosts": ["web"], "http": [{"route": list(route)} for route in routes]},
    }


def weights(document, index=0):
    return [(item["destination"]["host"], item.get("weight")) for item in document["spec"]["http"][index]["route"]]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param([1, 1], [50, 50], id="equal parts"),
        pytest.param([1, 1, 1], [34, 33, 33], id="the first of equals gets the odd point"),
        pytest.param([1, 1, 4], [17, 17, 66], id="largest remainders first"),
        pytest.param([999, 1], [100, 0], id="a crumb is rounded away"),
        pytest.param([37, 41, 22], [37, 41, 22], id="100 stays as it is"),
        pytest.param([0, 0], [0, 0], id="nothing stays nothing"),
    ],
)
def test_shares_are_rounded_by_largest_remainder(given, expected):
    assert apportion(given) == expected


@pytest.mark.parametrize(
    ("share", "weight", "canary"),
    [
        pytest.param(100, 37, 37, id="the whole route"),
        pytest.param(50, 30, 15, id="half of the route"),
        pytest.param(10, 1, 1, id="an arm that is to have traffic gets a point"),
        pytest.param(10, 99, 9, id="and so does the other"),
        pytest.param(1, 50, 0, id="one point cannot be divided"),
        pytest.param(1, 100, 1, id="but can be handed over"),
        pytest.param(0, 50, 0, id="nothing to divide"),
        pytest.param(33, 0, 0, id="all back"),
    ],
)
def test_the_canary_gets_its_percentage_of_what_both_have(share, weight, canary):
    assert split(share, weight) == canary


def test_a_single_destination_without_weight_becomes_100_and_0_in_one_write():
    assert weights(with_weight(virtual_service([to("web")]), TARGET, 0)) == [("web", 100), ("web-canary", 0)]


def test_a_single_destination_with_weight_0_has_all_traffic_as_in_istio():
    assert weights(with_weight(virtual_service([to("web", 0)]), TARGET, 10)) == [("web", 90), ("web-canary", 10)]


@pytest.mark.parametrize("weight", range(101))
def test_a_weight_is_read_back_as_it_was_written(weight):
    assert ISTIO.canary_weight(with_weight(virtual_service([to("web")]), TARGET, weight), TARGET) == weight


@pytest.mark.parametrize("weight", [-1, 101])
def test_what_is_not_a_percentage_is_refused(weight):
    with pytest.raises(ValueError, match=r"weight: -?[0-9]+ is not a percentage"):
        with_weight(virtual_service([to("web")]), TARGET, weight)


def test_without_a_canary_there_is_no_weight():
    assert ISTIO.canary_weight(virtual_service([to("web")]), TARGET) is None


@pytest.mark.parametrize(
    ("route", "weight", "expected"),
    [
        pytest.param([("web", 80), ("api", 20)], 25, [("web", 60), ("api", 20), ("web-canary", 20)], id="in percent"),
        pytest.param([("web", 1), ("api", 1)], 50, [("web", 25), ("api", 50), ("web-canary", 25)], id="in parts"),
        pytest.param(
            [("a", 1), ("web", 1), ("b", 1)], 0, [("a", 33), ("web", 34), ("b", 33), ("web-canary", 0)], id="thirds"
        ),
        pytest.param(
            [("web", 100), ("api", None)], 10, [("web", 90), ("api", None), ("web-canary", 10)], id="no weight"
        ),
        pytest.param(
            [("web", None), ("api", 100)], 10, [("web", 0), ("api", 100), ("web-canary", 0)], id="none of ours"
        ),
    ],
)
def test_foreign_destinations_keep_their_share(route, weight, expected):
    document = virtual_service([to(host, points) for host, points in route])
    assert weights(with_weight(document, TARGET, weight)) == expected


def test_foreign_shares_do_not_drift_however_often_weights_move():
    document = virtual_service([to("a", 1), to("web", 1), to("b", 1)])
    for weight in (0, 7, 50, 93, 100, 33, 0):
        document = with_weight(document, TARGET, weight)
    assert weights(document) == [("a", 33), ("web", 34), ("b", 33), ("web-canary", 0)]


def test_the_canary_destination_is_a_copy_of_the_stable_one():
    """Port, headers and fields that nobody here knows."""
    item = {
        "destination": {"host": "web", "port": {"number": 8080}},
        "headers": {"request": {"set": {"a": "b"}}},
        "x": 1,
    }
    both = with_weight(virtual_service([item]), TARGET, 10)["spec"]["http"][0]["route"]
    assert both[1] == {**item, "destination": {"host": "web-canary", "port": {"number": 8080}}, "weight": 10}


@pytest.mark.parametrize(
    ("host", "namespace", "expected"),
    [
        pytest.param("web", "shop", "web-canary", id="short"),
        pytest.param("web.shop.svc.cluster.local", "shop", "web-canary.shop.svc.cluster.local", id="qualified"),
        pytest.param("web.shop.svc.cluster.local", "edge", "web-canary.shop.svc.cluster.local", id="from elsewhere"),
        pytest.param("web.shop.svc.corp.example", "edge", "web-canary.shop.svc.corp.example", id="another domain"),
    ],
)
def test_the_canary_host_is_written_in_the_form_of_the_stable_host(host, namespace, expected):
    written = with_weight(virtual_service([to(host)], namespace=namespace), TARGET, 10)
    assert weights(written) == [(host, 90), (expected, 10)]


@pytest.mark.parametrize(
    ("host", "namespace"),
    [
        pytest.param("web", "edge", id="short name in another namespace"),
        pytest.param("web.edge.svc.cluster.local", "shop", id="another namespace's Service"),
        pytest.param("web.shop", "shop", id="half qualified, which Istio does not resolve"),
        pytest.param("web.shop.svc.clusterset.local", "shop", id="the Service of all clusters"),
        pytest.param("*.shop.svc.cluster.local", "shop", id="wildcard"),
        pytest.param("web-canary-2", "shop", id="another Service"),
    ],
)
def test_other_hosts_are_left_alone(host, namespace):
    document = virtual_service([to(host)], namespace=namespace)
    assert with_weight(document, TARGET, 10) == document


def test_every_entry_that_reaches_stable_is_edited_and_no_other():
    document = virtual_service([to("web")], [to("api")], [to("web", 50), to("api", 50)])
    document["spec"]["http"] += [
        {"redirect": {"uri": "/"}},
        {"directResponse": {"status": 503}},
        {"delegate": {"name": "d"}},
    ]
    written = with_weight(document, TARGET, 10)
    assert [weights(written, i) for i in range(3)] == [
        [("web", 90), ("web-canary", 10)],
        [("api", None)],
        [("web", 45), ("api", 50), ("web-canary", 5)],
    ]
    assert written["spec"]["http"][3:] == document["spec"]["http"][3:]


def test_the_route_with_most_to_divide_answers_for_all():
    """A tenth of ten points is one point at least: rounding in small shares must not look like a foreign edit."""
    document = virtual_service([to("web", 10), to("api", 90)], [to("web")])
    assert ISTIO.canary_weight(with_weight(document, TARGET, 3), TARGET) == 3


def test_the_given_document_is_not_changed():
    document = virtual_service([to("web")])
    with_weight(document, TARGET, 10)
    assert document == virtual_service([to("web")])


def test_a_canary_listed_twice_becomes_one():
    document = virtual_service([to("web", 50), to("web-canary", 25), to("web-canary", 25)])
    assert ISTIO.canary_weight(document, TARGET) == 50
    assert weights(with_weight(document, TARGET, 20)) == [("web", 80), ("web-canary", 20)]

import pytest

from canary_analyzer.routing import ISTIO, Target, Traffic, Unroutable

TARGET = Target(namespace="shop", stable="web", canary="web-canary")


def with_weight(document, target, weight):
    return ISTIO.with_traffic(document, target, Traffic(weight=weight))


def to(host="web", weight=None, **destination):
    return {"destination": {"host": host, **destination}} | ({} if weight is None else {"weight": weight})


def virtual_service(*entries, name="web", namespace="shop", hosts=("web",), **spec):
    return {
        "kind": "VirtualService",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"hosts": list(hosts), "http": list(entries), **spec},
    }


def route(*items, **fields):
    return {"route": list(items), **fields}


def problems(*documents):
    with pytest.raises(Unroutable) as caught:
        ISTIO.select(documents, TARGET)
    return [(problem.object, problem.path) for problem in caught.value.problems]


def test_those_that_reach_stable_are_selected_in_order():
    one = virtual_service(route(to()), name="one", hosts=["one.example.com"], gateways=["gw"])
    two = virtual_service(route(to("api")), name="two", hosts=["two.example.com"], gateways=["gw"])
    three = virtual_service(route(to("web.shop.svc.cluster.local")), name="three", namespace="edge", hosts=["three"])
    assert ISTIO.select([one, two, three], TARGET) == (one, three)


def test_a_file_without_namespace_belongs_to_the_namespace_of_the_services():
    document = virtual_service(route(to()))
    del document["metadata"]["namespace"]
    assert ISTIO.select([document], TARGET) == (document,)


def test_several_bound_to_one_gateway_are_edited_together():
    pair = [
        virtual_service(route(to()), name=name, hosts=["shop.example.com"], gateways=["istio-system/public"])
        for name in ("pages", "api")
    ]
    assert ISTIO.select(pair, TARGET) == tuple(pair)


def test_a_delegate_is_selected_with_or_without_its_root():
    root = virtual_service({"delegate": {"name": "web", "namespace": "shop"}}, name="root", namespace="edge")
    delegate = virtual_service(route(to()))
    del delegate["spec"]["hosts"]
    assert ISTIO.select([root, delegate], TARGET) == (delegate,)
    assert ISTIO.select([delegate], TARGET) == (delegate,)


def test_in_mid_run_the_same_are_selected():
    document = with_weight(virtual_service(route(to())), TARGET, 100)
    assert ISTIO.select([document], TARGET) == (document,)


def test_tcp_beside_http_stays_as_it_is():
    document = virtual_service(route(to()), tcp=[route(to())])
    assert ISTIO.select([document], TARGET) == (document,)


WEB = "VirtualService shop/web"


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        pytest.param(
            virtual_service(route(to("api")), route(to(), fault={"abort": {"httpStatus": 500}})),
            [(WEB, "spec.http[1].fault")],
            id="fault",
        ),
        pytest.param(
            virtual_service(route(to("api", 50), to(weight=50, subset="v1"))),
            [(WEB, "spec.http[0].route[1].destination.subset")],
            id="subset",
        ),
        pytest.param(
            virtual_service(route(to(weight=50, port={"number": 80}), to(weight=50, port={"number": 81}))),
            [(WEB, "spec.http[0].route")],
            id="stable twice in one entry",
        ),
        pytest.param(
            virtual_service(route(to(weight="50"), to("api", -1))),
            [(WEB, "spec.http[0].route[0].weight"), (WEB, "spec.http[0].route[1].weight")],
            id="not a weight",
        ),
        pytest.param(virtual_service(route(to(), to("api"))), [(WEB, "spec.http[0].route")], id="weights sum to 0"),
        pytest.param(virtual_service(route(to(weight=0), to("api", 100))), [(WEB, "spec.http")], id="no traffic"),
        pytest.param(virtual_service(route(to(weight=1), to("api", 99))), [(WEB, "spec.http")], id="one percent"),
        pytest.param(
            virtual_service(tcp=[route(to())], tls=[route(to("web"))]),
            [(WEB, "spec.tcp[0].route[0]"), (WEB, "spec.tls[0].route[0]")],
            id="tcp and tls only",
        ),
        pytest.param(
            virtual_service(route(to("web.shop"))), [(WEB, "spec.http[0].route[0].destination.host")], id="half a name"
        ),
        pytest.param(virtual_service(route(to("api"))), [("VirtualServices", "")], id="reaches others only"),
        pytest.param(virtual_service({"redirect": {"uri": "/"}}), [("VirtualServices", "")], id="redirect only"),
        pytest.param({"kind": "VirtualService", "spec": None}, [("VirtualServices", "")], id="empty"),
        pytest.param(virtual_service("?", {"route": "?"}, {"route": ["?"]}), [("VirtualServices", "")], id="malformed"),
    ],
)
def test_what_cannot_be_edited_is_refused_with_the_path_of_the_field(document, expected):
    assert problems(document) == expected


def test_all_problems_are_reported_at_once():
    one = virtual_service(route(to(), fault={"delay": {}}), route(to(weight="9")))
    two = virtual_service(route(to(), fault={"delay": {}}), name="other", hosts=["other"])
    assert len(problems(one, two)) == 3


def test_every_problem_names_a_reason_and_a_remedy():
    with pytest.raises(Unroutable) as caught:
        ISTIO.select([virtual_service(route(to(subset="v1")))], TARGET)
    (problem,) = caught.value.problems
    assert problem.reason
    assert "DestinationRule" in problem.remedy
    assert str(caught.value) == f"{WEB} spec.http[0].route[0].destination.subset: {problem.reason}. {problem.remedy}"


def test_a_fault_on_a_root_reaches_the_delegate():
    root = virtual_service({"delegate": {"name": "web", "namespace": "shop"}, "fault": {"delay": {}}}, namespace="edge")
    delegate = virtual_service(route(to()), hosts=())
    assert problems(root, delegate) == [("VirtualService edge/web", "spec.http[0].fault")]


@pytest.mark.parametrize(
    ("other", "conflict"),
    [
        pytest.param({}, True, id="same short host"),
        pytest.param({"hosts": ["web.shop.svc.cluster.local"], "namespace": "edge"}, True, id="same host, qualified"),
        pytest.param({"gateways": ["mesh", "public"]}, True, id="mesh named beside a gateway"),
        pytest.param({"namespace": "edge"}, False, id="same short name of another namespace"),
        pytest.param({"gateways": ["public"]}, False, id="a gateway only"),
        pytest.param({"hosts": ["api"]}, False, id="another host"),
        pytest.param({"hosts": ["*.shop.svc.cluster.local"]}, False, id="wildcard, which yields to the exact host"),
        pytest.param({"exportTo": ["edge"]}, True, id="shown to one namespace of all"),
    ],
)
def test_two_on_one_mesh_host_are_refused_whatever_the_other_routes_to(other, conflict):
    mine, theirs = virtual_service(route(to())), virtual_service(route(to("api")), name="theirs", **other)
    if conflict:
        assert problems(mine, theirs) == [(WEB, "spec.hosts")]
        assert problems(theirs, mine) == [(WEB, "spec.hosts")]
    else:
        assert ISTIO.select([mine, theirs], TARGET) == (mine,)


def test_two_on_one_mesh_host_shown_to_different_namespaces_are_no_conflict():
    pair = [virtual_service(route(to()), name=to_, exportTo=[to_]) for to_ in (".", "edge")]
    assert ISTIO.select(pair, TARGET) == tuple(pair)


def test_a_pair_that_both_reach_stable_is_reported_once():
    assert len(problems(virtual_service(route(to())), virtual_service(route(to()), name="twin"))) == 1

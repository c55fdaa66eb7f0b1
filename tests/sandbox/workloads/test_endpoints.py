import pytest

from canary_analyzer.sandbox.client import ENDPOINTS, ENDPOINTSLICES
from canary_analyzer.sandbox.workloads import endpoints

LABELS = {"app": "app"}


def make_service(*ports, **spec):
    ports = ports or ({"name": "http", "port": 80, "targetPort": "http"},)
    metadata = {"name": "app", "namespace": "default", "uid": "s"}
    spec = {"selector": LABELS, "ports": list(ports), **spec}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}


def planned(service, pods, resource=ENDPOINTS):
    (write,) = [write for write in endpoints.plan(service, pods, None, None) if write.resource is resource]
    return write.document


def addresses(subset, field="addresses"):
    return [each["targetRef"]["name"] for each in subset.get(field, [])]


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        pytest.param({}, "addresses", id="ready"),
        pytest.param({"ready": False}, "notReadyAddresses", id="not ready"),
        pytest.param({"deletionTimestamp": "2026-01-01T00:00:00Z"}, None, id="terminating, though still ready"),
        pytest.param({"labels": {"app": "other"}}, None, id="not selected"),
        pytest.param({"namespace": "other"}, None, id="another namespace"),
    ],
)
def test_where_a_pod_is_listed(pod, changes, where):
    subsets = planned(make_service(), [pod("p", **({"labels": LABELS} | changes))])["subsets"]
    assert {
        field for subset in subsets for field in ("addresses", "notReadyAddresses") if addresses(subset, field)
    } == ({where} if where else set())


def test_a_named_port_is_looked_up_in_every_pod(pod):
    plain, moved = pod("plain", labels=LABELS), pod("moved", labels=LABELS)
    moved["spec"]["containers"][0]["ports"][0]["containerPort"] = 9090
    subsets = planned(make_service(), [plain, moved])["subsets"]
    assert {subset["ports"][0]["port"]: addresses(subset) for subset in subsets} == {8080: ["plain"], 9090: ["moved"]}


def test_unready_pods_are_published_when_the_service_asks_for_it(pod):
    service = make_service(publishNotReadyAddresses=True)
    (subset,) = planned(service, [pod("p", ready=False, labels=LABELS)])["subsets"]
    assert addresses(subset) == ["p"]


def test_a_service_without_selector_is_left_to_its_user(pod):
    assert endpoints.plan(make_service(selector=None), [pod("p")], None, None) == []


def test_nothing_is_written_twice(pod):
    service, pods = make_service(), [pod("p", labels=LABELS)]
    known = [planned(service, pods, resource) for resource in (ENDPOINTS, ENDPOINTSLICES)]
    assert endpoints.plan(service, pods, *known) == []


def test_a_slice_says_that_a_pod_is_terminating(pod):
    going = pod("p", labels=LABELS, deletionTimestamp="2026-01-01T00:00:00Z")
    document = planned(make_service(), [going], ENDPOINTSLICES)
    assert document["metadata"]["labels"]["kubernetes.io/service-name"] == "app"
    assert document["endpoints"][0]["conditions"] == {"ready": False, "serving": True, "terminating": True}


def test_endpoints_go_with_their_service_and_hand_written_ones_stay(pod):
    made = planned(make_service(), [])
    made["metadata"]["uid"] = "e"
    written = {"metadata": {"name": "mine", "namespace": "default", "uid": "m"}}
    assert [each.name for each in endpoints.leftovers(set(), [made, written])] == ["app"]
    assert endpoints.leftovers({("default", "app")}, [made, written]) == []

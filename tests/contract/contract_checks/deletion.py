"""Preconditions, finalizers, and pods that die slowly."""

from contract_checks.api import Api
from contract_checks.documents import MERGE, config_map, names, pod, refused


def a_deleted_object_is_gone(api: Api) -> None:
    api.ok("POST", api.path("configmaps"), config_map())
    assert api.ok("DELETE", api.path("configmaps", "settings"))["status"] == "Success"
    refused(api.send("DELETE", api.path("configmaps", "settings")), 404, "NotFound")


def preconditions_protect_from_deletion(api: Api) -> None:
    first = api.ok("POST", api.path("configmaps"), config_map())
    for preconditions in ({"uid": "another"}, {"resourceVersion": "1"}):
        answer = api.send("DELETE", api.path("configmaps", "settings"), {"preconditions": preconditions})
        refused(answer, 409, "Conflict", "recondition")
    same = {key: first["metadata"][key] for key in ("uid", "resourceVersion")}
    api.ok("DELETE", api.path("configmaps", "settings"), {"preconditions": same})


def finalizers_hold_an_object(api: Api) -> None:
    document = config_map()
    document["metadata"]["finalizers"] = ["example.com/hold"]
    api.ok("POST", api.path("configmaps"), document)
    api.ok("DELETE", api.path("configmaps", "settings"))
    assert api.ok("GET", api.path("configmaps", "settings"))["metadata"]["deletionTimestamp"]
    api.ok("PATCH", api.path("configmaps", "settings"), {"metadata": {"finalizers": None}}, MERGE)
    assert api.send("GET", api.path("configmaps", "settings")).status == 404


def a_pod_on_a_node_dies_slowly(api: Api) -> None:
    api.ok("POST", api.path("pods"), pod(nodeName="n1", terminationGracePeriodSeconds=7))
    api.ok("DELETE", api.path("pods", "app"))
    metadata = api.ok("GET", api.path("pods", "app"))["metadata"]
    assert metadata["deletionGracePeriodSeconds"] == 7
    api.ok("DELETE", api.path("pods", "app"), {"gracePeriodSeconds": 0})
    assert api.send("GET", api.path("pods", "app")).status == 404


def a_pod_without_a_node_dies_at_once(api: Api) -> None:
    api.ok("POST", api.path("pods"), pod())
    api.ok("DELETE", api.path("pods", "app"))
    assert api.send("GET", api.path("pods", "app")).status == 404


def a_collection_is_deleted_by_label(api: Api) -> None:
    for name in ("a", "b"):
        api.ok("POST", api.path("configmaps"), config_map(name, {"name": name}))
    api.ok("DELETE", api.path("configmaps"), labelSelector="name=a")
    assert [n for n in names(api.ok("GET", api.path("configmaps"))) if n != "kube-root-ca.crt"] == ["b"]

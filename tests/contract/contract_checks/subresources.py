"""Status, scale and binding leave alone what is not theirs."""

from contract_checks.api import Api
from contract_checks.documents import MERGE, deployment, generation, pod, refused, with_deployment


def status_is_not_written_with_the_object(api: Api) -> None:
    document = {**deployment(), "status": {"replicas": 9}}
    assert api.ok("POST", api.deployment(""), document).get("status") in (None, {})
    patched = api.ok("PATCH", api.deployment(), {"status": {"replicas": 9}}, MERGE)
    assert patched.get("status") in (None, {})


def the_object_is_not_written_with_the_status(api: Api) -> None:
    with_deployment(api)
    body = {"metadata": {"labels": {"a": "b"}}, "spec": {"replicas": 7}, "status": {"replicas": 3}}
    patched = api.ok("PATCH", api.deployment(subresource="status"), body, MERGE)
    assert (patched["spec"]["replicas"], patched["status"]["replicas"]) == (1, 3)
    assert "labels" not in patched["metadata"]


def scale_changes_replicas_and_nothing_else(api: Api) -> None:
    with_deployment(api)
    api.ok("PATCH", api.deployment(subresource="status"), {"status": {"replicas": 1}}, MERGE)
    scale = api.ok("PATCH", api.deployment(subresource="scale"), {"spec": {"replicas": 5}}, MERGE)
    assert (scale["kind"], scale["apiVersion"], scale["spec"]) == ("Scale", "autoscaling/v1", {"replicas": 5})
    assert scale["status"] == {"replicas": 1, "selector": "app=app"}
    live = api.ok("GET", api.deployment())
    assert (live["spec"]["replicas"], generation(live)) == (5, 2)


def scale_with_a_stale_version_is_a_conflict(api: Api) -> None:
    with_deployment(api)
    scale = api.ok("GET", api.deployment(subresource="scale"))
    api.ok("PATCH", api.deployment(), {"metadata": {"labels": {"a": "b"}}}, MERGE)
    refused(api.send("PUT", api.deployment(subresource="scale"), scale), 409, "Conflict")


def binding_gives_a_pod_to_a_node(api: Api) -> None:
    api.ok("POST", api.path("pods"), pod())
    body = {
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": {"name": "app"},
        "target": {"kind": "Node", "name": "n1"},
    }
    api.ok("POST", api.path("pods", "app", subresource="binding"), body)
    assert api.ok("GET", api.path("pods", "app"))["spec"]["nodeName"] == "n1"

"""JSON, merge and strategic merge patches."""

from contract_checks.api import Api
from contract_checks.documents import (
    JSON_PATCH,
    MERGE,
    STRATEGIC,
    container,
    deployment,
    refused,
    version,
    virtual_service,
    with_deployment,
)


def a_json_patch_is_applied(api: Api) -> None:
    with_deployment(api)
    operations = [
        {"op": "test", "path": "/spec/replicas", "value": 1},
        {"op": "replace", "path": "/spec/replicas", "value": 3},
        {"op": "add", "path": "/metadata/annotations", "value": {"a/b": "c"}},
    ]
    patched = api.ok("PATCH", api.deployment(), operations, JSON_PATCH)
    assert (patched["spec"]["replicas"], patched["metadata"]["annotations"]) == (3, {"a/b": "c"})


def a_failed_test_is_unprocessable(api: Api) -> None:
    first = with_deployment(api)
    for operation in (
        {"op": "test", "path": "/spec/replicas", "value": 2},
        {"op": "test", "path": "/metadata/resourceVersion", "value": version(first) + "0"},
        {"op": "remove", "path": "/spec/nothing"},
    ):
        assert api.send("PATCH", api.deployment(), [operation], JSON_PATCH).status == 422


def a_test_on_the_version_holds(api: Api) -> None:
    first = with_deployment(api)
    operations = [
        {"op": "test", "path": "/metadata/resourceVersion", "value": version(first)},
        {"op": "replace", "path": "/spec/replicas", "value": 3},
    ]
    assert api.ok("PATCH", api.deployment(), operations, JSON_PATCH)["spec"]["replicas"] == 3


def a_merge_patch_deletes_by_null_and_replaces_lists(api: Api) -> None:
    api.ok("POST", api.virtual_service(""), virtual_service())
    body = {"metadata": {"labels": {"a": "b", "c": None}}, "spec": {"http": [{"name": "only"}]}}
    patched = api.ok("PATCH", api.virtual_service(), body, MERGE)
    assert (patched["metadata"]["labels"], patched["spec"]["http"]) == ({"a": "b"}, [{"name": "only"}])
    patched = api.ok("PATCH", api.virtual_service(), {"metadata": {"labels": {"a": None}}}, MERGE)
    assert not patched["metadata"].get("labels")


def a_strategic_patch_merges_lists_by_their_keys(api: Api) -> None:
    document = deployment()
    container(document)["env"] = [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]
    api.ok("POST", api.deployment(""), document)
    change = {
        "name": "app",
        "image": "app:v2",
        "env": [{"name": "B", "$patch": "delete"}, {"name": "C", "value": "3"}],
        "ports": [{"containerPort": 9090}],
    }
    body = {"spec": {"template": {"spec": {"containers": [change]}}}}
    patched = container(api.ok("PATCH", api.deployment(), body, STRATEGIC))
    assert (patched["image"], sorted(port["containerPort"] for port in patched["ports"])) == ("app:v2", [8080, 9090])
    assert {variable["name"] for variable in patched["env"]} == {"A", "C"}


def a_strategic_patch_keeps_the_order_it_is_given(api: Api) -> None:
    document = deployment()
    container(document)["env"] = [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]
    api.ok("POST", api.deployment(""), document)
    order = [{"name": "C"}, {"name": "B"}, {"name": "A"}]
    change = {"name": "app", "$setElementOrder/env": order, "env": [{"name": "C", "value": "3"}]}
    body = {"spec": {"template": {"spec": {"containers": [change]}}}}
    patched = container(api.ok("PATCH", api.deployment(), body, STRATEGIC))
    assert [variable["name"] for variable in patched["env"]] == ["C", "B", "A"]


def a_strategic_patch_replaces_and_retains(api: Api) -> None:
    with_deployment(api)
    body = {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}
    assert api.ok("PATCH", api.deployment(), body, STRATEGIC)["spec"]["strategy"] == {"type": "Recreate"}
    body = {"spec": {"strategy": {"$patch": "replace", "type": "RollingUpdate"}}}
    assert api.ok("PATCH", api.deployment(), body, STRATEGIC)["spec"]["strategy"]["type"] == "RollingUpdate"


def a_strategic_patch_of_a_custom_kind_is_unsupported(api: Api) -> None:
    api.ok("POST", api.virtual_service(""), virtual_service())
    refused(api.send("PATCH", api.virtual_service(), {}, STRATEGIC), 415, "UnsupportedMediaType")


def a_patch_that_breaks_a_rule_is_invalid(api: Api) -> None:
    with_deployment(api)
    refused(api.send("PATCH", api.deployment(), {"spec": {"replicas": -1}}, MERGE), 422, "Invalid", "spec.replicas")

"""managedFields and server-side apply."""

from typing import Any

from contract_checks.api import Api
from contract_checks.documents import (
    APPLY,
    JSON_PATCH,
    MERGE,
    deployment,
    refused,
    virtual_service,
    weights,
    with_deployment,
)

Document = dict[str, Any]


def owned(document: Document, manager: str, operation: str = "Update") -> Document:
    entries = document["metadata"].get("managedFields") or []
    return next((e["fieldsV1"] for e in entries if (e["manager"], e["operation"]) == (manager, operation)), {})


def apply(api: Api, path: str, document: Document, manager: str, **query: str) -> Any:
    return api.send("PATCH", path, document, APPLY, fieldManager=manager, **query)


def applied_replicas(count: int, **labels: str) -> Document:
    metadata = {"name": "app", **({"labels": labels} if labels else {})}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": {"replicas": count}}


def a_write_owns_what_it_changes(api: Api) -> None:
    api.ok("POST", api.deployment(""), deployment(replicas=1), fieldManager="maker")
    api.ok("PATCH", api.deployment(), {"spec": {"replicas": 2}}, MERGE, fieldManager="scaler")
    live = api.ok("GET", api.deployment())
    assert owned(live, "scaler") == {"f:spec": {"f:replicas": {}}}
    assert "f:replicas" not in owned(live, "maker")["f:spec"]
    containers = owned(live, "maker")["f:spec"]["f:template"]["f:spec"]["f:containers"]
    assert containers['k:{"name":"app"}']["f:image"] == {}


def status_writes_are_told_apart(api: Api) -> None:
    with_deployment(api)
    api.ok("PATCH", api.deployment(subresource="status"), {"status": {"replicas": 1}}, MERGE, fieldManager="ctl")
    entry = next(e for e in api.ok("GET", api.deployment())["metadata"]["managedFields"] if e["manager"] == "ctl")
    assert (entry["subresource"], entry["fieldsV1"]) == ("status", {"f:status": {"f:replicas": {}}})


def apply_creates(api: Api) -> None:
    answer = apply(api, api.deployment(), deployment(), "gitops")
    assert answer.status == 201
    assert owned(answer.body, "gitops", "Apply")["f:spec"]["f:selector"] == {}


def apply_needs_a_manager(api: Api) -> None:
    assert api.send("PATCH", api.deployment(), deployment(), APPLY).status in (400, 422)


def apply_refuses_what_others_own(api: Api) -> None:
    api.ok("POST", api.deployment(""), deployment(replicas=1), fieldManager="maker")
    answer = apply(api, api.deployment(), applied_replicas(3), "gitops")
    refused(answer, 409, "Conflict", 'conflict with "maker"', ".spec.replicas")
    assert answer.body["details"]["causes"][0]["field"] == ".spec.replicas"
    assert answer.body["details"]["causes"][0]["reason"] == "FieldManagerConflict"


def apply_by_force_takes_over(api: Api) -> None:
    api.ok("POST", api.deployment(""), deployment(replicas=1), fieldManager="maker")
    forced = apply(api, api.deployment(), applied_replicas(3), "gitops", force="true").body
    assert forced["spec"]["replicas"] == 3
    assert "f:replicas" not in owned(forced, "maker")["f:spec"]


def apply_shares_what_is_equal(api: Api) -> None:
    api.ok("POST", api.deployment(""), deployment(replicas=1), fieldManager="maker")
    shared = apply(api, api.deployment(), applied_replicas(1), "gitops").body
    assert "f:replicas" in owned(shared, "maker")["f:spec"]
    assert "f:replicas" in owned(shared, "gitops", "Apply")["f:spec"]


def apply_takes_away_what_it_no_longer_says(api: Api) -> None:
    apply(api, api.deployment(), deployment(), "gitops")
    apply(api, api.deployment(), applied_replicas(2, a="1", b="2"), "labels", force="true")
    patched = apply(api, api.deployment(), applied_replicas(2, a="1"), "labels").body
    assert patched["metadata"]["labels"] == {"a": "1"}


def apply_merges_lists_by_their_keys(api: Api) -> None:
    apply(api, api.deployment(), deployment(), "gitops")
    sidecar = deployment()
    sidecar["spec"]["template"]["spec"]["containers"] = [{"name": "sidecar", "image": "sidecar:v1"}]
    merged = apply(api, api.deployment(), sidecar, "injector").body
    assert [c["name"] for c in merged["spec"]["template"]["spec"]["containers"]] == ["app", "sidecar"]
    apply(api, api.deployment(), applied_replicas(1), "injector")
    live = api.ok("GET", api.deployment())
    assert [c["name"] for c in live["spec"]["template"]["spec"]["containers"]] == ["app"]


def apply_owns_a_custom_kinds_list_as_a_whole(api: Api) -> None:
    apply(api, api.virtual_service(), virtual_service(), "gitops")
    api.ok("PATCH", api.virtual_service(), weights(80, 20), JSON_PATCH, fieldManager="canary")
    live = api.ok("GET", api.virtual_service())
    assert owned(live, "canary") == {"f:spec": {"f:http": {}}}
    refused(apply(api, api.virtual_service(), virtual_service(), "gitops"), 409, "Conflict", ".spec.http")


def ownership_can_be_given_up(api: Api) -> None:
    apply(api, api.virtual_service(), virtual_service(), "gitops")
    api.ok("PATCH", api.virtual_service(), weights(80, 20), JSON_PATCH, fieldManager="canary")
    entries = api.ok("GET", api.virtual_service())["metadata"]["managedFields"]
    others = [entry for entry in entries if entry["manager"] != "canary"]
    operation = {"op": "replace", "path": "/metadata/managedFields", "value": others}
    left = api.ok("PATCH", api.virtual_service(), [operation], JSON_PATCH, fieldManager="canary")
    assert owned(left, "canary") == {}
    again = apply(api, api.virtual_service(), virtual_service(), "gitops")
    assert (again.status, again.body["spec"]["http"]) == (200, virtual_service()["spec"]["http"])

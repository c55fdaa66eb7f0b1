"""Custom kinds, versions, discovery, events, reviews."""

from contract_checks.api import Api
from contract_checks.documents import config_map, eventually, names, refused, virtual_service


def versions_share_their_objects(api: Api) -> None:
    api.ok("POST", api.virtual_service(""), virtual_service())
    older = api.ok("GET", api.path("virtualservices", "app", "networking.istio.io/v1beta1"))
    assert (older["apiVersion"], older["spec"]) == ("networking.istio.io/v1beta1", virtual_service()["spec"])


def unknown_fields_of_a_custom_kind_survive(api: Api) -> None:
    document = virtual_service()
    document["spec"]["http"][0]["fromTheFuture"] = {"a": [1, {"b": None}]}
    stored = api.ok("POST", api.virtual_service(""), document)
    assert stored["spec"]["http"][0]["fromTheFuture"]["a"][0] == 1


def a_definition_brings_a_kind(api: Api) -> None:
    name = f"kinds{api.namespace.replace('-', '')}"
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    versions = [{"name": "v1", "served": True, "storage": True, "schema": schema}]
    spec = {
        "group": "contract.example.com",
        "names": {"plural": name, "kind": "Kind"},
        "scope": "Namespaced",
        "versions": versions,
    }
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    api.ok("POST", path, {"metadata": {"name": f"{name}.contract.example.com"}, "spec": spec})
    collection = api.path(name, group="contract.example.com/v1")
    eventually(lambda: api.send("GET", collection).status == 200)
    body = {"apiVersion": "contract.example.com/v1", "kind": "Kind", "metadata": {"name": "a"}, "spec": {"x": 1}}
    eventually(lambda: api.send("POST", collection, body).status in (201, 409))
    conditions = api.ok("GET", f"{path}/{name}.contract.example.com")["status"]["conditions"]
    assert {c["type"] for c in conditions if c["status"] == "True"} >= {"Established", "NamesAccepted"}
    api.ok("DELETE", f"{path}/{name}.contract.example.com")
    eventually(lambda: api.send("GET", collection).status == 404)


def events_are_selected_by_what_they_are_about(api: Api) -> None:
    involved = {"kind": "Deployment", "name": "app", "namespace": api.namespace, "uid": "u1", "apiVersion": "apps/v1"}
    event = {"metadata": {"name": "app.1"}, "involvedObject": involved, "reason": "Started", "type": "Normal"}
    api.ok("POST", api.path("events"), event)
    for selector, expected in {
        "involvedObject.name=app,involvedObject.uid=u1": ["app.1"],
        "type=Warning": [],
        "reason=Started": ["app.1"],
    }.items():
        assert names(api.ok("GET", api.path("events"), fieldSelector=selector)) == expected


def discovery_names_kinds_and_subresources(api: Api) -> None:
    listed = {r["name"]: r for r in api.ok("GET", "/apis/apps/v1")["resources"]}
    assert {"deployments", "deployments/status", "deployments/scale", "replicasets"} <= listed.keys()
    assert (listed["deployments"]["kind"], listed["deployments"]["shortNames"]) == ("Deployment", ["deploy"])
    groups = {group["name"] for group in api.ok("GET", "/apis")["groups"]}
    assert {"apps", "networking.istio.io", "discovery.k8s.io", "coordination.k8s.io"} <= groups
    assert api.ok("GET", "/api")["versions"] == ["v1"]


def the_server_tells_its_version_and_health(api: Api) -> None:
    assert api.ok("GET", "/version")["major"] == "1"
    for path in ("/healthz", "/readyz", "/livez"):
        assert api.send("GET", path).body == {"text": "ok"}


def an_access_review_is_answered(api: Api) -> None:
    spec = {"resourceAttributes": {"verb": "patch", "group": "apps", "resource": "deployments"}}
    body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": spec}
    assert api.ok("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body)["status"]["allowed"]


def an_unknown_path_is_not_found(api: Api) -> None:
    refused(api.send("GET", "/apis/apps/v1/nothings"), 404, "NotFound", "could not find the requested resource")


def a_wrong_verb_is_not_allowed(api: Api) -> None:
    assert api.send("PUT", api.path("configmaps"), config_map()).status == 405

"""Creating and reading: identity, and what is refused at once."""

from contract_checks.api import Api
from contract_checks.documents import config_map, deployment, refused, service, with_deployment


def create_stamps_identity(api: Api) -> None:
    metadata = with_deployment(api)["metadata"]
    assert {"uid", "resourceVersion", "creationTimestamp"} <= metadata.keys()
    assert (metadata["generation"], metadata["namespace"]) == (1, api.namespace)


def a_taken_name_is_a_conflict(api: Api) -> None:
    with_deployment(api)
    refused(api.send("POST", api.deployment(""), deployment()), 409, "AlreadyExists", 'deployments.apps "app" already')


def a_missing_object_is_not_found(api: Api) -> None:
    answer = api.send("GET", api.deployment("none"))
    refused(answer, 404, "NotFound", 'deployments.apps "none" not found')
    assert answer.body["details"] == {"name": "none", "group": "apps", "kind": "deployments"}


def a_missing_namespace_is_not_found(api: Api) -> None:
    answer = api.send("POST", "/api/v1/namespaces/nowhere-at-all/configmaps", config_map())
    refused(answer, 404, "NotFound", 'namespaces "nowhere-at-all" not found')


def generate_name_makes_names(api: Api) -> None:
    document = {"metadata": {"generateName": "run-"}}
    names = {api.ok("POST", api.path("configmaps"), document)["metadata"]["name"] for _ in range(3)}
    assert len(names) == 3
    assert all(name.startswith("run-") and len(name) == 9 for name in names)


def a_bad_name_is_invalid(api: Api) -> None:
    refused(api.send("POST", api.path("configmaps"), config_map("Not_A_Name")), 422, "Invalid", "metadata.name")


def a_wrong_type_is_a_bad_request(api: Api) -> None:
    document = config_map()
    document["metadata"]["annotations"] = {"a": 1}
    assert api.send("POST", api.path("configmaps"), document).status == 400


def an_unknown_field_is_dropped_with_a_warning(api: Api) -> None:
    answer = api.send("POST", api.deployment(""), deployment(surprise=1), fieldValidation="Warn")
    assert "surprise" not in answer.body["spec"]
    assert "unknown field" in answer.headers["Warning"]


def an_unknown_field_is_refused_when_strict(api: Api) -> None:
    answer = api.send("POST", api.deployment(""), deployment(surprise=1), fieldValidation="Strict")
    refused(answer, 400, "BadRequest", 'unknown field "spec.surprise"')


def another_kind_is_a_bad_request(api: Api) -> None:
    assert api.send("POST", api.path("configmaps"), service()).status == 400


def another_namespace_is_a_bad_request(api: Api) -> None:
    document = config_map()
    document["metadata"]["namespace"] = "default"
    assert api.send("POST", api.path("configmaps"), document).status == 400

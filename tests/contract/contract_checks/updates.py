"""Replacing and merging: versions, generations, what only the server writes."""

from contract_checks.api import Api
from contract_checks.documents import MERGE, deployment, generation, refused, version, virtual_service, with_deployment


def replace_with_a_stale_version_is_a_conflict(api: Api) -> None:
    first = with_deployment(api)
    api.ok("PATCH", api.deployment(), {"spec": {"replicas": 2}}, MERGE)
    refused(api.send("PUT", api.deployment(), first), 409, "Conflict", "the object has been modified")


def replace_without_a_version_is_unconditional_for_built_in_kinds(api: Api) -> None:
    with_deployment(api)
    assert api.ok("PUT", api.deployment(), deployment(replicas=4))["spec"]["replicas"] == 4


def replace_without_a_version_is_refused_for_custom_kinds(api: Api) -> None:
    api.ok("POST", api.virtual_service(""), virtual_service())
    answer = api.send("PUT", api.virtual_service(), virtual_service())
    refused(answer, 422, "Invalid", "metadata.resourceVersion", "must be specified for an update")


def a_write_that_changes_nothing_keeps_the_version(api: Api) -> None:
    first = with_deployment(api)
    assert version(api.ok("PUT", api.deployment(), first)) == version(first)
    assert version(api.ok("PATCH", api.deployment(), {"spec": {"replicas": 1}}, MERGE)) == version(first)


def a_patch_with_a_stale_version_is_a_conflict(api: Api) -> None:
    first = with_deployment(api)
    api.ok("PATCH", api.deployment(), {"spec": {"replicas": 2}}, MERGE)
    body = {"metadata": {"resourceVersion": version(first)}, "spec": {"replicas": 3}}
    refused(api.send("PATCH", api.deployment(), body, MERGE), 409, "Conflict")


def the_server_owns_uid_and_creation_time(api: Api) -> None:
    first = with_deployment(api)
    body = {"metadata": {"creationTimestamp": "2001-01-01T00:00:00Z"}, "spec": {"replicas": 2}}
    patched = api.ok("PATCH", api.deployment(), body, MERGE)
    assert patched["metadata"]["creationTimestamp"] == first["metadata"]["creationTimestamp"]
    answer = api.send("PATCH", api.deployment(), {"metadata": {"uid": "other"}}, MERGE)
    refused(answer, 422, "Invalid", "metadata.uid", "field is immutable")


def replace_of_an_earlier_object_of_that_name_is_a_conflict(api: Api) -> None:
    with_deployment(api)
    document = deployment()
    document["metadata"]["uid"] = "3b4b6a4c-0000-0000-0000-000000000000"
    refused(api.send("PUT", api.deployment(), document), 409, "Conflict", "UID in precondition")


def generation_counts_wishes(api: Api) -> None:
    with_deployment(api)
    assert generation(api.ok("PATCH", api.deployment(), {"spec": {"replicas": 2}}, MERGE)) == 2
    assert generation(api.ok("PATCH", api.deployment(), {"metadata": {"labels": {"a": "b"}}}, MERGE)) == 2
    assert generation(api.ok("PATCH", api.deployment(subresource="status"), {"status": {"replicas": 1}}, MERGE)) == 2


def an_annotation_raises_a_deployments_generation(api: Api) -> None:
    with_deployment(api)
    assert generation(api.ok("PATCH", api.deployment(), {"metadata": {"annotations": {"a": "b"}}}, MERGE)) == 2


def generation_of_a_custom_kind_counts_its_spec_only(api: Api) -> None:
    api.ok("POST", api.virtual_service(""), virtual_service())
    annotated = api.ok("PATCH", api.virtual_service(), {"metadata": {"annotations": {"a": "b"}}}, MERGE)
    changed = api.ok("PATCH", api.virtual_service(), {"spec": {"hosts": ["b"]}}, MERGE)
    assert (generation(annotated), generation(changed)) == (1, 2)

"""The typed, custom-objects and dynamic clients of the official library."""

import pytest
from kubernetes import client, watch
from kubernetes.client.exceptions import ApiException

from contract_checks.api import Api
from contract_checks.documents import JSON_PATCH, pod, service, virtual_service, weights, with_deployment


def the_typed_client_reads_and_writes(api: Api) -> None:
    body = client.V1ConfigMap(metadata=client.V1ObjectMeta(name="typed"), data={"a": "b"})
    api.core.create_namespaced_config_map(api.namespace, body)
    assert api.core.read_namespaced_config_map("typed", api.namespace).data == {"a": "b"}
    with_deployment(api)
    api.apps.patch_namespaced_deployment("app", api.namespace, {"spec": {"replicas": 2}})
    assert [item.spec.replicas for item in api.apps.list_namespaced_deployment(api.namespace).items] == [2]
    scale = api.apps.read_namespaced_deployment_scale("app", api.namespace)
    assert scale.spec.replicas == 2
    with pytest.raises(ApiException) as refusal:
        api.core.read_namespaced_service("none", api.namespace)
    assert refusal.value.status == 404


def the_typed_client_deletes(api: Api) -> None:
    api.ok("POST", api.path("services"), service())
    api.core.delete_namespaced_service("app", api.namespace)
    api.ok("POST", api.path("pods"), pod())
    api.core.delete_namespaced_pod("app", api.namespace, grace_period_seconds=0)
    assert api.core.list_namespaced_pod(api.namespace).items == []


def the_typed_client_watches(api: Api) -> None:
    listed = api.apps.list_namespaced_deployment(api.namespace)
    with_deployment(api)
    stream = watch.Watch().stream(
        api.apps.list_namespaced_deployment,
        api.namespace,
        resource_version=listed.metadata.resource_version,
        timeout_seconds=5,
    )
    event = next(stream)
    assert (event["type"], event["object"].metadata.name) == ("ADDED", "app")


def the_custom_objects_client_edits_virtual_services(api: Api) -> None:
    where = ("networking.istio.io", "v1", api.namespace, "virtualservices")
    api.custom.create_namespaced_custom_object(*where, virtual_service())
    api.custom.patch_namespaced_custom_object(*where, "app", weights(50, 50), _content_type=JSON_PATCH)
    live = api.custom.get_namespaced_custom_object(*where, "app")
    assert [route["weight"] for route in live["spec"]["http"][0]["route"]] == [50, 50]


def the_dynamic_client_discovers_and_applies(api: Api) -> None:
    resource = api.dynamic.resources.get(api_version="networking.istio.io/v1", kind="VirtualService")
    applied = resource.server_side_apply(virtual_service(), name="app", namespace=api.namespace, field_manager="me")
    assert applied.metadata.name == "app"
    assert [item.metadata.name for item in resource.get(namespace=api.namespace).items] == ["app"]
    resource.delete(name="app", namespace=api.namespace)
    assert resource.get(namespace=api.namespace).items == []

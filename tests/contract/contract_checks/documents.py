"""Documents to send, and sentences about answers."""

import time
from typing import Any

Document = dict[str, Any]

JSON_PATCH = "application/json-patch+json"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"


def deployment(**spec: Any) -> Document:
    labels = {"app": "app"}
    container = {"name": "app", "image": "app:v1", "ports": [{"containerPort": 8080}]}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    whole = {"selector": {"matchLabels": labels}, "template": template, **spec}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "app"}, "spec": whole}


def service(**spec: Any) -> Document:
    whole = {"selector": {"app": "app"}, "ports": [{"port": 80}], **spec}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "app"}, "spec": whole}


def pod(name: str = "app", **spec: Any) -> Document:
    whole = {"containers": [{"name": "app", "image": "app:v1"}], **spec}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": whole}


def config_map(name: str = "settings", labels: Document | None = None, **data: str) -> Document:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": labels or {}}, "data": data}


def virtual_service() -> Document:
    route = [{"destination": {"host": "app"}, "weight": 90}, {"destination": {"host": "other"}, "weight": 10}]
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": "app"},
        "spec": {"hosts": ["app"], "http": [{"name": "main", "route": route}]},
    }


def refused(answer: Any, status: int, reason: str, *words: str) -> None:
    assert (answer.status, answer.body["kind"], answer.body.get("reason")) == (status, "Status", reason), answer.body
    assert all(word in answer.body["message"] for word in words), answer.body["message"]


def with_deployment(api: Any, **spec: Any) -> Document:
    return api.ok("POST", api.deployment(""), deployment(**spec))


def generation(document: Document) -> int:
    return document["metadata"]["generation"]


def version(document: Document) -> str:
    return document["metadata"]["resourceVersion"]


def container(document: Document) -> Document:
    return document["spec"]["template"]["spec"]["containers"][0]


def names(listed: Document) -> list[str]:
    return [item["metadata"]["name"] for item in listed["items"]]


def weights(first: int, second: int) -> list[Document]:
    path = "/spec/http/0/route/{}/weight"
    return [{"op": "replace", "path": path.format(i), "value": value} for i, value in enumerate((first, second))]


def eventually(holds: Any) -> None:
    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end, "did not come true within 20 seconds"
        time.sleep(0.05)

"""One API server, seen through the official client."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import urllib3
from kubernetes import client, config, dynamic

Document = dict[str, Any]

JSON = "application/json"


@dataclass(frozen=True)
class Answer:
    status: int
    body: Document
    headers: Any


class Api:
    """One server, seen through the official client; `namespace` belongs to the running check alone."""

    def __init__(self, kubeconfig: Path, namespace: str) -> None:
        self.namespace = namespace
        self.kubeconfig = kubeconfig
        self._client = config.new_client_from_config(str(kubeconfig))
        self.core = client.CoreV1Api(self._client)
        self.apps = client.AppsV1Api(self._client)
        self.custom = client.CustomObjectsApi(self._client)

    @cached_property
    def dynamic(self) -> dynamic.DynamicClient:
        return dynamic.DynamicClient(self._client)

    def close(self) -> None:
        self._client.close()

    def path(self, resource: str, name: str = "", group: str = "", subresource: str = "") -> str:
        """`deployments` of group `apps/v1` in the check's namespace."""
        root = f"/apis/{group}" if group else "/api/v1"
        steps = [root, "namespaces", self.namespace, resource, name, subresource]
        return "/".join(step for step in steps if step)

    def deployment(self, name: str = "app", subresource: str = "") -> str:
        return self.path("deployments", name, "apps/v1", subresource)

    def virtual_service(self, name: str = "app") -> str:
        return self.path("virtualservices", name, "networking.istio.io/v1")

    def send(self, method: str, path: str, body: Any = None, kind: str = JSON, **query: str) -> Answer:
        """A raw request over the official client's connection; `kind` is the content type."""
        response = self._request(method, path, body, kind, query)
        text = response.data.decode()
        parsed = json.loads(text) if text.startswith("{") else {"text": text}
        return Answer(response.status, parsed, response.headers)

    def ok(self, method: str, path: str, body: Any = None, kind: str = JSON, **query: str) -> Document:
        answer = self.send(method, path, body, kind, **query)
        assert answer.status < 300, answer.body
        return answer.body

    def get(self, path: str, accept: str = JSON, **query: str) -> Answer:
        response = self._request("GET", path, None, JSON, query, accept=accept)
        return Answer(response.status, json.loads(response.data), response.headers)

    def watch(
        self, path: str, until: Callable[[list[Document]], bool], seconds: int = 10, **query: str
    ) -> list[Document]:
        """Events of a raw watch, until enough have come or the server ends it."""
        query = {"watch": "true", "timeoutSeconds": str(seconds), **query}
        response = self._request("GET", path, None, JSON, query, preload_content=False)
        events: list[Document] = []
        try:
            rest = b""
            for chunk in response.stream(amt=None):
                *lines, rest = (rest + chunk).split(b"\n")
                events += [json.loads(line) for line in lines if line]
                if until(events):
                    break
        finally:
            response.close()
        return events

    def _request(
        self, method: str, path: str, body: Any, kind: str, query: Document, accept: str = JSON, **more: Any
    ) -> urllib3.BaseHTTPResponse:
        settings = self._client.configuration
        headers = {"Accept": accept, "Content-Type": kind}
        token = settings.get_api_key_with_prefix("authorization") or settings.get_api_key_with_prefix("BearerToken")
        if token:
            headers["Authorization"] = token
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        url = settings.host + path + ("?" + urlencode(query) if query else "")
        return self._client.rest_client.pool_manager.request(method, url, body=data, headers=headers, **more)


def install_istio_kinds(api: Api) -> None:
    """A real cluster without Istio gets the kinds that the checks use."""
    if api.send("GET", "/apis/networking.istio.io/v1").status == 200:
        return
    version = {
        "served": True,
        "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
        "subresources": {"status": {}},
    }
    versions = [{**version, "name": "v1", "storage": True}, {**version, "name": "v1beta1", "storage": False}]
    names = {"plural": "virtualservices", "kind": "VirtualService", "shortNames": ["vs"]}
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "virtualservices.networking.istio.io"},
        "spec": {"group": "networking.istio.io", "names": names, "scope": "Namespaced", "versions": versions},
    }
    api.ok("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition)
    path = "/apis/networking.istio.io/v1/namespaces/default/virtualservices"
    while api.send("GET", path).status != 200:
        time.sleep(0.1)

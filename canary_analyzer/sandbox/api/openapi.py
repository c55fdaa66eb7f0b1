"""OpenAPI documents: enough for kubectl to see which kinds exist and which query parameters and patches they take."""

from __future__ import annotations

from typing import Any

from canary_analyzer.sandbox.api.bodies import PATCHES, STRATEGIC_PATCH
from canary_analyzer.sandbox.api.errors import no_such_path
from canary_analyzer.sandbox.api.resources import Registry, Resource

Document = dict[str, Any]

_PARAMETERS = [
    {"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": True}}
    for name in ("dryRun", "fieldManager", "fieldValidation", "force")
]


def v3_index(registry: Registry) -> Document:
    """/openapi/v3."""
    roots = {_root(resource.group, version) for resource in registry for version in resource.versions}
    return {"paths": {root: {"serverRelativeURL": f"/openapi/v3/{root}"} for root in sorted(roots)}}


def v3(registry: Registry, root: str) -> Document:
    """/openapi/v3/apis/GROUP/VERSION.

    Raises:
        ApiError: 404.
    """
    paths: Document = {}
    schemas: Document = {}
    for resource in registry:
        for version in resource.versions:
            if _root(resource.group, version) == root:
                paths |= _paths(resource, version)
                schemas |= _schema(resource, version)
    if not paths:
        raise no_such_path()
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": "v1.33.1"},
        "paths": paths,
        "components": {"schemas": schemas},
    }


def _root(group: str, version: str) -> str:
    return f"apis/{group}/{version}" if group else f"api/{version}"


def _gvk(resource: Resource, version: str) -> Document:
    return {"group": resource.group, "version": version, "kind": resource.kind}


def _paths(resource: Resource, version: str) -> Document:
    scope = "/namespaces/{namespace}" if resource.namespaced else ""
    collection = f"/{_root(resource.group, version)}{scope}/{resource.plural}"
    # Announced as strategic here, kubectl would look for merge keys in these schemas; otherwise it uses its own.
    kinds = [kind for kind in PATCHES if kind != STRATEGIC_PATCH]
    patch = _operation(resource, version, "patch") | {"requestBody": {"content": {kind: {} for kind in kinds}}}
    return {
        collection: {"post": _operation(resource, version, "post")},
        f"{collection}/{{name}}": {"put": _operation(resource, version, "put"), "patch": patch},
    }


def _operation(resource: Resource, version: str, action: str) -> Document:
    return {
        "parameters": _PARAMETERS,
        "responses": {"200": {"description": "OK"}},
        "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind": _gvk(resource, version),
    }


def _schema(resource: Resource, version: str) -> Document:
    name = ".".join([*reversed(resource.group.split(".")), version, resource.kind]).strip(".")
    properties = {field: {"type": "string"} for field in ("apiVersion", "kind")} | {"metadata": {"type": "object"}}
    schema = {
        "type": "object",
        "properties": properties,
        "x-kubernetes-preserve-unknown-fields": True,
        "x-kubernetes-group-version-kind": [_gvk(resource, version)],
    }
    return {name: schema}


def v2_protobuf() -> bytes:
    """/openapi/v2: an openapi.v2.Document with swagger and info only.

    kubectl up to 1.28 cannot apply without this document, but then falls back on what it knows of the kinds itself.
    """
    info = _text(1, "Kubernetes") + _text(2, "v1.33.1")
    return _text(1, "2.0") + _bytes(2, info)


def v2() -> Document:
    """The same as JSON."""
    return {"swagger": "2.0", "info": {"title": "Kubernetes", "version": "v1.33.1"}, "paths": {}, "definitions": {}}


def _text(number: int, text: str) -> bytes:
    return _bytes(number, text.encode())


def _bytes(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2, len(content)]) + content

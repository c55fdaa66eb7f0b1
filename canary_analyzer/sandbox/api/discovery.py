"""What is served: the documents under /api and /apis, and /version."""

from __future__ import annotations

from typing import Any

from canary_analyzer.sandbox.api.errors import no_such_path
from canary_analyzer.sandbox.api.resources import Registry, Resource

Document = dict[str, Any]

VERSION = {
    "major": "1",
    "minor": "33",
    "gitVersion": "v1.33.1+sandbox",
    "gitCommit": "",
    "gitTreeState": "clean",
    "buildDate": "2025-05-15T08:19:08Z",
    "goVersion": "",
    "compiler": "",
    "platform": "linux/amd64",
}
"""The release whose behaviour is emulated."""

_VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
_REVIEWS = ("selfsubjectaccessreviews", "SelfSubjectAccessReview")


def versions() -> Document:
    """/api."""
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}


def groups(registry: Registry) -> Document:
    """/apis."""
    names = dict.fromkeys([resource.group for resource in registry if resource.group] + ["authorization.k8s.io"])
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(registry, name) for name in names]}


def group(registry: Registry, name: str) -> Document:
    """/apis/GROUP.

    Raises:
        ApiError: 404.
    """
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(registry, name)}


def _group(registry: Registry, name: str) -> Document:
    served = [resource.versions for resource in registry if resource.group == name]
    if name == "authorization.k8s.io":
        served = [("v1",)]
    if not served:
        raise no_such_path()
    entries = [
        {"groupVersion": f"{name}/{version}", "version": version}
        for version in dict.fromkeys(version for versions_ in served for version in versions_)
    ]
    return {"name": name, "versions": entries, "preferredVersion": entries[0]}


def resources(registry: Registry, group_name: str, version: str) -> Document:
    """/api/v1 and /apis/GROUP/VERSION.

    Raises:
        ApiError: 404.
    """
    rows = [
        row
        for resource in registry
        if resource.group == group_name and version in resource.versions
        for row in _rows(resource, version)
    ]
    if (group_name, version) == ("authorization.k8s.io", "v1"):
        plural, kind = _REVIEWS
        rows = [{"name": plural, "singularName": kind.lower(), "namespaced": False, "kind": kind, "verbs": ["create"]}]
    if not rows:
        raise no_such_path()
    group_version = f"{group_name}/{version}" if group_name else version
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": rows}


def _rows(resource: Resource, version: str) -> list[Document]:
    own = {
        "name": resource.plural,
        "singularName": resource.kind.lower(),
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": _VERBS,
    }
    if resource.short_names:
        own["shortNames"] = list(resource.short_names)
    if resource.categories:
        own["categories"] = list(resource.categories)
    return [own, *(_subresource(resource, name, version) for name in sorted(resource.subresources))]


def _subresource(resource: Resource, name: str, version: str) -> Document:
    row = {"name": f"{resource.plural}/{name}", "singularName": "", "namespaced": resource.namespaced}
    if name == "scale":
        return {**row, "group": "autoscaling", "version": "v1", "kind": "Scale", "verbs": ["get", "patch", "update"]}
    if name == "token":
        return {
            **row,
            "group": "authentication.k8s.io",
            "version": "v1",
            "kind": "TokenRequest",
            "verbs": ["create"],
        }
    if name == "log":
        return {**row, "kind": resource.kind, "verbs": ["get"]}
    if name in ("binding", "eviction"):
        return {**row, "kind": name.capitalize(), "version": version, "verbs": ["create"]}
    return {**row, "kind": resource.kind, "verbs": ["get", "patch", "update"]}

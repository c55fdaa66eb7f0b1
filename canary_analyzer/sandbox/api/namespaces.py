"""What namespaces do: hold objects, refuse them while terminating, vanish when empty."""

from __future__ import annotations

from typing import Any

from canary_analyzer.sandbox.api.errors import forbidden, not_found
from canary_analyzer.sandbox.api.resources import Resource
from canary_analyzer.sandbox.api.store import Name, Store

Document = dict[str, Any]

INITIAL = ("default", "kube-node-lease", "kube-public", "kube-system")
"""Namespaces that kube-apiserver itself creates."""


def require_open(store: Store, resource: Resource, name: Name) -> None:
    """Let an object in.

    Raises:
        ApiError: 404 when there is no such namespace, 403 when it is being deleted.
    """
    namespace = store.get(("", "namespaces"), ("", name[0]))
    if namespace is None:
        raise not_found("namespaces", "", name[0])
    if is_terminating(namespace):
        why = f"unable to create new content in namespace {name[0]} because it is being terminated"
        raise forbidden(resource.plural, resource.group, name[1], why)


def is_terminating(namespace: Document) -> bool:
    """Whether a deletion has begun."""
    return "deletionTimestamp" in namespace["metadata"]


def terminating(namespace: Document, time: str) -> Document:
    """The namespace as it looks while its content is being deleted."""
    metadata = {"deletionTimestamp": time, **namespace["metadata"]}
    return {**namespace, "metadata": metadata, "status": {**(namespace.get("status") or {}), "phase": "Terminating"}}


def inhabited(store: Store, name: str) -> bool:
    """Whether anything is left in it."""
    return any(store.all(key, name) for key in store.occupied() if key != ("", "namespaces"))

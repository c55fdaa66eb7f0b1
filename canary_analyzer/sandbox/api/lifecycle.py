"""What becomes of a write: identity, isolation of subresources, defaults, validation, generation, ownership of fields, deletion.

The order of steps is that of k8s.io/apiserver/pkg/registry/rest (BeforeCreate, BeforeUpdate, BeforeDelete).
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from canary_analyzer.sandbox.api import defaults, managed, namespaces, validation
from canary_analyzer.sandbox.api.crds import resource_of
from canary_analyzer.sandbox.api.errors import (
    already_exists,
    bad_request,
    conflict,
    not_found,
)
from canary_analyzer.sandbox.api.resources import Registry, Resource
from canary_analyzer.sandbox.api.store import Name, Store, name_of

Document = dict[str, Any]
Change = Callable[[Document], Document]

_SERVER_OWNED = (
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
    "selfLink",
)


@dataclass(frozen=True, kw_only=True)
class Target:
    """What a request speaks about; `name` is empty for a collection."""

    resource: Resource
    version: str
    namespace: str = ""
    name: str = ""
    subresource: str = ""

    @property
    def key(self) -> Name:
        """Where the store files it."""
        return (self.namespace, self.name)


@dataclass(frozen=True, kw_only=True)
class WriteOptions:
    """How to write: on whose behalf, for real or not; `ownership` replaces the reckoning of managedFields (apply)."""

    manager: str = "unknown"
    dry_run: bool = False
    ownership: Callable[[Document], list[Document]] | None = None


@dataclass(frozen=True, kw_only=True)
class DeleteOptions:
    """Conditions and manner of a deletion; `grace_seconds` None is the kind's default."""

    uid: str | None = None
    resource_version: str | None = None
    grace_seconds: int | None = None
    orphan: bool = False
    dry_run: bool = False


@dataclass(kw_only=True)
class Cluster:
    """All writes go through here; reads may look at the store."""

    store: Store = field(default_factory=Store)
    registry: Registry = field(default_factory=Registry)

    def live(self, target: Target) -> Document:
        """The object that the target names.

        Raises:
            ApiError: 404.
        """
        document = self.store.get(target.resource.key, target.key)
        if document is None:
            raise not_found(target.resource.plural, target.resource.group, target.name)
        return document

    def create(self, target: Target, document: Document, options: WriteOptions) -> Document:
        """Store a new object.

        Raises:
            ApiError: 409 when the name is taken, 404 or 403 for its namespace, 422 for what validation refuses.
        """
        resource = target.resource
        created = self._newborn(target, document)
        name = created["metadata"]["name"]
        if self.store.get(resource.key, name_of(created)):
            raise already_exists(resource.plural, resource.group, name)
        if resource.namespaced:
            namespaces.require_open(self.store, resource, name_of(created))
        created = defaults.complete(resource, created, self.store)
        validation.check(resource, created, None)
        if resource.generation:
            created["metadata"]["generation"] = 1
        created = _owned(created, {}, target, options)
        return created if options.dry_run else self._stored(resource, created)

    def _newborn(self, target: Target, document: Document) -> Document:
        metadata = {k: v for k, v in (document.get("metadata") or {}).items() if k not in _SERVER_OWNED}
        if metadata.pop("resourceVersion", ""):
            raise bad_request("resourceVersion should not be set on objects to be created")
        if not metadata.get("name") and metadata.get("generateName"):
            metadata["name"] = metadata["generateName"] + _random_suffix()
        if target.resource.namespaced:
            metadata = {**metadata, "namespace": _agreed(metadata.get("namespace"), target.namespace, "namespace")}
        else:
            metadata.pop("namespace", None)
        metadata |= {"uid": str(uuid.uuid4()), "creationTimestamp": timestamp()}
        created = {**document, "metadata": metadata}
        if target.resource.status:
            created.pop("status", None)
        return created

    def update(self, target: Target, change: Change, options: WriteOptions) -> Document:
        """Replace an object by what `change` makes of it; nothing is written when nothing changes.

        Raises:
            ApiError: 404, 409 when `change` was based on another version, 422 for what validation refuses.
        """
        resource, live = target.resource, self.live(target)
        proposed = change(live)
        self._check_identity(target, live, proposed)
        merged = _isolated(target, live, _kept(live, proposed))
        merged = defaults.complete(resource, merged, self.store)
        validation.check(resource, merged, live)
        merged["metadata"]["generation"] = _generation(resource, live, merged)
        if not merged["metadata"]["generation"]:
            del merged["metadata"]["generation"]
        merged = _owned(merged, live, target, options)
        if managed.same(merged, live) or options.dry_run:
            return live if not options.dry_run else merged
        stored = self._stored(resource, merged)
        return self._remove_if_finished(resource, stored)

    def _check_identity(self, target: Target, live: Document, proposed: Document) -> None:
        resource, metadata = target.resource, proposed.get("metadata") or {}
        _agreed(metadata.get("name"), target.name, "name")
        _agreed(metadata.get("namespace"), target.namespace, "namespace")
        version = metadata.get("resourceVersion")
        if not version and resource.custom:
            raise validation.missing_resource_version(resource, target.name)
        if version and version != live["metadata"]["resourceVersion"]:
            why = "the object has been modified; please apply your changes to the latest version and try again"
            raise conflict(resource.plural, resource.group, target.name, why)
        _check_uid(target, live, metadata.get("uid"))

    def delete(self, target: Target, options: DeleteOptions) -> tuple[Document, bool]:
        """Delete, or begin to: the last known state and whether the object is gone.

        An object with finalizers, and a pod that runs, is only marked. Dependents are the garbage collector's affair,
        except that orphaning is done here, so that it needs no collector.

        Raises:
            ApiError: 404, 409 for a precondition that does not hold.
        """
        resource, live = target.resource, self.live(target)
        _check_uid(target, live, options.uid)
        if options.resource_version not in (None, live["metadata"]["resourceVersion"]):
            why = f"Precondition failed: ResourceVersion in precondition: {options.resource_version}"
            raise conflict(resource.plural, resource.group, target.name, why)
        if options.dry_run:
            return live, True
        if options.orphan:
            self._orphan(live)
        if resource.plural == "namespaces":
            return self._delete_namespace(target, live)
        return self._delete_marked(target, live, _grace_seconds(resource, live, options))

    def _delete_marked(self, target: Target, live: Document, grace: int) -> tuple[Document, bool]:
        metadata = live["metadata"]
        if not grace and not metadata.get("finalizers"):
            return self._removed(target.resource, live), True
        known = metadata.get("deletionGracePeriodSeconds")
        if "deletionTimestamp" in metadata and known is not None and known <= grace:
            return live, False
        marks = {"deletionTimestamp": timestamp(grace), "deletionGracePeriodSeconds": grace}
        marked = {**live, "metadata": {**metadata, **marks}}
        if target.resource.generation or target.resource.plural == "pods":
            marked["metadata"]["generation"] = metadata.get("generation", 0) + 1
        return self._stored(target.resource, marked), False

    def _remove_if_finished(self, resource: Resource, document: Document) -> Document:
        metadata = document["metadata"]
        waiting = metadata.get("finalizers") or metadata.get("deletionGracePeriodSeconds")
        if "deletionTimestamp" not in metadata or waiting:
            return document
        return self._removed(resource, document)

    def _delete_namespace(self, target: Target, live: Document) -> tuple[Document, bool]:
        marked = namespaces.terminating(live, timestamp())
        self._stored(target.resource, marked)
        for key in self.store.keys():
            resource = self.registry.by_key(key)
            for document in self.store.list(key, target.name) if resource and resource.namespaced else []:
                inner = replace(target, resource=resource, namespace=target.name, name=document["metadata"]["name"])
                self._delete_marked(inner, document, 0)
        self._finish_namespace(target.name)
        return marked, self.store.get(target.resource.key, target.key) is None

    def _finish_namespace(self, name: str) -> None:
        key = ("", "namespaces")
        namespace = self.store.get(key, ("", name))
        if namespace and namespaces.is_terminating(namespace) and not namespaces.inhabited(self.store, name):
            self.store.remove(key, ("", name))

    def _orphan(self, owner: Document) -> None:
        uid = owner["metadata"]["uid"]
        for key in self.store.keys():
            for document in self.store.list(key, owner["metadata"].get("namespace", "")):
                owners = document["metadata"].get("ownerReferences") or []
                others = [reference for reference in owners if reference["uid"] != uid]
                if len(others) < len(owners):
                    self.store.put(key, {**document, "metadata": {**document["metadata"], "ownerReferences": others}})

    def _stored(self, resource: Resource, document: Document) -> Document:
        stored = self.store.put(resource.key, document)
        if resource.plural == "customresourcedefinitions":
            self.registry.add(resource_of(stored))
        return stored

    def _removed(self, resource: Resource, document: Document) -> Document:
        removed = self.store.remove(resource.key, name_of(document))
        if resource.plural == "customresourcedefinitions":
            custom = resource_of(removed)
            self.registry.remove(custom.key)
            for orphan in self.store.list(custom.key):
                self.store.remove(custom.key, name_of(orphan))
        if resource.namespaced:
            self._finish_namespace(document["metadata"]["namespace"])
        return removed


def timestamp(seconds_ahead: int = 0) -> str:
    """Now, or a little later, as Kubernetes writes it."""
    return (datetime.now(UTC) + timedelta(seconds=seconds_ahead)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _random_suffix() -> str:
    return "".join(secrets.choice("bcdfghjklmnpqrstvwxz2456789") for _ in range(5))


def _agreed(in_body: str | None, in_path: str, what: str) -> str:
    if in_body and in_body != in_path:
        raise bad_request(
            f"the {what} of the provided object does not match the {what} sent on the request ({in_body!r}, {in_path!r})"
        )
    return in_path


def _check_uid(target: Target, live: Document, uid: str | None) -> None:
    if uid and uid != live["metadata"]["uid"]:
        why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {live['metadata']['uid']}"
        raise conflict(target.resource.plural, target.resource.group, target.name, why)


def _kept(live: Document, proposed: Document) -> Document:
    """The proposal with the metadata that only the server may write."""
    metadata = {key: value for key, value in (proposed.get("metadata") or {}).items() if key not in _SERVER_OWNED}
    kept = {key: live["metadata"][key] for key in (*_SERVER_OWNED, "name", "namespace") if key in live["metadata"]}
    metadata |= kept
    metadata.setdefault("managedFields", live["metadata"].get("managedFields") or [])
    return {**proposed, "metadata": metadata}


def _isolated(target: Target, live: Document, proposed: Document) -> Document:
    """A write to the object leaves its status alone; a write to the status leaves everything else alone."""
    if target.subresource == "status":
        fields = proposed["metadata"].get("managedFields")
        kept = {**live, "metadata": {**live["metadata"], "managedFields": fields}}
        return {**kept, "status": proposed.get("status") or {}}
    if not target.resource.status or target.subresource:
        return proposed
    isolated = {key: value for key, value in proposed.items() if key != "status"}
    return {**isolated, "status": live["status"]} if "status" in live else isolated


def _generation(resource: Resource, live: Document, merged: Document) -> int:
    generation: int = live["metadata"].get("generation", 0)
    if not resource.generation:
        return generation
    changed = _wish(live) != _wish(merged)
    if resource.generation == "spec+annotations":
        changed = changed or _annotations(live) != _annotations(merged)
    return generation + 1 if changed else generation


def _wish(document: Document) -> Document:
    return {key: value for key, value in document.items() if key not in ("metadata", "status", "apiVersion", "kind")}


def _annotations(document: Document) -> Any:
    return document["metadata"].get("annotations") or {}


def _owned(document: Document, live: Document, target: Target, options: WriteOptions) -> Document:
    """The document with its managedFields brought up to date."""
    if options.ownership:
        fields = options.ownership(document)
    else:
        writer = managed.Writer(
            manager=options.manager,
            api_version=target.resource.api_version(target.version),
            subresource=target.subresource,
            time=timestamp(),
        )
        fields = managed.after_update(document, live, writer, target.resource.custom)
    metadata = {key: value for key, value in document["metadata"].items() if key != "managedFields"}
    return {**document, "metadata": {**metadata, **({"managedFields": fields} if fields else {})}}


def _grace_seconds(resource: Resource, live: Document, options: DeleteOptions) -> int:
    """Only pods that were given to a node die slowly (pkg/registry/core/pod, CheckGracefulDelete)."""
    spec = live.get("spec") or {}
    finished = (live.get("status") or {}).get("phase") in ("Succeeded", "Failed")
    if resource.plural != "pods" or not spec.get("nodeName") or finished:
        return 0
    if options.grace_seconds is not None:
        return max(0, options.grace_seconds)
    return int(spec.get("terminationGracePeriodSeconds", 30))

"""What becomes of a write: it is checked, completed, and stored; a deletion marks or removes.

The order of steps is that of k8s.io/apiserver/pkg/registry/rest (BeforeCreate, BeforeUpdate, BeforeDelete).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from canary_analyzer.sandbox.api import defaults, managed, namespaces, rules, validation
from canary_analyzer.sandbox.api.crds import resource_of
from canary_analyzer.sandbox.api.errors import already_exists, not_found
from canary_analyzer.sandbox.api.requests import Change, DeleteOptions, Target, WriteOptions
from canary_analyzer.sandbox.api.resources import Registry, Resource
from canary_analyzer.sandbox.api.store import Store, name_of

Document = dict[str, Any]

_DEFINITIONS = "customresourcedefinitions"


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
        created = rules.newborn(target, document)
        if self.store.get(resource.key, name_of(created)):
            raise already_exists(resource.plural, resource.group, created["metadata"]["name"])
        if resource.namespaced:
            namespaces.require_open(self.store, resource, name_of(created))
        created = defaults.complete(resource, created, self.store)
        validation.check(resource, created, None)
        created = rules.owned(rules.with_generation(resource, created, None), {}, target, options)
        return created if options.dry_run else self._stored(resource, created)

    def update(self, target: Target, change: Change, options: WriteOptions) -> Document:
        """Replace an object by what `change` makes of it; nothing is written when nothing changes.

        Raises:
            ApiError: 404, 409 when `change` was based on another version, 422 for what validation refuses.
        """
        resource, live = target.resource, self.live(target)
        proposed = change(live)
        rules.check_identity(target, live, proposed)
        merged = rules.isolated(target, live, rules.kept(live, proposed))
        merged = defaults.complete(resource, merged, self.store, live)
        validation.check(resource, merged, live)
        merged = rules.owned(rules.with_generation(resource, merged, live), live, target, options)
        if managed.same(merged, live):
            return live
        return merged if options.dry_run else self._settled(resource, self._stored(resource, merged))

    def delete(self, target: Target, options: DeleteOptions) -> tuple[Document, bool]:
        """Delete, or begin to: the last known state and whether the object is gone.

        An object with finalizers, and a pod that runs, is only marked. Dependents are the garbage collector's affair,
        except that orphaning is done here, so that it needs no collector.

        Raises:
            ApiError: 404, 409 for a precondition that does not hold.
        """
        resource, live = target.resource, self.live(target)
        rules.check_preconditions(target, live, options)
        if options.dry_run:
            return live, True
        if options.orphan:
            self._orphan(live)
        if resource.plural == "namespaces":
            return self._delete_namespace(target, live)
        return self._delete_marked(resource, live, rules.grace_seconds(resource, live, options))

    def _delete_marked(self, resource: Resource, live: Document, grace: int) -> tuple[Document, bool]:
        if not grace and not live["metadata"].get("finalizers"):
            return self._removed(resource, live), True
        marked = rules.marked(resource, live, grace)
        return (live if marked is None else self._stored(resource, marked)), False

    def _settled(self, resource: Resource, document: Document) -> Document:
        """Remove a marked object that nothing holds any longer."""
        metadata = document["metadata"]
        held = metadata.get("finalizers") or metadata.get("deletionGracePeriodSeconds")
        if "deletionTimestamp" not in metadata or held:
            return document
        return self._removed(resource, document)

    def _delete_namespace(self, target: Target, live: Document) -> tuple[Document, bool]:
        marked = self._stored(target.resource, namespaces.terminating(live, rules.timestamp()))
        for key in self.store.occupied():
            resource = self.registry.by_key(key)
            if resource and resource.namespaced:
                for document in self.store.all(key, target.name):
                    self._delete_marked(resource, document, 0)
        self._finish_namespace(target.name)
        return marked, self.store.get(target.resource.key, target.key) is None

    def _finish_namespace(self, name: str) -> None:
        key = ("", "namespaces")
        namespace = self.store.get(key, ("", name))
        if namespace and namespaces.is_terminating(namespace) and not namespaces.inhabited(self.store, name):
            self.store.remove(key, ("", name))

    def _orphan(self, owner: Document) -> None:
        for key in self.store.occupied():
            for document in self.store.all(key, owner["metadata"].get("namespace", "")):
                orphan = rules.disowned(document, owner["metadata"]["uid"])
                if orphan is not None:
                    self.store.put(key, orphan)

    def _stored(self, resource: Resource, document: Document) -> Document:
        stored = self.store.put(resource.key, document)
        if resource.plural == _DEFINITIONS:
            self.registry.add(resource_of(stored))
        return stored

    def _removed(self, resource: Resource, document: Document) -> Document:
        removed = self.store.remove(resource.key, name_of(document))
        if resource.plural == _DEFINITIONS:
            self._withdraw(resource_of(removed))
        if resource.namespaced:
            self._finish_namespace(document["metadata"]["namespace"])
        return removed

    def _withdraw(self, custom: Resource) -> None:
        """Stop serving a kind; its objects go with it."""
        self.registry.remove(custom.key)
        for document in self.store.all(custom.key):
            self.store.remove(custom.key, name_of(document))

"""Objects that are looked at again and again, kept up to date by watches, so that looking costs no requests.

What is read here may be old: a watch can lag, break off, or hang unnoticed until its time is over. So the only thing
that may be concluded from it is that there is nothing to do; whoever wants to write decides anew from the cluster
itself (see `service.reconcile`). An old answer then delays, and never misleads.

Only what was asked for is kept, and watches run only while somebody asks: a service without active runs watches
nothing here. There is one watch for each kind and each watched namespace (one for all namespaces where all are
watched), however many runs there are. Pods are never watched, since every change of every pod would come along.

The rule that keeps it true: a watch begins at a known resourceVersion; an object is read only after its watch has
begun, and of the answer and the events that came meanwhile the greatest resourceVersion wins
(https://github.com/kubernetes/enhancements/tree/master/keps/sig-api-machinery/5504-comparable-resource-version).
"""

import json
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Protocol

import structlog

from canary_analyzer.cluster.client import (
    AUTOSCALERS,
    DEPLOYMENTS,
    HTTP_ROUTES,
    REPLICASETS,
    SERVICES,
    VIRTUAL_SERVICES,
    Cluster,
    Kind,
    Listing,
    Part,
)
from canary_analyzer.cluster.errors import REFUSED, ClusterError, Expired
from canary_analyzer.cluster.pauses import Pauses
from canary_analyzer.routing import Document

log = structlog.get_logger()

WATCHED = frozenset({DEPLOYMENTS, REPLICASETS, SERVICES, VIRTUAL_SERVICES, HTTP_ROUTES, AUTOSCALERS})
UNUSED_SECONDS = 600.0
"""After so long, what nobody has asked for is forgotten: its run is over."""
REFUSED_SECONDS = 600.0
"""After so long, a watch that was refused (not allowed, or the kind unknown) is tried again."""
CHANGES = frozenset({"ADDED", "MODIFIED", "DELETED"})

Key = tuple[str, str]
"""Namespace and name."""


Version = int
"""A resourceVersion, as the number that it is; 0 for what is not there."""


class Reads(Protocol):
    """What can be looked at: the cluster itself, or a cache of it."""

    def find(self, kind: Kind, namespace: str, name: str) -> Document | None:
        """Return one object, or None where there is none."""

    def list(self, kind: Kind, namespace: str = "", labels: str = "") -> Listing:
        """Return the objects of a namespace that a label selector chooses."""


class Cache:
    """Answers from watches where it can, and from the cluster where it cannot. Safe to use from several threads.

    What it returns comes without `metadata.managedFields`; the items of lists are shared, so nobody may change them.

    Args:
        cluster: that is cached.
        namespaces: that are watched; none means all.
    """

    def __init__(self, cluster: Cluster, namespaces: Sequence[str] = ()) -> None:
        self._cluster = cluster
        self._by_namespace = bool(namespaces)
        self._lock = threading.Lock()
        self._mirrors: dict[tuple[Kind, str], _Mirror] = {}

    def find(self, kind: Kind, namespace: str, name: str) -> Document | None:
        """Return one object, or None where there is none."""
        return self._mirror(kind, namespace).find((namespace, name))

    def version(self, kind: Kind, namespace: str, name: str) -> Version | None:
        """Return the version of an object that was asked for before; None where it is not known for sure."""
        return self._mirror(kind, namespace).version((namespace, name))

    def list(self, kind: Kind, namespace: str = "", labels: str = "") -> Listing:
        """Return the objects of a namespace; those that a label selector chooses are always asked for."""
        if labels or not namespace or kind not in WATCHED:
            return self._cluster.list(kind, namespace, labels)
        return self._mirror(kind, namespace).list(namespace)

    def close(self) -> None:
        """Let all watches end, each when the server ends it or it breaks off; from now on nothing is kept or logged."""
        with self._lock:
            for mirror in self._mirrors.values():
                mirror.close()

    def _mirror(self, kind: Kind, namespace: str) -> "_Mirror":
        scope = namespace if self._by_namespace else ""
        with self._lock:
            if (kind, scope) not in self._mirrors:
                self._mirrors[kind, scope] = _Mirror(self._cluster, kind, scope)
            return self._mirrors[kind, scope]


@dataclass(kw_only=True, slots=True)
class _Entry:
    """An object that was asked for; not `known` until there is an answer, and then None where there is none.

    It is kept as JSON, which takes a fifth of the memory, until it is first wanted as part of a list.
    """

    used: float = field(default_factory=time.monotonic)
    version: Version = 0
    known: bool = False
    content: bytes | Document | None = None

    def learn(self, document: Document | None, version: Version) -> None:
        """Take in what was read or told, unless it is older than what is known."""
        if not self.known or version > self.version:
            self.version, self.known = version, True
            self.content = json.dumps(_slim(document)).encode() if document is not None else None

    @property
    def document(self) -> Document | None:
        """The object."""
        return json.loads(self.content) if isinstance(self.content, bytes) else self.content

    def kept(self) -> Document | None:
        """Return the object, the same one each time while it has not changed."""
        self.content = self.document
        return self.content


class _Mirror:
    """Objects of one kind in one namespace (in all for ""); the cluster is asked while there is no watch to rely on."""

    def __init__(self, cluster: Cluster, kind: Kind, scope: str) -> None:
        self._cluster, self._kind, self._scope = cluster, kind, scope
        self._lock = threading.Lock()
        self._entries: dict[Key, _Entry] = {}
        self._whole: dict[str, float] = {}
        """Namespaces all of whose objects are kept, and when each was last asked for."""
        self._version = 0
        """Up to where the watch has told; 0 while there is none, and then nothing is kept."""
        self._connected = False
        """Whether a watch has begun, and was not seen to end."""
        self._epoch = 0
        """Counts watches that did not go on where the one before had stopped."""
        self._refused_until = 0.0
        self._pauses = Pauses()
        self._closed = threading.Event()

    def close(self) -> None:
        self._refused_until = inf
        self._closed.set()

    def find(self, key: Key) -> Document | None:
        with self._lock:
            if not self._is_followed():
                epoch = -1
            elif key[0] in self._whole:
                entry = self._entries.get(key)
                return entry.document if entry is not None else None
            else:
                epoch, entry = self._epoch, self._entries.setdefault(key, _Entry())
                entry.used = time.monotonic()
                if entry.known:
                    return entry.document
        document = self._cluster.find(self._kind, *key)
        with self._lock:
            if epoch == self._epoch and (entry := self._entries.get(key)) is not None:
                entry.learn(document, version_of(document))
                return entry.document
        return _slim(document) if document is not None else None

    def version(self, key: Key) -> Version | None:
        with self._lock:
            entry = self._entries.get(key)
            if not self._is_followed() or entry is None or not entry.known:
                return None
            entry.used = time.monotonic()
            return entry.version if entry.content is not None else 0

    def list(self, namespace: str) -> Listing:
        with self._lock:
            if not self._is_followed():
                return self._cluster.list(self._kind, namespace)
            if namespace not in self._whole:
                # Under the lock: no event is taken in, and so none lost, between the answer and its use.
                for document in self._cluster.list(self._kind, namespace).items:
                    self._entries.setdefault(_key(document), _Entry()).learn(document, version_of(document))
            self._whole[namespace] = time.monotonic()
            kept = [entry.kept() for (where, _), entry in self._entries.items() if where == namespace]
        return Listing(items=[document for document in kept if document is not None], version=str(self._version))

    def _is_followed(self) -> bool:
        """Whether a watch keeps what is known up to date; one is begun where there is none. The lock is held."""
        if self._version or time.monotonic() < self._refused_until:
            return self._connected
        try:
            self._version = int(self._cluster.list(self._kind, self._scope, part=Part(limit=1)).version)
        except ClusterError as error:
            wait = max(self._pauses.after(0.0), error.retry_after)
            if error.status in REFUSED:
                wait = REFUSED_SECONDS
                log.warning("cannot be watched, so each look is a request", kind=self._kind.plural, error=str(error))
            self._refused_until = time.monotonic() + wait
            return False
        self._connected = True
        threading.Thread(target=self._follow, name=f"watch {self._kind.plural}", daemon=True).start()
        return True

    def _follow(self) -> None:
        """Watch until nobody asks any more, or events were missed; whoever asks next begins anew."""
        goes_on, is_first = True, True
        while goes_on and self._is_used():
            began, wait = time.monotonic(), 0.0
            try:
                if not is_first:
                    self._require_onwards()
                is_first = False
                self._watch()
            except Expired:
                goes_on = False
            except ClusterError as error:
                if not self._closed.is_set():
                    log.warning("a watch broke off, trying again", kind=self._kind.plural, error=str(error))
                wait = error.retry_after
            except Exception:
                log.exception("a watch broke off by a defect of ours, beginning anew", kind=self._kind.plural)
                goes_on = False
            self._connected = False
            self._closed.wait(max(wait, self._pauses.after(time.monotonic() - began)))
        self._forget()

    def _require_onwards(self) -> None:
        """Raise `Expired` where the cluster was restored from a backup: what is known would seem newer than what is."""
        if int(self._cluster.list(self._kind, self._scope, part=Part(limit=1)).version) < self._version:
            raise Expired(f"{self._kind.plural} are as they were some time ago")

    def _watch(self) -> None:
        events = self._cluster.watch(self._kind, str(self._version), self._scope)
        self._connected = True
        for change, document in events:
            self._take_in(change, document)

    def _take_in(self, change: str, document: Document) -> None:
        with self._lock:
            self._version = max(self._version, version_of(document))
            if change not in CHANGES:
                return
            key = _key(document)
            entry = self._entries.setdefault(key, _Entry()) if key[0] in self._whole else self._entries.get(key)
            if entry is not None:
                entry.learn(None if change == "DELETED" else document, version_of(document))

    def _is_used(self) -> bool:
        """Forget what nobody has asked for, and tell whether anything is left."""
        since = time.monotonic() - UNUSED_SECONDS
        with self._lock:
            self._whole = {namespace: used for namespace, used in self._whole.items() if used >= since}
            self._entries = {
                key: entry
                for key, entry in self._entries.items()
                if entry.used >= since or (key[0] in self._whole and entry.content is not None)
            }
            return bool(self._entries or self._whole) and not self._closed.is_set()

    def _forget(self) -> None:
        with self._lock:
            self._entries, self._whole, self._version, self._connected = {}, {}, 0, False
            self._epoch += 1


def _key(document: Document) -> Key:
    return document["metadata"]["namespace"], document["metadata"]["name"]


def version_of(document: Document | None) -> Version:
    """Return the resourceVersion of an object."""
    return int(document["metadata"]["resourceVersion"]) if document is not None else 0


def _slim(document: Document) -> Document:
    """Leave out who owns which field, which is often longer than all the rest."""
    metadata = {name: value for name, value in document["metadata"].items() if name != "managedFields"}
    return {**document, "metadata": metadata}

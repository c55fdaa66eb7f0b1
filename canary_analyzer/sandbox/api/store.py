"""Objects, the revision counter and the history that watches read.

Documents in the store are never changed in place: a write puts another document there. That makes a list a snapshot.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from canary_analyzer.sandbox.api.errors import expired

Document = dict[str, Any]
Key = tuple[str, str]
Name = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class Change:
    """One write: what was there before and after; `None` before a creation, and after a deletion the last state."""

    revision: int
    before: Document | None
    after: Document
    deleted: bool = False


class _Log:
    """The latest changes of one resource, and an alarm for those who wait for the next."""

    def __init__(self) -> None:
        self.changes: list[Change] = []
        self.dropped = 0
        self.compacted = 0
        self.alarm = asyncio.Event()

    def append(self, change: Change, keep: int) -> None:
        self.changes.append(change)
        if len(self.changes) > 2 * keep:
            self.compacted = self.changes[keep - 1].revision
            self.dropped += keep
            del self.changes[:keep]
        alarm, self.alarm = self.alarm, asyncio.Event()
        alarm.set()


class Cursor:
    """A reader's place in the history of one resource."""

    def __init__(self, log: _Log, since: int) -> None:
        if since < log.compacted:
            raise expired(f"too old resource version: {since} ({log.compacted})")
        self._log = log
        self._position = log.dropped + bisect_right(log.changes, since, key=lambda change: change.revision)

    def take(self) -> list[Change]:
        """The changes since the last call.

        Raises:
            ApiError: 410 when the reader has fallen behind the history that is kept.
        """
        if self._position < self._log.dropped:
            raise expired(f"too old resource version: the reader fell behind ({self._log.compacted})")
        fresh = self._log.changes[self._position - self._log.dropped :]
        self._position += len(fresh)
        return fresh

    async def wait(self, seconds: float) -> None:
        """Wait for the next change, but no longer than this."""
        if self._position < self._log.dropped + len(self._log.changes):
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._log.alarm.wait()


class Store:
    """The cluster's state; only the event loop's thread may touch it.

    Args:
        history: changes kept for every resource (up to twice as many); older ones answer 410 Gone.
    """

    def __init__(self, history: int = 5000) -> None:
        self.revision = 1
        self._history = history
        self._objects: dict[Key, dict[Name, Document]] = defaultdict(dict)
        self._logs: dict[Key, _Log] = defaultdict(_Log)

    def get(self, key: Key, name: Name) -> Document | None:
        """The object as it is now; do not change it."""
        return self._objects[key].get(name)

    def all(self, key: Key, namespace: str = "") -> list[Document]:
        """A snapshot ordered by namespace and name; all namespaces when `namespace` is empty."""
        items = sorted(self._objects[key].items())
        return [document for name, document in items if namespace in ("", name[0])]

    def put(self, key: Key, document: Document) -> Document:
        """Create or replace; the stored document carries the new resourceVersion."""
        name = name_of(document)
        stored = self._stamped(document)
        change = Change(revision=self.revision, before=self._objects[key].get(name), after=stored)
        self._objects[key][name] = stored
        self._logs[key].append(change, self._history)
        return stored

    def remove(self, key: Key, name: Name) -> Document:
        """Take away; the last state carries the deletion's resourceVersion."""
        before = self._objects[key].pop(name)
        stored = self._stamped(before)
        self._logs[key].append(Change(revision=self.revision, before=before, after=stored, deleted=True), self._history)
        return stored

    def occupied(self) -> list[Key]:
        """Resources of which objects exist."""
        return [key for key, objects in self._objects.items() if objects]

    def follow(self, key: Key, since: int) -> Cursor:
        """A place in the history from which every change after revision `since` can be read.

        Raises:
            ApiError: 410 when `since` lies before the history that is kept.
        """
        return Cursor(self._logs[key], since)

    def _stamped(self, document: Document) -> Document:
        self.revision += 1
        return {**document, "metadata": {**document["metadata"], "resourceVersion": str(self.revision)}}


def name_of(document: Document) -> Name:
    """(namespace, name); the namespace of a cluster-wide object is empty."""
    return (document["metadata"].get("namespace", ""), document["metadata"]["name"])

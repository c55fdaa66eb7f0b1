"""Watch: initial state, changes, bookmarks, time-out (kubernetes.io/docs/reference/using-api/api-concepts)."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Any

from canary_analyzer.sandbox.api.errors import ApiError, bad_request
from canary_analyzer.sandbox.api.reads import selection
from canary_analyzer.sandbox.api.requests import Target
from canary_analyzer.sandbox.api.selectors import Matches
from canary_analyzer.sandbox.api.store import Change, Store

Document = dict[str, Any]

_INITIAL_END = {"k8s.io/initial-events-end": "true"}


@dataclass(frozen=True, kw_only=True)
class WatchRequest:
    """A watch as the query words it; `since` None asks for the present state first."""

    since: int | None
    bookmarks: bool
    initial_end: bool
    seconds: float

    @classmethod
    def parse(cls, query: Mapping[str, str]) -> WatchRequest:
        """Read the query.

        Raises:
            ApiError: 400 for values that are no numbers.
        """
        version, initial = query.get("resourceVersion", ""), query.get("sendInitialEvents") == "true"
        try:
            since = None if version in ("", "0") or initial else int(version)
            seconds = float(query.get("timeoutSeconds") or 0)
        except ValueError as problem:
            raise bad_request(f"invalid watch parameters: {problem}") from problem
        bookmarks = query.get("allowWatchBookmarks") in ("true", "1")
        # A real server picks 30 to 60 minutes, so that not all clients come back at the same time.
        chosen = seconds or random.uniform(1800, 3600)  # noqa: S311
        return cls(since=since, bookmarks=bookmarks, initial_end=initial and bookmarks, seconds=chosen)


async def events(
    store: Store, target: Target, query: Mapping[str, str], bookmark_every: float
) -> AsyncGenerator[Document, None]:
    """Watch events with whole objects, until the time is over.

    Raises:
        ApiError: 400 before the first event for a bad query; 410 as soon as the history no longer reaches back.
    """
    request, matches = WatchRequest.parse(query), selection(target, query)
    cursor = store.follow(target.resource.key, store.revision if request.since is None else request.since)
    for event in _initial(store, target, request, matches):
        yield event
    loop = asyncio.get_running_loop()
    end = loop.time() + request.seconds
    while (left := end - loop.time()) > 0:
        await cursor.wait(min(left, bookmark_every))
        changes = cursor.take()
        told = [event for event in (_event(change, matches) for change in changes) if event]
        for event in told if changes or not request.bookmarks else [_bookmark(store.revision)]:
            yield event


def _initial(store: Store, target: Target, request: WatchRequest, matches: Matches) -> list[Document]:
    """What there is, for a watch that does not say since when."""
    if request.since is not None:
        return []
    documents = store.all(target.resource.key, target.namespace)
    end = [_bookmark(store.revision, _INITIAL_END)] if request.initial_end else []
    return [*({"type": "ADDED", "object": document} for document in documents if matches(document)), *end]


def _event(change: Change, matches: Matches) -> Document | None:
    """What the change means to one who sees only the selected objects."""
    was = change.before is not None and matches(change.before)
    is_now = not change.deleted and matches(change.after)
    if not was and not is_now:
        return None
    kind = "DELETED" if not is_now else "MODIFIED" if was else "ADDED"
    if not is_now and not change.deleted and change.before:
        metadata = {**change.before["metadata"], "resourceVersion": change.after["metadata"]["resourceVersion"]}
        return {"type": kind, "object": {**change.before, "metadata": metadata}}
    return {"type": kind, "object": change.after}


def _bookmark(revision: int, annotations: Document | None = None) -> Document:
    metadata: Document = {"resourceVersion": str(revision), "creationTimestamp": None}
    if annotations:
        metadata["annotations"] = annotations
    return {"type": "BOOKMARK", "object": {"metadata": metadata}}


def gone(problem: ApiError) -> Document:
    """The event that ends a watch whose history was compacted."""
    return {"type": "ERROR", "object": problem.document()}

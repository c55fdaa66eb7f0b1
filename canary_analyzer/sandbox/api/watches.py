"""Watch: initial state, changes, bookmarks, time-out (kubernetes.io/docs/reference/using-api/api-concepts)."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from canary_analyzer.sandbox.api.errors import ApiError, bad_request
from canary_analyzer.sandbox.api.reads import selection
from canary_analyzer.sandbox.api.requests import Target
from canary_analyzer.sandbox.api.selectors import Matches
from canary_analyzer.sandbox.api.store import Change, Store

Document = dict[str, Any]
Render = Callable[[Document], Document]

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
    since = request.since
    if since is None:
        since = store.revision
        for document in store.all(target.resource.key, target.namespace):
            if matches(document):
                yield {"type": "ADDED", "object": document}
        if request.initial_end:
            yield _bookmark(since, _INITIAL_END)
    async with aclosing(store.changes(target.resource.key, since)) as changes:
        async for event in _timed(changes, request, bookmark_every):
            told = _bookmark(max(store.revision, since)) if event is None else _event(event, matches)
            if told:
                yield told


async def _timed(
    changes: AsyncGenerator[Change, None], request: WatchRequest, bookmark_every: float
) -> AsyncGenerator[Change | None, None]:
    """Changes until the time is over; None where a bookmark is due, also at the end."""
    loop = asyncio.get_running_loop()
    end = loop.time() + request.seconds
    following: asyncio.Future[Change] = asyncio.ensure_future(anext(changes))
    try:
        while (left := end - loop.time()) > 0:
            await asyncio.wait({following}, timeout=min(left, bookmark_every))
            if following.done():
                yield following.result()
                following = asyncio.ensure_future(anext(changes))
            elif request.bookmarks:
                yield None
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


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

"""Get and list: selection, pages, and the form in which documents leave the server."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from canary_analyzer.sandbox.api.errors import bad_request, expired
from canary_analyzer.sandbox.api.requests import Target
from canary_analyzer.sandbox.api.selectors import Matches, field_selector, label_selector
from canary_analyzer.sandbox.api.store import Store

Document = dict[str, Any]

_REMEMBERED_PAGES = 100
_TOKEN_LENGTH = 24


def present(target: Target, document: Document) -> Document:
    """The document in the version that was asked for."""
    kind, version = target.resource.kind, target.resource.api_version(target.version)
    return {
        "kind": kind,
        "apiVersion": version,
        **{k: v for k, v in document.items() if k not in ("kind", "apiVersion")},
    }


def selection(target: Target, query: Mapping[str, str]) -> Matches:
    """A test for what the request selects: namespace, name, labels and fields.

    Raises:
        ApiError: 400 for a selector that cannot be read.
    """
    labels = label_selector(query.get("labelSelector", ""))
    fields = field_selector(query.get("fieldSelector", ""), target.resource.plural)

    def matches(document: Document) -> bool:
        metadata = document["metadata"]
        inside = target.namespace in ("", metadata.get("namespace", ""))
        named = target.name in ("", metadata["name"])
        return inside and named and labels(document) and fields(document)

    return matches


@dataclass(frozen=True, kw_only=True)
class Page:
    """Some objects of a list; `rest` counts those that follow, `token` fetches them."""

    items: Sequence[Document]
    revision: int
    token: str = ""
    rest: int = 0


class Pages:
    """Lists in pieces: every piece comes from the snapshot that the first one was taken from."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._pending: OrderedDict[str, Page] = OrderedDict()

    def page(self, target: Target, query: Mapping[str, str]) -> Page:
        """The objects that a list request asks for.

        Raises:
            ApiError: 400 for a bad selector or limit, 410 for a continue token that is no longer known.
        """
        token = query.get("continue", "")
        if not token:
            matches = selection(target, query)
            items = [item for item in self._store.all(target.resource.key, target.namespace) if matches(item)]
            return self._split(Page(items=items, revision=self._store.revision), _number(query, "limit"))
        if len(token) != _TOKEN_LENGTH:
            raise bad_request("invalid continue token: continue key is not valid")
        pending = self._pending.get(token)
        if pending is None:
            raise expired("The provided continue parameter is too old to display a consistent list result.")
        return self._split(pending, _number(query, "limit"))

    def forget(self) -> None:
        """Let every continue token expire, as a real server does after five minutes."""
        self._pending.clear()

    def _split(self, page: Page, limit: int) -> Page:
        if not 0 < limit < len(page.items):
            return page
        token = secrets.token_urlsafe(_TOKEN_LENGTH * 3 // 4)
        self._pending[token] = Page(items=page.items[limit:], revision=page.revision)
        while len(self._pending) > _REMEMBERED_PAGES:
            self._pending.popitem(last=False)
        return Page(items=page.items[:limit], revision=page.revision, token=token, rest=len(page.items) - limit)


def list_document(target: Target, page: Page) -> Document:
    """The List object; items of built-in kinds do not repeat kind and version, as on a real server."""
    items = [present(target, item) for item in page.items]
    if not target.resource.custom:
        items = [{k: v for k, v in item.items() if k not in ("kind", "apiVersion")} for item in items]
    return {
        "kind": target.resource.kind + "List",
        "apiVersion": target.resource.api_version(target.version),
        "metadata": list_metadata(page),
        "items": items,
    }


def list_metadata(page: Page) -> Document:
    """The resourceVersion and, when the list goes on, how to continue."""
    metadata: Document = {"resourceVersion": str(page.revision)}
    if page.token:
        metadata |= {"continue": page.token, "remainingItemCount": page.rest}
    return metadata


def _number(query: Mapping[str, str], name: str) -> int:
    try:
        return int(query.get(name) or 0)
    except ValueError as problem:
        raise bad_request(f"{name}: Invalid value: {query[name]!r}: must be a number") from problem

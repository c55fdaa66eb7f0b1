"""Who owns which field: `metadata.managedFields` (sigs.k8s.io/structured-merge-diff).

A set of fields is a frozenset of paths; a step of a path is a FieldsV1 key such as `f:spec`, `k:{"name":"app"}`,
`v:"finalizer"`; a last step `.` stands for the map or the list item itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from canary_analyzer.sandbox.api.lists import ListRule, atomic_map, list_rule

Document = dict[str, Any]
Path = tuple[str, ...]
Fields = frozenset[Path]

_UNOWNED = frozenset(
    ("f:metadata", f"f:{name}")
    for name in (
        "name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp",
        "deletionGracePeriodSeconds", "managedFields", "selfLink", "generateName",
    )
) | {("f:apiVersion",), ("f:kind",)}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Writer:
    """On whose behalf, through which version and subresource, and when something is written."""

    manager: str
    api_version: str
    subresource: str = ""
    time: str

    def is_same(self, entry: Document, operation: str) -> bool:
        """Whether the entry is this writer's."""
        return (
            entry.get("manager"),
            entry.get("operation"),
            entry.get("subresource", ""),
            entry.get("apiVersion"),
        ) == (
            self.manager,
            operation,
            self.subresource,
            self.api_version,
        )

    def entry(self, operation: str, fields: Fields) -> Document:
        """A managedFields entry."""
        entry = {
            "manager": self.manager,
            "operation": operation,
            "apiVersion": self.api_version,
            "time": self.time,
            "fieldsType": "FieldsV1",
            "fieldsV1": encode(fields),
        }
        return {**entry, "subresource": self.subresource} if self.subresource else entry


def item_step(item: Any, rule: ListRule) -> str:
    """The step that leads to an item of a list that is no atom."""
    identity = rule.identity(item)
    if not rule.keys:
        return "v:" + json.dumps(item)
    keys = {key: value for key, value in zip(rule.keys, identity, strict=True) if value is not None}
    return "k:" + json.dumps(keys, separators=(",", ":"), sort_keys=True)


def leaves(document: Document, custom: bool) -> dict[Path, Any]:
    """Every field that can be owned, with its value."""
    found = dict(_walk(document, (), (), custom))
    return {path: value for path, value in found.items() if path[:2] not in _UNOWNED and path[:1] not in _UNOWNED}


def _walk(value: Any, path: Path, names: Path, custom: bool) -> Iterator[tuple[Path, Any]]:
    rule = list_rule(names, custom) if isinstance(value, list) and names else None
    if isinstance(value, dict) and value and not (names and atomic_map(names, custom)):
        if names[-1:] in (("labels",), ("annotations",)):
            yield (*path, "."), None
        for key, inner in value.items():
            yield from _walk(inner, (*path, f"f:{key}"), (*names, key), custom)
    elif rule and value:
        for item in value:
            yield from _item(item, (*path, item_step(item, rule)), names, custom)
    else:
        yield path, value


def _item(item: Any, path: Path, names: Path, custom: bool) -> Iterator[tuple[Path, Any]]:
    if not isinstance(item, dict):
        yield path, item
        return
    yield (*path, "."), None
    for key, inner in item.items():
        yield from _walk(inner, (*path, f"f:{key}"), (*names, key), custom)


def encode(fields: Iterable[Path]) -> Document:
    """FieldsV1."""
    root: Document = {}
    for path in sorted(fields):
        node = root
        for step in path:
            node = node.setdefault(step, {})
    return root


def decode(encoded: Document) -> Fields:
    """The set that a FieldsV1 stands for."""
    return frozenset(_paths(encoded, ()))


def _paths(node: Document, path: Path) -> Iterator[Path]:
    if not node and path:
        yield path
    for step, inner in node.items():
        yield from _paths(inner, (*path, step))


def after_update(document: Document, live: Document, writer: Writer, custom: bool) -> list[Document]:
    """The entries after `writer` turned `live` into `document`: what changed is the writer's now, nobody else's."""
    new, old = leaves(document, custom), leaves(live, custom) if live else {}
    if not writer.subresource:
        # What the server itself says at first belongs to nobody.
        new = {path: value for path, value in new.items() if path[0] != "f:status" or path in old}
    changed = frozenset(path for path, value in new.items() if path not in old or old[path] != value)
    gone = frozenset(old.keys() - new.keys())
    entries = [entry for entry in document["metadata"].get("managedFields") or [] if entry.get("fieldsV1")]
    return in_order([*_without(entries, changed | gone, writer), *_mine(entries, changed, gone, writer)])


def in_order(entries: list[Document]) -> list[Document]:
    """As a real server lists them: appliers first, then by time and name."""
    return sorted(entries, key=lambda e: (e.get("operation") != "Apply", e.get("time", ""), e.get("manager", "")))


def _without(entries: list[Document], lost: Fields, writer: Writer) -> Iterator[Document]:
    for entry in entries:
        if writer.is_same(entry, "Update"):
            continue
        owned = decode(entry["fieldsV1"])
        if not owned & lost:
            yield entry
        elif owned - lost:
            yield {**entry, "fieldsV1": encode(owned - lost)}


def _mine(entries: list[Document], changed: Fields, gone: Fields, writer: Writer) -> Iterator[Document]:
    mine = next((entry for entry in entries if writer.is_same(entry, "Update")), None)
    owned = decode(mine["fieldsV1"]) if mine else frozenset()
    fields = (owned - gone) | changed
    if mine and fields == owned and not changed:
        yield mine
    elif fields:
        yield writer.entry("Update", fields)


def same(one: Document, other: Document) -> bool:
    """Whether two states differ in nothing but the times of their managedFields entries."""
    return _timeless(one) == _timeless(other)


def _timeless(document: Document) -> Document:
    metadata = {key: value for key, value in document["metadata"].items() if key != "resourceVersion"}
    fields = [
        {key: value for key, value in entry.items() if key != "time"} for entry in metadata.get("managedFields") or []
    ]
    return {**document, "metadata": {**metadata, "managedFields": fields}}

"""Server-side apply (kubernetes.io/docs/reference/using-api/server-side-apply)."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from typing import Any

from canary_analyzer.sandbox.api.errors import ApiError, Cause
from canary_analyzer.sandbox.api.lists import ListRule, atomic_map, list_rule
from canary_analyzer.sandbox.api.managed import Fields, Path, Writer, decode, encode, in_order, item_step, leaves

Document = dict[str, Any]
Entries = list[Document]

_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def apply(live: Document, wish: Document, writer: Writer, *, custom: bool, force: bool) -> tuple[Document, Entries]:
    """Merge a wish into the live object: the new object, and the entries of who owns what afterwards.

    Raises:
        ApiError: 409 that names every field which another manager owns with another value, unless `force`.
    """
    wanted = _said(wish, custom)
    entries = (live.get("metadata") or {}).get("managedFields") or []
    others = [entry for entry in entries if not writer.is_same(entry, "Apply")]
    mine = [entry for entry in entries if writer.is_same(entry, "Apply")]
    lost = _conflicts(leaves(live, custom) if live else {}, wanted, others)
    if lost and not force and not _was_applied_client_side(live, writer, lost, custom):
        raise _conflict_error(lost)
    abandoned = frozenset(path for entry in mine for path in decode(entry["fieldsV1"])) - wanted.keys()
    kept_elsewhere = frozenset(path for entry in others for path in decode(entry["fieldsV1"]))
    merged = _merge(live, wish, (), custom)
    # Whole list items go before their fields: without its key field an item could no longer be found.
    for path in sorted(abandoned - kept_elsewhere, key=lambda path: (len(path), path[-1] != ".")):
        if not _shared(path, kept_elsewhere | wanted.keys()):
            _remove(merged, path, ())
    stripped = _stripped(others, frozenset(path for path, _ in lost))
    return merged, [*stripped, writer.entry("Apply", frozenset(wanted))]


def _said(wish: Document, custom: bool) -> dict[Path, Any]:
    """The fields of a wish: unlike an update, an apply does not own the maps around them."""
    found = leaves(wish, custom)
    return {path: value for path, value in found.items() if path[-1] != "." or path[-2].startswith("k:")}


def ownership(entries: Entries, live: Document, writer: Writer) -> Callable[[Document], Entries]:
    """The entries as the result shall carry them; an apply that changes no ownership keeps its time."""
    known = next(
        (e for e in (live.get("metadata") or {}).get("managedFields") or [] if writer.is_same(e, "Apply")), None
    )
    mine = next(entry for entry in entries if writer.is_same(entry, "Apply"))
    others = [entry for entry in entries if entry is not mine]
    same = known is not None and known["fieldsV1"] == mine["fieldsV1"]
    return lambda _: in_order([*others, known if same and known else mine])


def _conflicts(live: Mapping[Path, Any], wanted: Mapping[Path, Any], others: Entries) -> list[tuple[Path, str]]:
    differing = {path for path, value in wanted.items() if path in live and live[path] != value}
    return [
        (path, _describe(entry)) for entry in others for path in sorted(differing & decode(entry.get("fieldsV1") or {}))
    ]


def _was_applied_client_side(live: Document, writer: Writer, lost: list[tuple[Path, str]], custom: bool) -> bool:
    """Whether `kubectl apply` takes what it once applied from the client side (fieldmanager/lastappliedmanager.go)."""
    text = ((live.get("metadata") or {}).get("annotations") or {}).get(_LAST_APPLIED)
    if writer.manager != "kubectl" or not text:
        return False
    return {path for path, _ in lost} <= leaves(json.loads(text), custom).keys()


def _describe(entry: Document) -> str:
    using = f" using {entry['apiVersion']}" if entry.get("operation") == "Update" else ""
    return f'conflict with "{entry["manager"]}"{using}'


def _conflict_error(lost: list[tuple[Path, str]]) -> ApiError:
    causes = [Cause(field=_shown(path), reason="FieldManagerConflict", message=message) for path, message in lost]
    listed = "; ".join(f"{cause.message}: {cause.field}" for cause in causes)
    noun = "conflict" if len(causes) == 1 else "conflicts"
    details = {"causes": [{"reason": c.reason, "message": c.message, "field": c.field} for c in causes]}
    return ApiError(409, "Conflict", f"Apply failed with {len(causes)} {noun}: {listed}", details)


def _shown(path: Path) -> str:
    shown = ""
    for step in path:
        kind, _, rest = step.partition(":")
        if kind == "f":
            shown += "." + rest
        elif kind == "k":
            shown += "[" + ",".join(f"{key}={json.dumps(value)}" for key, value in json.loads(rest).items()) + "]"
        elif kind == "v":
            shown += f"[{rest}]"
    return shown


def _stripped(entries: Entries, lost: Fields) -> Entries:
    kept = []
    for entry in entries:
        fields = decode(entry.get("fieldsV1") or {})
        if not fields & lost:
            kept.append(entry)
        elif fields - lost:
            kept.append({**entry, "fieldsV1": encode(fields - lost)})
    return kept


def _merge(live: Any, wish: Any, names: Path, custom: bool) -> Any:
    if isinstance(wish, dict) and isinstance(live, dict) and not (names and atomic_map(names, custom)):
        merged = dict(live)
        for key, value in wish.items():
            merged[key] = _merge(live.get(key), value, (*names, key), custom)
        return merged
    rule = list_rule(names, custom) if isinstance(wish, list) and isinstance(live, list) else None
    return _merge_items(live, wish, rule, names, custom) if rule else copy.deepcopy(wish)


def _merge_items(live: list[Any], wish: list[Any], rule: ListRule, names: Path, custom: bool) -> list[Any]:
    wished = {rule.identity(item): item for item in wish}
    merged = []
    for item in live:
        identity = rule.identity(item)
        merged.append(_merge(item, wished.pop(identity), names, custom) if identity in wished else item)
    return [*merged, *copy.deepcopy(list(wished.values()))]


def _shared(path: Path, owned: Fields) -> bool:
    """Whether a map or list item that is given up still holds something that is owned."""
    if path[-1] != "." and not path[-1].startswith(("k:", "v:")):
        return any(other[: len(path)] == path for other in owned)
    return any(other[: len(path) - 1] == path[:-1] for other in owned) if path[-1] == "." else False


def _remove(node: Any, path: Path, names: Path) -> None:
    """Take the field at `path` out of `node`; containers that become empty go too."""
    step, rest = path[0], path[1:]
    kind, _, text = step.partition(":")
    if kind == "f" and isinstance(node, dict) and text in node:
        inner = node[text] = copy.copy(node[text])
        if rest and rest != (".",):
            _remove(inner, rest, (*names, text))
        if not rest or rest == (".",) or inner in ({}, []):
            del node[text]
    elif kind in ("k", "v") and isinstance(node, list):
        _remove_item(node, step, rest, names)


def _remove_item(items: list[Any], step: str, rest: Path, names: Path) -> None:
    rule = list_rule(names, custom=False) or ListRule()
    for i, item in enumerate(items):
        if item_step(item, rule) == step:
            if not rest or rest == (".",):
                del items[i]
            else:
                items[i] = copy.copy(item)
                _remove(items[i], rest, names)
            return

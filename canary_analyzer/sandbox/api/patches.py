"""The three patch formats that are functions of the live object: JSON patch, merge patch, strategic merge patch.

RFC 6902, RFC 7386, and sig-api-machinery/strategic-merge-patch.md of the Kubernetes community repository.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import jsonpatch
import jsonpointer

from canary_analyzer.sandbox.api.errors import ApiError, bad_request
from canary_analyzer.sandbox.api.lists import list_rule

Document = dict[str, Any]

_DIRECTIVE = "$patch"
_DELETE_PRIMITIVES = "$deleteFromPrimitiveList/"
_ORDER = "$setElementOrder/"
_RETAIN = "$retainKeys"


def json_patch(live: Document, operations: Any) -> Document:
    """Apply an RFC 6902 patch.

    Raises:
        ApiError: 400 when it is no patch, 422 when an operation fails; a failed `test` is 422 too, as on a real server.
    """
    try:
        patched = jsonpatch.JsonPatch(operations).apply(live)
    except (jsonpatch.InvalidJsonPatch, TypeError) as problem:
        raise bad_request(f"error decoding patch: {problem}") from problem
    except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException) as problem:
        message = f"the server rejected our request due to an error in our request: {problem}"
        raise ApiError(422, "Invalid", message) from problem
    if not isinstance(patched, dict):
        raise bad_request("error decoding patch: the result is not an object")
    return patched


def merge_patch(live: Any, patch: Any) -> Any:
    """Apply an RFC 7386 patch: null deletes, lists are replaced."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    merged = dict(live) if isinstance(live, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value)
    return merged


def strategic_merge_patch(live: Document, patch: Document) -> Document:
    """Apply a strategic merge patch by the list rules of the built-in types.

    Raises:
        ApiError: 400 for an item without its merge key or an unknown directive.
    """
    merged = _merge_map(live, patch, ())
    return merged if merged is not None else {}


def _merge_map(live: Any, patch: Document, path: tuple[str, ...]) -> Document | None:
    directive = patch.get(_DIRECTIVE, "merge")
    if directive == "delete":
        return None
    content = {key: value for key, value in patch.items() if not key.startswith("$")}
    if directive == "replace":
        return copy.deepcopy(content)
    if directive != "merge":
        raise bad_request(f"unrecognized $patch directive: {directive}")
    merged = dict(live) if isinstance(live, dict) else {}
    if _RETAIN in patch:
        merged = {key: value for key, value in merged.items() if key in patch[_RETAIN]}
    for key, value in content.items():
        _merge_field(merged, key, value, (*path, key))
    _delete_primitives(merged, patch)
    _reorder(merged, patch, path)
    return merged


def _merge_field(merged: Document, key: str, value: Any, path: tuple[str, ...]) -> None:
    if value is None:
        merged.pop(key, None)
    elif isinstance(value, dict):
        result = _merge_map(merged.get(key), value, path)
        if result is None:
            merged.pop(key, None)
        else:
            merged[key] = result
    elif isinstance(value, list):
        merged[key] = _merge_list(merged.get(key) or [], value, path)
    else:
        merged[key] = value


def _merge_list(live: Sequence[Any], patch: Sequence[Any], path: tuple[str, ...]) -> list[Any]:
    rule = list_rule(path, custom=False)
    if rule is None:
        return [copy.deepcopy(item) for item in patch if not _is_directive(item)]
    if not rule.merge:
        return [*live, *(item for item in patch if item not in live)]
    if any(_is_directive(item) and item[_DIRECTIVE] == "replace" for item in patch):
        return [copy.deepcopy(item) for item in patch if not _is_directive(item)]
    merged = list(live)
    for item in patch:
        _merge_item(merged, item, rule.merge, path)
    return merged


def _is_directive(item: Any) -> bool:
    return isinstance(item, dict) and set(item) == {_DIRECTIVE}


def _merge_item(merged: list[Any], item: Any, key: str, path: tuple[str, ...]) -> None:
    if not isinstance(item, dict) or key not in item:
        raise bad_request(f"map: {item} does not contain declared merge key: {key}")
    at = next((i for i, known in enumerate(merged) if known.get(key) == item[key]), None)
    result = _merge_map(merged[at] if at is not None else {}, item, path)
    if at is None:
        merged.extend([result] if result is not None else [])
    elif result is None:
        del merged[at]
    else:
        merged[at] = result


def _delete_primitives(merged: Document, patch: Document) -> None:
    for directive, values in patch.items():
        name = directive.removeprefix(_DELETE_PRIMITIVES)
        if name != directive and name in merged:
            merged[name] = [item for item in merged[name] if item not in values]


def _reorder(merged: Document, patch: Document, path: tuple[str, ...]) -> None:
    for directive, order in patch.items():
        name = directive.removeprefix(_ORDER)
        if name == directive or name not in merged:
            continue
        rule = list_rule((*path, name), custom=False)
        key = rule.merge if rule else ""
        wanted = [item.get(key) if isinstance(item, dict) else item for item in order]
        rank = {value: position for position, value in enumerate(wanted)}
        merged[name] = _ordered(merged[name], [_rank(item, key, rank) for item in merged[name]])


def _rank(item: Any, key: str, rank: dict[Any, int]) -> int | None:
    return rank.get(item.get(key) if isinstance(item, dict) else item)


def _ordered(items: list[Any], ranks: list[int | None]) -> list[Any]:
    """Items that have a rank take the places of ranked items in the order of rank; the others stay where they are."""
    ranked = iter(sorted((rank, i) for i, rank in enumerate(ranks) if rank is not None))
    return [items[next(ranked)[1]] if rank is not None else item for item, rank in zip(items, ranks, strict=True)]

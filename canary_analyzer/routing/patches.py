"""The difference between two documents as a JSON Patch (RFC 6902) that applies to nothing but what was read."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from jsonpointer import JsonPointer

from canary_analyzer.routing.documents import Document


def json_patch(live: Document, desired: Document) -> list[dict[str, Any]]:
    """Operations that turn `live` into `desired`; [] when nothing changes, so that no write is made.

    First come the tests: resourceVersion where `live` has one (nobody wrote since we read), then what was read of every
    changing top-level field but metadata. A real API server answers 422 Invalid, not 409, when a test fails: read again
    and recompute.
    """
    changes = list(_changes(live, desired))
    if not changes:
        return []
    version = live.get("metadata", {}).get("resourceVersion")
    tests = [] if version is None else [_test("/metadata/resourceVersion", version)]
    tests += [
        _test(f"/{field}", live[field]) for field in live if field != "metadata" and live[field] != desired.get(field)
    ]
    return [*tests, *deepcopy(changes)]


def disowned(live: Document, manager: str) -> Document:
    """A copy of `live` in which `manager` owns no field any more, so that a later server-side apply meets no conflict.

    Send its patch alone, after the last other write: a write that changes fields makes its sender own them again.
    """
    metadata = live.get("metadata", {})
    owners = [entry for entry in metadata.get("managedFields") or [] if entry.get("manager") != manager]
    return live | {"metadata": metadata | ({"managedFields": owners} if "managedFields" in metadata else {})}


def _changes(before: object, after: object, *path: str | int) -> Iterator[dict[str, Any]]:
    """Yield what makes one value another; a list of another length is another list.

    The library jsonpatch finds smaller differences, but leaves cycles in which both documents wait for the collector.
    """
    if before == after:
        return
    match before, after:
        case dict(), dict():
            yield from (_operation("remove", (*path, key)) for key in before if key not in after)
            for key, value in after.items():
                if key in before:
                    yield from _changes(before[key], value, *path, key)
                else:
                    yield _operation("add", (*path, key), value=value)
        case list(), list() if len(before) == len(after):
            for index, (old, new) in enumerate(zip(before, after, strict=True)):
                yield from _changes(old, new, *path, index)
        case _:
            yield _operation("replace", path, value=after)


def _operation(name: str, path: tuple[str | int, ...], **value: object) -> dict[str, Any]:
    return {"op": name, "path": JsonPointer.from_parts(path).path, **value}


def _test(path: str, value: object) -> dict[str, Any]:
    return {"op": "test", "path": path, "value": deepcopy(value)}

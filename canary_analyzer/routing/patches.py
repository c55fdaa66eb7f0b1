"""The difference between two documents as a JSON Patch (RFC 6902) that applies to nothing but what was read."""

from copy import deepcopy
from typing import Any

import jsonpatch

from canary_analyzer.routing.documents import Document


def json_patch(live: Document, desired: Document) -> list[dict[str, Any]]:
    """Operations that turn `live` into `desired`; [] when nothing changes, so that no write is made.

    First come the tests: resourceVersion where `live` has one (nobody wrote since we read), then what was read of every
    changing top-level field but metadata. A real API server answers 422 Invalid, not 409, when a test fails: read again
    and recompute.
    """
    changes: list[dict[str, Any]] = jsonpatch.JsonPatch.from_diff(live, desired, optimization=False).patch
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


def _test(path: str, value: object) -> dict[str, Any]:
    return {"op": "test", "path": path, "value": deepcopy(value)}

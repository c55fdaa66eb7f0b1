"""The difference between two documents as a JSON Patch (RFC 6902) that refuses to apply to anything but what was read."""

from typing import Any

import jsonpatch

from canary_analyzer.routing.documents import Document


def json_patch(live: Document, desired: Document) -> list[dict[str, Any]]:
    """Operations that turn `live` into `desired`; [] when nothing changes, so that no write is made.

    First come the tests: resourceVersion where `live` has one (a change by anybody since we read), then the old value of
    every top-level field that is going to change (what we read and decided on). A real API server answers 422 Invalid,
    not 409, when a test fails: read again and recompute.
    """
    changes = jsonpatch.JsonPatch.from_diff(live, desired, optimization=False).patch
    if not changes:
        return []
    version = live.get("metadata", {}).get("resourceVersion")
    tests = [_test("/metadata/resourceVersion", version)] if version is not None else []
    tests += [_test(f"/{field}", live[field]) for field in ("spec",) if live.get(field) != desired.get(field)]
    return [*tests, *changes]


def _test(path: str, value: object) -> dict[str, Any]:
    return {"op": "test", "path": path, "value": value}

"""A CustomResourceDefinition as a row of the resource table."""

from __future__ import annotations

from typing import Any

from canary_analyzer.sandbox.api.resources import Resource

Document = dict[str, Any]


def resource_of(definition: Document) -> Resource:
    """The resource that the definition announces; the storage version is the preferred one."""
    spec = definition["spec"]
    names = spec["names"]
    served = [version for version in spec["versions"] if version.get("served")]
    served.sort(key=lambda version: not version.get("storage"))
    subresources = served[0].get("subresources") or {} if served else {}
    columns = served[0].get("additionalPrinterColumns") or [] if served else []
    return Resource(
        group=spec["group"],
        versions=tuple(version["name"] for version in served),
        plural=names["plural"],
        kind=names["kind"],
        namespaced=spec.get("scope") == "Namespaced",
        short_names=tuple(names.get("shortNames") or ()),
        categories=tuple(names.get("categories") or ()),
        status="status" in subresources,
        generation="spec",
        custom=True,
        columns=tuple((column["name"], column["type"], column["jsonPath"]) for column in columns),
    )


def established(definition: Document, time: str) -> Document:
    """The status of a definition whose names were accepted and which is served."""
    names = definition["spec"]["names"]
    conditions = [
        {"type": kind, "status": "True", "lastTransitionTime": time, "reason": reason, "message": message}
        for kind, reason, message in (
            ("NamesAccepted", "NoConflicts", "no conflicts found"),
            ("Established", "InitialNamesAccepted", "the initial names have been accepted"),
        )
    ]
    stored = [version["name"] for version in definition["spec"]["versions"] if version.get("storage")]
    return {"acceptedNames": names, "conditions": conditions, "storedVersions": stored}

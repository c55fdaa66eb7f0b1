"""Tables: what `kubectl get` prints (meta.k8s.io/v1 Table)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from canary_analyzer.sandbox.api.columns import AGE, COLUMNS, NAME, WIDE, Column, at_path
from canary_analyzer.sandbox.api.resources import Resource

Document = dict[str, Any]


def wants_table(accept: str) -> bool:
    """Whether the client asks for a table first."""
    return "as=Table" in accept.partition(",")[0]


def table(resource: Resource, documents: Sequence[Document], metadata: Document, include: str) -> Document:
    """A Table of some objects; `include` is the query's includeObject (None, Metadata or Object)."""
    columns = _columns(resource)
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "columnDefinitions": [_definition(column) for column in columns],
        "rows": [
            {"cells": [cell(document) for _, _, cell in columns], "object": _shown(document, include)}
            for document in documents
        ],
    }


def _definition(column: Column) -> Document:
    title, kind, _ = column
    wide = title.startswith("+")
    return {
        "name": title.lstrip("+"),
        "type": kind,
        "format": "name" if title == "Name" else "",
        "description": "",
        "priority": int(wide),
    }


def _shown(document: Document, include: str) -> Document | None:
    if include == "None":
        return None
    if include == "Object":
        return document
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": document["metadata"]}


def _columns(resource: Resource) -> tuple[Column, ...]:
    declared = tuple((title, kind, at_path(path)) for title, kind, path in resource.columns)
    if any(title == "Age" for title, _, _ in declared):
        return (NAME, *declared)
    plural = "" if resource.custom else resource.plural
    if plural == "events":
        return COLUMNS[plural]
    return (NAME, *declared, *COLUMNS.get(plural, ()), AGE, *WIDE.get(plural, ()))

"""Delegation: a root VirtualService hands the routes below a condition to another one.

Delegate: https://istio.io/latest/docs/reference/config/networking/virtual-service/#Delegate
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from canary_analyzer.sandbox.mesh.world import Document

Name = tuple[str, str]
_OWN = {"delegate", "match", "name", "headers"}  # everything else of a root's route is a default for the delegate's


def resolved(virtual_services: Sequence[Document]) -> list[Document]:
    """The VirtualServices with hosts of their own, with the routes of their delegates in place."""
    named = {name_of(document): document for document in virtual_services}
    roots = (document for document in virtual_services if document["spec"].get("hosts"))
    return [_with_http(root, list(_expanded(root, named))) for root in roots]


def missing(virtual_services: Sequence[Document]) -> Iterator[str]:
    """A sentence about every delegate that is not there, or that has hosts of its own and so is none."""
    named = {name_of(document): document for document in virtual_services}
    for root in virtual_services:
        for index, http in enumerate(root["spec"].get("http") or ()):
            if http.get("delegate") and _delegate(root, http, named) is None:
                where = f"VirtualService {'/'.join(name_of(root))}: spec.http[{index}].delegate"
                yield f"{where}: {'/'.join(_delegate_name(root, http))} is not a VirtualService without hosts"


def name_of(document: Document) -> Name:
    """Namespace and name."""
    return document["metadata"]["namespace"], document["metadata"]["name"]


def _delegate_name(root: Document, http: Document) -> Name:
    delegate = http["delegate"]
    return delegate.get("namespace") or root["metadata"]["namespace"], delegate["name"]


def _delegate(root: Document, http: Document, named: Mapping[Name, Document]) -> Document | None:
    found = named.get(_delegate_name(root, http))
    return None if found is None or found["spec"].get("hosts") else found


def _with_http(document: Document, http: list[Document]) -> Document:
    return {**document, "spec": {**document["spec"], "http": http}}


def _expanded(root: Document, named: Mapping[Name, Document]) -> Iterator[Document]:
    for http in root["spec"].get("http") or ():
        if not http.get("delegate"):
            yield http
        elif found := _delegate(root, http, named):
            merged = (_merged(http, route) for route in found["spec"].get("http") or ())
            namespace = found["metadata"]["namespace"]
            yield from ({**route, NAMESPACE: namespace} for route in merged if route is not None)


NAMESPACE = "x-namespace"  # of the document that a route was written in: short host names are meant there


def _merged(root: Document, route: Document) -> Document | None:
    """A delegate's route under the root's conditions; None when no request fulfils both."""
    both = [
        match
        for outer in root.get("match") or [{}]
        for inner in route.get("match") or [{}]
        if (match := _both(outer, inner)) is not None
    ]
    if not both:
        return None
    defaults = {field: value for field, value in root.items() if field not in _OWN}
    match = {"match": both} if both != [{}] else {}
    headers = _merged_headers(root.get("headers") or {}, route.get("headers") or {})
    return {**defaults, **route, **match, **({"headers": headers} if headers else {})}


def _both(outer: Document, inner: Document) -> Document | None:
    """Both conditions at once; two on the same field only where one lies within the other."""
    both: Document = {}
    for field in {**outer, **inner}:
        if field not in outer or field not in inner:
            both[field] = {**inner, **outer}[field]
        elif field == "uri":
            if not _within(inner["uri"], outer["uri"]):
                return None
            both["uri"] = inner["uri"]
        elif isinstance(outer[field], dict):
            both[field] = {**outer[field], **inner[field]}
        else:
            both[field] = inner[field]
    return both


def _within(inner: Document, outer: Document) -> bool:
    if inner == outer:
        return True
    text = inner.get("exact") or inner.get("prefix")
    return bool(text and "prefix" in outer and text.startswith(outer["prefix"]))


def _merged_headers(outer: Document, inner: Document) -> Document:
    """The operations of both; the delegate's word counts where both speak of one header."""

    def of(direction: str) -> Document:
        one, other = outer.get(direction) or {}, inner.get(direction) or {}
        return {operation: _joined(one.get(operation), other.get(operation)) for operation in {**one, **other}}

    return {direction: of(direction) for direction in {**outer, **inner}}


def _joined(one: Any, other: Any) -> Any:
    if isinstance(one, list) or isinstance(other, list):
        return [*(one or ()), *(other or ())]
    return {**(one or {}), **(other or {})}

"""Label and field selectors (k8s.io/apimachinery/pkg/labels, pkg/fields)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from canary_analyzer.sandbox.api.errors import bad_request

Document = dict[str, Any]
Matches = Callable[[Document], bool]
LabelTest = Callable[[Mapping[str, str]], bool]

_KEY = r"(?:[A-Za-z0-9.-]+/)?[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?"
_VALUE = r"[A-Za-z0-9_.-]*"
_REQUIREMENT = re.compile(
    rf"\s*(?:(?P<absent>!)\s*(?P<gone>{_KEY})"
    rf"|(?P<key>{_KEY})\s*(?:(?P<op>==|=|!=)\s*(?P<value>{_VALUE})"
    rf"|\s(?P<set>in|notin)\s*\((?P<values>[^)]*)\))?)\s*(?:,|$)"
)

FIELDS = {
    "pods": (
        "spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName", "spec.hostNetwork",
        "status.phase", "status.podIP", "status.nominatedNodeName",
    ),
    "events": (
        "involvedObject.kind", "involvedObject.namespace", "involvedObject.name", "involvedObject.uid",
        "involvedObject.apiVersion", "involvedObject.resourceVersion", "involvedObject.fieldPath",
        "reason", "reportingComponent", "source", "type",
    ),
    "replicasets": ("status.replicas",),
    "namespaces": ("status.phase",),
    "nodes": ("spec.unschedulable",),
    "secrets": ("type",),
    "services": ("spec.clusterIP", "spec.type"),
}  # fmt: skip
"""Fields that may be selected on, beside metadata.name and metadata.namespace."""


def label_selector(text: str) -> Matches:
    """A test of an object's labels.

    Raises:
        ApiError: 400 when `text` is not a selector.
    """
    tests: list[LabelTest] = []
    position = 0
    while position < len(text):
        found = _REQUIREMENT.match(text, position)
        if found is None or found.end() == position:
            raise bad_request(f'unable to parse requirement: invalid label selector "{text}"')
        tests.append(_label_test(found))
        position = found.end()
    return lambda document: all(test(document["metadata"].get("labels") or {}) for test in tests)


def _label_test(found: re.Match[str]) -> LabelTest:
    if found["absent"]:
        return lambda labels: found["gone"] not in labels
    key: str = found["key"]
    if found["set"]:
        values = {value.strip() for value in found["values"].split(",")}
        wanted = found["set"] == "in"
        return lambda labels: (labels[key] in values) == wanted if key in labels else not wanted
    if found["op"] == "!=":
        return lambda labels: labels.get(key) != found["value"]
    if found["op"]:
        return lambda labels: labels.get(key) == found["value"]
    return lambda labels: key in labels


def field_selector(text: str, plural: str) -> Matches:
    """A test of an object's fields.

    Raises:
        ApiError: 400 for a field that this resource cannot be selected by.
    """
    terms = [_field_term(term, plural) for term in text.split(",") if term]
    return lambda document: all((_field(document, path) == value) == equal for path, value, equal in terms)


def _field_term(term: str, plural: str) -> tuple[str, str, bool]:
    found = re.fullmatch(r"\s*([A-Za-z.]+)\s*(==|=|!=)(.*)", term)
    if found is None:
        raise bad_request(f"invalid selector: '{term}'; can't understand '{term}'")
    if found[1] not in ("metadata.name", "metadata.namespace", *FIELDS.get(plural, ())):
        raise bad_request(f'field label not supported: "{found[1]}"')
    return found[1], found[3].strip(), found[2] != "!="


def _field(document: Document, path: str) -> str:
    if path == "source":
        return str((document.get("source") or {}).get("component") or document.get("reportingComponent") or "")
    value: Any = document
    for step in path.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)

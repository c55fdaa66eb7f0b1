"""The rules for names, labels and annotations (k8s.io/apimachinery/pkg/util/validation, pkg/api/validation)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from canary_analyzer.sandbox.api.errors import Cause, required, wrong
from canary_analyzer.sandbox.api.resources import Resource

Document = dict[str, Any]
Causes = Iterator[Cause]


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A pattern and the sentence that explains it."""

    pattern: re.Pattern[str]
    sentence: str


SUBDOMAIN = Rule(
    pattern=re.compile(r"(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"),
    sentence="a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must "
    "start and end with an alphanumeric character (e.g. 'example.com', no more than 253 characters)",
)
LABEL = Rule(
    pattern=re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"),
    sentence="a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and "
    "end with an alphanumeric character (e.g. 'my-name', or '123-abc', no more than 63 characters)",
)
SERVICE = Rule(
    pattern=re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?"),
    sentence="a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic "
    "character, and end with an alphanumeric character (e.g. 'my-name', or 'abc-123', no more than 63 characters)",
)
KEY = Rule(
    pattern=re.compile(r"([a-z0-9.-]{1,253}/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"),
    sentence="name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric character (e.g. 'MyName', or 'my.name', or '123-abc', no more than 63 characters)",
)
LABEL_VALUE = Rule(
    pattern=re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?"),
    sentence="a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must "
    "start and end with an alphanumeric character (e.g. 'MyValue', or '12345', no more than 63 characters)",
)

_FREE_NAMES = ("roles", "rolebindings", "clusterroles", "clusterrolebindings")
_ANNOTATION_BYTES = 256 * 1024


def metadata_mistakes(resource: Resource, document: Document) -> Causes:
    """What is wrong with an object's name, labels and annotations."""
    metadata = document["metadata"]
    name, rule = metadata.get("name") or "", _name_rule(resource)
    if not name:
        yield required("metadata.name", "name or generateName is required")
    elif rule and not rule.pattern.fullmatch(name):
        yield wrong("metadata.name", name, rule.sentence)
    yield from label_mistakes(metadata.get("labels") or {}, "metadata.labels")
    yield from _annotation_mistakes(metadata.get("annotations") or {})


def _name_rule(resource: Resource) -> Rule | None:
    if resource.plural in _FREE_NAMES:
        return None
    return {"services": SERVICE, "namespaces": LABEL}.get(resource.plural, SUBDOMAIN)


def label_mistakes(labels: Mapping[str, Any], field: str) -> Causes:
    """What is wrong with a map of labels."""
    for key, value in labels.items():
        if not KEY.pattern.fullmatch(key):
            yield wrong(field, key, KEY.sentence)
        if not isinstance(value, str) or not LABEL_VALUE.pattern.fullmatch(value):
            yield wrong(field, value, LABEL_VALUE.sentence)


def _annotation_mistakes(annotations: Mapping[str, str]) -> Causes:
    for key in annotations:
        if not KEY.pattern.fullmatch(key.lower()):
            yield wrong("metadata.annotations", key, KEY.sentence)
    if sum(len(key) + len(value) for key, value in annotations.items()) > _ANNOTATION_BYTES:
        message = f"Too long: may not be more than {_ANNOTATION_BYTES} bytes"
        yield Cause(field="metadata.annotations", reason="FieldValueTooLong", message=message)

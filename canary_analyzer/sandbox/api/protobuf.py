r"""Objects in Kubernetes' protobuf envelope, as kubectl 1.32 and later sends them when it creates simple kinds.

The envelope is `k8s\\0` and a runtime.Unknown (k8s.io/apimachinery/pkg/runtime/generated.proto). The tables below are
excerpts of the generated.proto files: field number -> (name, type), where a type is str, bytes, bool, int, another
table, `[type]` for a repeated field, or `{type}` for a map.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

Document = dict[str, Any]
Table = dict[int, tuple[str, Any]]

_MAGIC = b"k8s\x00"

_META: Table = {
    1: ("name", str), 2: ("generateName", str), 3: ("namespace", str), 5: ("uid", str), 6: ("resourceVersion", str),
    11: ("labels", {"map": str}), 12: ("annotations", {"map": str}), 14: ("finalizers", [str]),
}  # fmt: skip
_CONTAINER: Table = {
    1: ("name", str), 2: ("image", str), 3: ("command", [str]), 4: ("args", [str]),
    6: ("ports", [{1: ("name", str), 3: ("containerPort", int), 4: ("protocol", str)}]),
    7: ("env", [{1: ("name", str), 2: ("value", str)}]), 14: ("imagePullPolicy", str),
}  # fmt: skip
_TEMPLATE: Table = {
    1: ("metadata", _META),
    2: (
        "spec",
        {2: ("containers", [_CONTAINER]), 3: ("restartPolicy", str), 4: ("terminationGracePeriodSeconds", int)},
    ),
}
_ATTRIBUTES: Table = {
    1: ("namespace", str), 2: ("verb", str), 3: ("group", str), 4: ("version", str),
    5: ("resource", str), 6: ("subresource", str), 7: ("name", str),
}  # fmt: skip
_REVIEW: Table = {
    1: ("resourceAttributes", _ATTRIBUTES),
    2: ("nonResourceAttributes", {1: ("path", str), 2: ("verb", str)}),
}
_IGNORED = ("status", None)
_KINDS: dict[str, Table] = {
    "Namespace": {1: ("metadata", _META), 2: ("spec", {1: ("finalizers", [str])}), 3: _IGNORED},
    "ConfigMap": {
        1: ("metadata", _META),
        2: ("data", {"map": str}),
        3: ("binaryData", {"map": bytes}),
        4: ("immutable", bool),
    },
    "Secret": {1: ("metadata", _META), 2: ("data", {"map": bytes}), 3: ("type", str), 5: ("immutable", bool)},
    "ServiceAccount": {1: ("metadata", _META)},
    "Deployment": {
        1: ("metadata", _META),
        2: (
            "spec",
            {1: ("replicas", int), 2: ("selector", {1: ("matchLabels", {"map": str})}), 3: ("template", _TEMPLATE)},
        ),
        3: _IGNORED,
    },
    "SelfSubjectAccessReview": {1: ("metadata", _META), 2: ("spec", _REVIEW), 3: _IGNORED},
}


def decode(content: bytes) -> Document:
    """The object inside an envelope.

    Raises:
        ValueError: the bytes are no envelope, or hold a kind that is not in the tables.
    """
    if not content.startswith(_MAGIC):
        raise ValueError("the body has no protobuf envelope")
    envelope = _message(
        content[len(_MAGIC) :], {1: ("type", {1: ("apiVersion", str), 2: ("kind", str)}), 2: ("raw", "raw")}
    )
    kind = envelope["type"]["kind"]
    if kind not in _KINDS:
        raise ValueError(f"{kind} is not accepted as protobuf: send it as JSON, for instance with kubectl apply")
    return {**envelope["type"], **_message(bytes(envelope.get("raw", b"")), _KINDS[kind])}


def _message(content: bytes, table: Table) -> Document:
    document: Document = {}
    for number, value in _fields(content):
        if number in table:
            _put(document, *table[number], value)
        elif value not in (b"", 0) and _anything(value):
            raise ValueError(
                f"field {number} is not accepted as protobuf: send the object as JSON, as kubectl apply does"
            )
    return document


def _put(document: Document, name: str, kind: Any, value: bytes | int) -> None:
    if isinstance(kind, list):
        document.setdefault(name, []).append(_value(value, kind[0]))
    elif isinstance(kind, dict) and "map" in kind:
        entry = _message(_raw(value), {1: ("key", str), 2: ("value", kind["map"])})
        document.setdefault(name, {})[entry.get("key", "")] = entry.get("value", "")
    elif kind and value != b"":
        document[name] = _value(value, kind)


def _anything(value: bytes | int) -> bool:
    """Whether a field says something: Go's encoder also writes structs that are empty all the way down."""
    if isinstance(value, int):
        return value != 0
    try:
        return any(_anything(inner) for _, inner in _fields(value))
    except ValueError:
        return True


def _raw(value: bytes | int) -> bytes:
    if isinstance(value, int):
        raise ValueError("a number where a message was expected")
    return value


def _value(value: bytes | int, kind: Any) -> Any:
    if isinstance(kind, dict):
        return _message(_raw(value), kind)
    if kind is str:
        return _raw(value).decode()
    if kind is bytes:
        return base64.b64encode(_raw(value)).decode()
    return bool(value) if kind is bool else value


def _fields(content: bytes) -> Iterator[tuple[int, bytes | int]]:
    """Field number and raw value, in the order of the wire (protobuf.dev/programming-guides/encoding)."""
    at = 0
    while at < len(content):
        tag, at = _varint(content, at)
        number, wire_type = tag >> 3, tag & 7
        if wire_type == 0:
            value, at = _varint(content, at)
            yield number, value
        elif wire_type == 2:
            length, at = _varint(content, at)
            yield number, content[at : at + length]
            at += length
        else:
            raise ValueError(f"wire type {wire_type} does not occur in the kinds that are accepted")


def _varint(content: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(content):
            raise ValueError("the protobuf message is cut off")
        value |= (content[at] & 0x7F) << shift
        shift += 7
        at += 1
        if not content[at - 1] & 0x80:
            return value, at

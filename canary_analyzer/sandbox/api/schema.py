"""The fields of the built-in types, read off the models of the official Python client.

A server that stores whatever it is sent hides typing mistakes; kube-apiserver drops unknown fields (or refuses them,
when asked to be strict) and refuses wrong types. The client's models list every field, so they serve as schema.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from kubernetes.client import models

from canary_analyzer.sandbox.api.errors import bad_request

Document = dict[str, Any]
Unknown = Callable[[str], None]

_CONTAINER = re.compile(r"(?P<what>[Ll]ist|[Dd]ict)[\[(](?:str, ?)?(?P<item>.*)[\])]")
_SCALARS: dict[str, tuple[type, ...]] = {"str": (str,), "int": (int,), "bool": (bool,), "float": (float, int)}
_QUANTITIES = ("limits", "requests", "capacity", "allocatable")
_GO_NAMES = {"str": "string", "int": "int32", "bool": "bool", "float": "float64"}


@dataclass(frozen=True, kw_only=True)
class Type:
    """A type as the client's models name it: `what` is list, dict, model, a scalar, or object (anything)."""

    what: str
    item: str = ""


@cache
def parse_type(name: str) -> Type:
    """Read a type name such as `List[V1Container]`, `Dict[str, str]`, `V1Probe` or `int`."""
    container = _CONTAINER.fullmatch(name)
    if container:
        return Type(what=container["what"].lower(), item=container["item"])
    return Type(what="model", item=name) if hasattr(models, name) else Type(what=name)


@cache
def fields_of(model: str) -> dict[str, str]:
    """JSON field name -> type name of a model."""
    kind = getattr(models, model)
    return {json_name: kind.openapi_types[name] for name, json_name in kind.attribute_map.items()}


@cache
def model_of(group: str, version: str, kind: str) -> str | None:
    """The model that describes a kind, if the client has one."""
    core_event = {"Event": "CoreV1Event"}
    prefix = version[0].upper() + version[1:]
    name = core_event.get(kind, prefix + kind) if group in ("", "authorization.k8s.io") else prefix + kind
    return name if hasattr(models, name) else None


def decode(model: str, document: Document, on_unknown: Unknown) -> Document:
    """A copy with only the fields that the model knows; nulls vanish, as they do in Go's structs.

    Raises:
        ApiError: 400 for a value of a wrong type.
    """
    return _model(model, document, "", on_unknown)


def _model(model: str, document: Any, path: str, on_unknown: Unknown) -> Document:
    if not isinstance(document, dict):
        raise _mismatch(document, "object", path)
    fields = fields_of(model)
    decoded = {}
    for key, value in document.items():
        where = f"{path}.{key}" if path else key
        if key not in fields:
            on_unknown(where)
        elif value is not None or key == "creationTimestamp":
            decoded[key] = _value(fields[key], value, where, on_unknown)
    return {key: value for key, value in decoded.items() if value is not None}


def _value(type_name: str, value: Any, path: str, on_unknown: Unknown) -> Any:
    kind = parse_type(type_name)
    if kind.what == "list":
        if not isinstance(value, list):
            raise _mismatch(value, "slice", path)
        return [_value(kind.item, item, f"{path}[{i}]", on_unknown) for i, item in enumerate(value)]
    if kind.what == "dict":
        if not isinstance(value, dict):
            raise _mismatch(value, "map", path)
        items = {key: str(item) if _is_quantity(item, path) else item for key, item in value.items()}
        return {key: _value(kind.item, item, f"{path}.{key}", on_unknown) for key, item in items.items()}
    if kind.what == "model":
        return _model(kind.item, value, path, on_unknown) if value is not None else None
    return _scalar(kind.what, value, path)


def _is_quantity(value: Any, path: str) -> bool:
    """Whether a number stands where Kubernetes also takes `1` for `"1"`."""
    return isinstance(value, int | float) and path.rpartition(".")[2] in _QUANTITIES


def _scalar(name: str, value: Any, path: str) -> Any:
    if name == "bytes":
        _check_base64(value, path)
    expected = _SCALARS.get(name)
    wrong_bool = isinstance(value, bool) and name != "bool"
    if expected and value is not None and (not isinstance(value, expected) or wrong_bool):
        raise _mismatch(value, _GO_NAMES[name], path)
    return value


def _check_base64(value: Any, path: str) -> None:
    try:
        base64.b64decode(value, validate=True)
    except (TypeError, ValueError) as problem:
        raise bad_request(f"json: illegal base64 data in {path}: {problem}") from problem


def _mismatch(value: Any, expected: str, path: str) -> Exception:
    found = {bool: "bool", str: "string", int: "number", float: "number", list: "array", dict: "object"}.get(
        type(value), "null"
    )
    return bad_request(f"json: cannot unmarshal {found} into Go struct field {path} of type {expected}")

"""Request bodies: from bytes to documents that hold only what the kind knows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from canary_analyzer.sandbox.api import protobuf, schema
from canary_analyzer.sandbox.api.errors import bad_request, unsupported_media
from canary_analyzer.sandbox.api.requests import Target

Document = dict[str, Any]

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
PATCHES = (JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, APPLY_PATCH)
OBJECTS = ("application/json", "application/yaml", "application/vnd.kubernetes.protobuf")


@dataclass(frozen=True, kw_only=True)
class Body:
    """Bytes and what they are said to be."""

    content: bytes
    media_type: str

    def parsed(self) -> Any:
        """JSON, YAML or protobuf, by the media type.

        Raises:
            ApiError: 400 when it is not what it is said to be.
        """
        try:
            if self.media_type.endswith("protobuf"):
                return protobuf.decode(self.content)
            if self.media_type.endswith("yaml"):
                return yaml.safe_load(self.content)
            return json.loads(self.content)
        except (ValueError, yaml.YAMLError) as problem:
            raise bad_request(f"couldn't parse the body as {self.media_type}: {problem}") from problem


def read_object(body: Body) -> Document:
    """The object that a POST or PUT carries.

    Raises:
        ApiError: 400 or 415.
    """
    if body.media_type not in (*OBJECTS, "application/octet-stream"):
        raise unsupported_media(OBJECTS)
    document = body.parsed()
    if not isinstance(document, dict):
        raise bad_request("the object provided is unrecognized: it is not an object")
    return document


class Typing:
    """Decodes documents as their kind demands, and collects what has to be said about unknown fields."""

    def __init__(self, query: Mapping[str, str]) -> None:
        self.mode = query.get("fieldValidation", "Warn")
        self.warnings: list[str] = []

    def decode(self, target: Target, document: Document) -> Document:
        """The document without unknown fields.

        Raises:
            ApiError: 400 for a foreign kind, a wrong type, and, in mode Strict, for an unknown field.
        """
        resource, version = target.resource, target.version
        self._check_kind(target, document)
        named = {**document, "kind": resource.kind, "apiVersion": resource.api_version(version)}
        model = schema.model_of(resource.group, version, resource.kind)
        if resource.custom or model is None or resource.plural == "customresourcedefinitions":
            metadata = schema.decode("V1ObjectMeta", document.get("metadata") or {}, lambda _: None)
            return {**named, "metadata": metadata}
        unknown: list[str] = []
        decoded = schema.decode(model, named, unknown.append)
        self._judge(target, unknown)
        return {**decoded, "metadata": decoded.get("metadata") or {}}

    def _check_kind(self, target: Target, document: Document) -> None:
        expected = target.resource.api_version(target.version)
        kind, version = document.get("kind"), document.get("apiVersion")
        if kind not in (None, target.resource.kind) or version not in (None, expected):
            shared = [target.resource.api_version(other) for other in target.resource.versions]
            if kind != target.resource.kind or version not in shared:
                raise bad_request(
                    f"the API version and kind in the data ({version}, {kind}) does not match the expected "
                    f"({expected}, {target.resource.kind})"
                )

    def _judge(self, target: Target, unknown: list[str]) -> None:
        problems = [f'unknown field "{path}"' for path in unknown]
        if self.mode == "Strict" and problems:
            message = (
                f"{target.resource.kind} in version {target.version!r} cannot be handled as a {target.resource.kind}"
            )
            raise bad_request(f"{message}: strict decoding error: {', '.join(problems)}")
        if self.mode == "Warn":
            self.warnings += problems

"""Reading manifest files as Kubernetes' tools do: several documents to a file, lists, JSON as well as YAML."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

Document = dict[str, Any]
_SEPARATOR = re.compile(r"^---(?=\s|$)", re.MULTILINE)
_TEMPLATE = re.compile(r"\{\{|\{%|<%")


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """One file: its Kubernetes documents, and why parts of it could not be read."""

    file: str
    documents: tuple[Document, ...] = ()
    mistakes: tuple[str, ...] = ()


class _Loader(yaml.SafeLoader):
    """YAML as Kubernetes reads it: JSON has no dates, so that 2024-01-01 is a string."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read(path: Path) -> Manifest:
    """A file's documents; what cannot be read is told, never raised."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        return Manifest(file=str(path), mistakes=(f"cannot be read: {error}",))
    return parse(str(path), text)


def parse(file: str, text: str) -> Manifest:
    """The documents in a text; one that does not parse leaves the others readable."""
    documents: list[Document] = []
    mistakes: list[str] = []
    line = 1
    for part in _SEPARATOR.split(text):
        try:
            # Through JSON and back: what anchors share is given to each, as in the API.
            documents += _flattened(json.loads(json.dumps(yaml.load(part, _Loader))))  # noqa: S506 - a SafeLoader
        except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
            mistakes.append(_mistake(part, line, error))
        line += part.count("\n")
    return Manifest(file=file, documents=tuple(documents), mistakes=tuple(mistakes))


def _flattened(value: object) -> Iterator[Document]:
    """Documents of a value: itself, or the items of a list of any kind."""
    if not isinstance(value, dict) or not isinstance(value.get("kind"), str):
        return
    items = value.get("items")
    if value["kind"].endswith("List") and isinstance(items, list):
        kind = value["kind"].removesuffix("List")
        inherited = {"apiVersion": value.get("apiVersion"), "kind": kind} if kind else {}
        for item in items:
            yield from _flattened({**inherited, **item} if isinstance(item, dict) else item)
    else:
        yield value


def _mistake(part: str, line: int, error: Exception) -> str:
    if _TEMPLATE.search(part):
        return f"from line {line}: this is a template, not YAML; render it first (helm template), then give the result"
    mark = getattr(error, "problem_mark", None)
    where = f"line {line + mark.line}, column {mark.column + 1}" if mark is not None else f"from line {line}"
    return f"{where}: not YAML: {getattr(error, 'problem', None) or error}"

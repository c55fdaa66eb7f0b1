"""The words of this package: documents as the Kubernetes API gives them, the pair of Services, and what can be wrong.

Documents are raw JSON (dicts), not typed models: a typed client drops the fields that it does not know, and every byte
that is not ours has to survive.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

Document = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Target:
    """The Services between which the weights move; names, all in one namespace."""

    namespace: str
    stable: str
    canary: str
    baseline: str | None = None
    """Service of a fresh baseline; None: there is none."""
    stable_subsets: tuple[str | None, ...] = (None,)
    """Subsets of the stable host that are the stable Deployment's pods; None stands for a destination without one."""
    canary_subset: str | None = None
    """Subset of the canary host that is the canary Deployment's pods; None: the whole host is."""
    brought: bool = False
    """The user brought the canary: its destinations are his, none is added or taken away, only weights move."""


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One reason why a route cannot be edited: which object, which field in it, why, and what to do about it."""

    object: str
    path: str
    reason: str
    remedy: str

    def __str__(self) -> str:
        where = f"{self.object} {self.path}".strip()
        return f"{where}: {self.reason}. {self.remedy}"


class Unroutable(Exception):
    """The routes to the stable Service cannot be edited safely; `problems` names every obstacle, not just the first."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def mapping(value: object) -> Document:
    """`value` where it is an object, else an empty one: files hold anything."""
    return value if isinstance(value, dict) else {}


def objects(value: object) -> list[Document]:
    """The objects in a list; none where it is no list."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def metadata_of(document: Document) -> Document:
    """Metadata of a document; empty where it has none or something else in its place."""
    return mapping(document.get("metadata"))


def namespace_of(document: Document, otherwise: str) -> str:
    """Namespace of a document; a file that names none belongs to the namespace `otherwise`, as with `kubectl apply`."""
    return str(metadata_of(document).get("namespace") or otherwise)


def title(document: Document, otherwise: str) -> str:
    """What to call a document in a message: `VirtualService default/flask-app`."""
    name = metadata_of(document).get("name", "(no name)")
    return f"{document.get('kind', 'VirtualService')} {namespace_of(document, otherwise)}/{name}"


def identity(document: Document, otherwise: str) -> str:
    """`namespace/name` of a document: what tells it from others of its kind."""
    return f"{namespace_of(document, otherwise)}/{metadata_of(document).get('name', '')}"

"""A request as a value: what it speaks about and how it wants to be carried out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from canary_analyzer.sandbox.api.resources import Resource
from canary_analyzer.sandbox.api.store import Name

Document = dict[str, Any]
Change = Callable[[Document], Document]


@dataclass(frozen=True, kw_only=True)
class Target:
    """What a request speaks about; `name` is empty for a collection."""

    resource: Resource
    version: str
    namespace: str = ""
    name: str = ""
    subresource: str = ""

    @property
    def key(self) -> Name:
        """Where the store files it."""
        return (self.namespace, self.name)


@dataclass(frozen=True, kw_only=True)
class WriteOptions:
    """How to write: on whose behalf, for real or not; `ownership` replaces the reckoning of managedFields (apply)."""

    manager: str = "unknown"
    dry_run: bool = False
    ownership: Callable[[Document], list[Document]] | None = None


@dataclass(frozen=True, kw_only=True)
class DeleteOptions:
    """Conditions and manner of a deletion; `grace_seconds` None is the kind's default."""

    uid: str | None = None
    resource_version: str | None = None
    grace_seconds: int | None = None
    orphan: bool = False
    dry_run: bool = False

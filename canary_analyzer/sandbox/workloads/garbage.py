"""Garbage collection: an object goes when all of its owners have gone.

Source: https://kubernetes.io/docs/concepts/architecture/garbage-collection/ (background deletion; orphans are the API
server's affair, and a foreground deletion does not wait here).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from canary_analyzer.sandbox.client import Document, Resource
from canary_analyzer.sandbox.workloads.objects import terminating
from canary_analyzer.sandbox.workloads.writes import Delete, delete

Kind = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class Suspect:
    """An object whose owners were not seen: it may be deleted once the API confirms that each of them is gone."""

    deletion: Delete
    owners: tuple[Document, ...]


def kind_of(document: Document) -> Kind:
    """API group and kind, of an object or of a reference to one."""
    group, _, _ = document["apiVersion"].rpartition("/")
    return group, document["kind"]


def suspects(mirrors: Mapping[Resource, Iterable[Document]], known: frozenset[Kind]) -> Iterator[Suspect]:
    """Objects of which every owner is of a known kind and absent; an owner of an unknown kind spares its dependents."""
    alive = {document["metadata"]["uid"] for documents in mirrors.values() for document in documents}
    for resource, documents in mirrors.items():
        for document in documents:
            owners = tuple(document["metadata"].get("ownerReferences") or ())
            if not owners or terminating(document):
                continue
            if all(kind_of(owner) in known and owner["uid"] not in alive for owner in owners):
                yield Suspect(deletion=delete(resource, document), owners=owners)

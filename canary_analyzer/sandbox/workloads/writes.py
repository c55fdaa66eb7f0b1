"""What a plan asks for: writes to the API as values."""

from dataclasses import dataclass

from canary_analyzer.sandbox.client import Document, Resource


@dataclass(frozen=True, kw_only=True)
class Create:
    """Create this object."""

    resource: Resource
    document: Document


@dataclass(frozen=True, kw_only=True)
class Patch:
    """Merge these fields into an object; `status` goes to the status subresource."""

    resource: Resource
    namespace: str
    name: str
    body: Document
    status: bool = False


@dataclass(frozen=True, kw_only=True)
class Delete:
    """Delete this very object: one of the same name made since is spared."""

    resource: Resource
    namespace: str
    name: str
    uid: str


Write = Create | Patch | Delete


def patch(resource: Resource, document: Document, body: Document, *, status: bool = False) -> Patch:
    """A patch of an object that was read."""
    metadata = document["metadata"]
    return Patch(resource=resource, namespace=metadata["namespace"], name=metadata["name"], body=body, status=status)


def delete(resource: Resource, document: Document) -> Delete:
    """The deletion of an object that was read."""
    metadata = document["metadata"]
    return Delete(
        resource=resource, namespace=metadata.get("namespace", ""), name=metadata["name"], uid=metadata["uid"]
    )

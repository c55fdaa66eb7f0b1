"""The pure half of a write: what a client may say about an object, and what the server makes of it.

Source: k8s.io/apiserver/pkg/registry/rest, and the `strategy.go` of each resource.
"""

from __future__ import annotations

import secrets
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from canary_analyzer.sandbox.api import managed, validation
from canary_analyzer.sandbox.api.errors import bad_request, conflict
from canary_analyzer.sandbox.api.requests import DeleteOptions, Target, WriteOptions
from canary_analyzer.sandbox.api.resources import Resource

Document = dict[str, Any]

_SERVER_OWNED = (
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
    "selfLink",
)


def timestamp(seconds_ahead: int = 0) -> str:
    """Now, or a little later, as Kubernetes writes it."""
    return (datetime.now(UTC) + timedelta(seconds=seconds_ahead)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _random_suffix() -> str:
    return "".join(secrets.choice("bcdfghjklmnpqrstvwxz2456789") for _ in range(5))


def _agreed(in_body: str | None, in_path: str, what: str) -> str:
    if in_body and in_body != in_path:
        raise bad_request(
            f"the {what} of the object ({in_body!r}) does not match the {what} of the request ({in_path!r})"
        )
    return in_path


def check_uid(target: Target, live: Document, uid: str | None) -> None:
    """Refuse a request that means an earlier object of the same name.

    Raises:
        ApiError: 409.
    """
    if uid and uid != live["metadata"]["uid"]:
        why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {live['metadata']['uid']}"
        raise conflict(target.resource.plural, target.resource.group, target.name, why)


def newborn(target: Target, document: Document) -> Document:
    """A document to be created, with identity and without anything that only the server may say.

    Raises:
        ApiError: 400 for a resourceVersion, or a namespace other than the path's.
    """
    metadata = {key: value for key, value in (document.get("metadata") or {}).items() if key not in _SERVER_OWNED}
    if metadata.pop("resourceVersion", ""):
        raise bad_request("resourceVersion should not be set on objects to be created")
    if not metadata.get("name") and metadata.get("generateName"):
        metadata["name"] = metadata["generateName"] + _random_suffix()
    namespace = _agreed(metadata.pop("namespace", None), target.namespace, "namespace")
    identity = {"uid": str(uuid.uuid4()), "creationTimestamp": timestamp()}
    created = {**document, "metadata": {**metadata, **({"namespace": namespace} if namespace else {}), **identity}}
    if target.resource.status:
        created.pop("status", None)
    return created


def check_identity(target: Target, live: Document, proposed: Document) -> None:
    """Refuse a proposal for another object or another version of it.

    Raises:
        ApiError: 400 or 409; 422 for a custom resource without resourceVersion.
    """
    resource, metadata = target.resource, proposed.get("metadata") or {}
    _agreed(metadata.get("name"), target.name, "name")
    _agreed(metadata.get("namespace"), target.namespace, "namespace")
    version = metadata.get("resourceVersion")
    if not version and resource.custom:
        raise validation.missing_resource_version(resource, target.name)
    if version and version != live["metadata"]["resourceVersion"]:
        why = "the object has been modified; please apply your changes to the latest version and try again"
        raise conflict(resource.plural, resource.group, target.name, why)
    if metadata.get("uid") not in (None, "", live["metadata"]["uid"]):
        raise validation.other_uid(resource, target.name, metadata["uid"])


def check_preconditions(target: Target, live: Document, options: DeleteOptions) -> None:
    """Refuse to delete another object, or another version of it, than the client means.

    Raises:
        ApiError: 409.
    """
    check_uid(target, live, options.uid)
    version = live["metadata"]["resourceVersion"]
    if options.resource_version not in (None, version):
        why = (
            f"Precondition failed: ResourceVersion in precondition: {options.resource_version}, "
            f"ResourceVersion in object meta: {version}"
        )
        raise conflict(target.resource.plural, target.resource.group, target.name, why)


def kept(live: Document, proposed: Document) -> Document:
    """The proposal with the metadata that only the server may write."""
    metadata = {key: value for key, value in (proposed.get("metadata") or {}).items() if key not in _SERVER_OWNED}
    kept = {key: live["metadata"][key] for key in (*_SERVER_OWNED, "name", "namespace") if key in live["metadata"]}
    metadata |= kept
    metadata.setdefault("managedFields", live["metadata"].get("managedFields") or [])
    return {**proposed, "metadata": metadata}


def isolated(target: Target, live: Document, proposed: Document) -> Document:
    """A write to the object leaves its status alone; a write to the status leaves everything else alone."""
    if target.subresource == "status":
        fields = proposed["metadata"].get("managedFields")
        kept = {**live, "metadata": {**live["metadata"], "managedFields": fields}}
        return {**kept, "status": proposed.get("status") or {}}
    if not target.resource.status or target.subresource:
        return proposed
    isolated = {key: value for key, value in proposed.items() if key != "status"}
    return {**isolated, "status": live["status"]} if "status" in live else isolated


def with_generation(resource: Resource, document: Document, live: Document | None) -> Document:
    """The document with its generation: 1 at first, one more with every new wish."""
    if not resource.generation:
        return document
    generation = live["metadata"].get("generation", 0) + int(_asks_anew(resource, live, document)) if live else 1
    return {**document, "metadata": {**document["metadata"], "generation": generation}}


def _asks_anew(resource: Resource, live: Document, document: Document) -> bool:
    if _wish(live) != _wish(document):
        return True
    return resource.generation == "spec+annotations" and _annotations(live) != _annotations(document)


def _wish(document: Document) -> Document:
    return {key: value for key, value in document.items() if key not in ("metadata", "status", "apiVersion", "kind")}


def _annotations(document: Document) -> Any:
    return document["metadata"].get("annotations") or {}


def owned(document: Document, live: Document, target: Target, options: WriteOptions) -> Document:
    """The document with its managedFields brought up to date."""
    if options.ownership:
        fields = options.ownership(document)
    else:
        writer = managed.Writer(
            manager=options.manager,
            api_version=target.resource.api_version(target.version),
            subresource=target.subresource,
            time=timestamp(),
        )
        fields = managed.after_update(document, live, writer, target.resource.custom)
    metadata = {key: value for key, value in document["metadata"].items() if key != "managedFields"}
    return {**document, "metadata": {**metadata, **({"managedFields": fields} if fields else {})}}


def grace_seconds(resource: Resource, live: Document, options: DeleteOptions) -> int:
    """Only pods that were given to a node die slowly (pkg/registry/core/pod, CheckGracefulDelete)."""
    spec = live.get("spec") or {}
    finished = (live.get("status") or {}).get("phase") in ("Succeeded", "Failed")
    if resource.plural != "pods" or not spec.get("nodeName") or finished:
        return 0
    if options.grace_seconds is not None:
        return max(0, options.grace_seconds)
    return int(spec.get("terminationGracePeriodSeconds", 30))


def marked(resource: Resource, live: Document, grace: int) -> Document | None:
    """The object on its way out; None when it is already, and sooner."""
    metadata = live["metadata"]
    if "deletionTimestamp" in metadata and metadata.get("deletionGracePeriodSeconds", 0) <= grace:
        return None
    marks = {"deletionTimestamp": timestamp(grace), "deletionGracePeriodSeconds": grace}
    if resource.generation:
        marks["generation"] = metadata.get("generation", 0) + 1
    return {**live, "metadata": {**metadata, **marks}}


def disowned(document: Document, owner_uid: str) -> Document | None:
    """The document without this owner; None when it is not its owner."""
    owners = document["metadata"].get("ownerReferences") or []
    others = [reference for reference in owners if reference["uid"] != owner_uid]
    if len(others) == len(owners):
        return None
    return {**document, "metadata": {**document["metadata"], "ownerReferences": others}}

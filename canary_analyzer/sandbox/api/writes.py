"""Create, replace, patch, apply and delete, as the verbs of HTTP word them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from canary_analyzer.sandbox.api import apply as server_side
from canary_analyzer.sandbox.api import bodies, scale
from canary_analyzer.sandbox.api.bodies import Body, Typing
from canary_analyzer.sandbox.api.errors import bad_request, unsupported_media
from canary_analyzer.sandbox.api.lifecycle import Change, Cluster, DeleteOptions, Target, WriteOptions, timestamp
from canary_analyzer.sandbox.api.managed import Writer
from canary_analyzer.sandbox.api.patches import json_patch, merge_patch, strategic_merge_patch
from canary_analyzer.sandbox.api.reads import present, selection

Document = dict[str, Any]


def options_of(query: Mapping[str, str], user_agent: str) -> WriteOptions:
    """On whose behalf the request writes, and whether for real.

    Raises:
        ApiError: 400 for a dryRun that is neither absent nor `All`.
    """
    if query.get("dryRun", "") not in ("", "All"):
        raise bad_request(f"dryRun: Unsupported value: {query['dryRun']!r}: supported values: 'All'")
    manager = query.get("fieldManager") or user_agent.partition("/")[0] or "unknown"
    return WriteOptions(manager=manager, dry_run=query.get("dryRun") == "All")


def create(cluster: Cluster, target: Target, body: Body, options: WriteOptions, typing: Typing) -> Document:
    """POST to a collection."""
    document = typing.decode(target, bodies.read_object(body))
    return cluster.create(target, document, options)


def replace(cluster: Cluster, target: Target, body: Body, options: WriteOptions, typing: Typing) -> Document:
    """PUT of an object, its status or its scale."""
    document = bodies.read_object(body)
    if target.subresource == "scale":
        return cluster.update(target, lambda live: scale.scaled(live, document), options)
    decoded = typing.decode(target, document)
    return cluster.update(target, lambda _: decoded, options)


def patch(cluster: Cluster, target: Target, body: Body, options: WriteOptions, typing: Typing) -> Document:
    """PATCH with one of the three formats that only need the live object.

    Raises:
        ApiError: 415 for a format that the kind does not take.
    """
    change = _change(target, body)
    if target.subresource == "scale":
        return cluster.update(target, lambda live: scale.scaled(live, change(scale.scale_of(target, live))), options)
    return cluster.update(target, lambda live: typing.decode(target, change(present(target, live))), options)


def _change(target: Target, body: Body) -> Change:
    parsed = body.parsed() if body.media_type in bodies.PATCHES else None
    if body.media_type == bodies.JSON_PATCH:
        return lambda live: json_patch(live, parsed)
    if not isinstance(parsed, dict):
        raise unsupported_media(bodies.PATCHES) if parsed is None else bad_request("the patch is not an object")
    if body.media_type == bodies.MERGE_PATCH:
        return lambda live: _as_document(merge_patch(live, parsed))
    if body.media_type == bodies.STRATEGIC_PATCH and not target.resource.custom:
        return lambda live: strategic_merge_patch(live, parsed)
    raise unsupported_media([kind for kind in bodies.PATCHES if kind != bodies.STRATEGIC_PATCH])


def _as_document(value: Any) -> Document:
    return value if isinstance(value, dict) else {}


def apply(
    cluster: Cluster, target: Target, body: Body, options: WriteOptions, query: Mapping[str, str], typing: Typing
) -> tuple[Document, bool]:
    """Server-side apply: the object, and whether it is new.

    Raises:
        ApiError: 400 without a fieldManager, 409 for fields that others own.
    """
    if not query.get("fieldManager"):
        raise bad_request(
            'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch'
        )
    wish = typing.decode(target, bodies.read_object(Body(content=body.content, media_type="application/yaml")))
    if wish["metadata"].get("managedFields"):
        raise bad_request("metadata.managedFields must be nil")
    live = cluster.store.get(target.resource.key, target.key) or {}
    writer = Writer(
        manager=options.manager,
        api_version=target.resource.api_version(target.version),
        subresource=target.subresource,
        time=timestamp(),
    )
    custom, force = target.resource.custom, query.get("force") == "true"
    merged, entries = server_side.apply(live, wish, writer, custom=custom, force=force)
    ownership = server_side.ownership(entries, live, writer)
    owned = WriteOptions(manager=options.manager, dry_run=options.dry_run, ownership=ownership)
    if not live:
        return cluster.create(target, _named(merged, target), owned), True
    return cluster.update(target, lambda _: merged, owned), False


def _named(document: Document, target: Target) -> Document:
    return {**document, "metadata": {**document["metadata"], "name": target.name}}


def delete_options(body: Body, query: Mapping[str, str]) -> DeleteOptions:
    """Read the query and, where there is one, the DeleteOptions in the body.

    Raises:
        ApiError: 400.
    """
    options = bodies.read_object(body) if body.content and not body.media_type.endswith("protobuf") else {}
    grace = query.get("gracePeriodSeconds", options.get("gracePeriodSeconds"))
    preconditions = options.get("preconditions") or {}
    propagation = query.get("propagationPolicy") or options.get("propagationPolicy")
    return DeleteOptions(
        uid=preconditions.get("uid"),
        resource_version=preconditions.get("resourceVersion"),
        grace_seconds=int(grace) if grace is not None else None,
        orphan=propagation == "Orphan" or bool(options.get("orphanDependents")),
        dry_run=bool(query.get("dryRun") or options.get("dryRun")),
    )


def delete_collection(
    cluster: Cluster, target: Target, query: Mapping[str, str], options: DeleteOptions
) -> list[Document]:
    """Delete every object that the request selects."""
    matches = selection(target, query)
    deleted = []
    for document in cluster.store.list(target.resource.key, target.namespace):
        if matches(document):
            metadata = document["metadata"]
            one = Target(
                resource=target.resource,
                version=target.version,
                namespace=metadata.get("namespace", ""),
                name=metadata["name"],
            )
            deleted.append(cluster.delete(one, options)[0])
    return deleted


def bind(cluster: Cluster, target: Target, body: Body) -> None:
    """POST pods/NAME/binding: give a pod to a node.

    Raises:
        ApiError: 404, or 409 when the pod has a node already.
    """
    pod, node = cluster.live(target), (bodies.read_object(body).get("target") or {}).get("name")
    if pod["spec"].get("nodeName"):
        raise bad_request(f"pod {target.name} is already assigned to node {pod['spec']['nodeName']!r}")
    cluster.store.put(target.resource.key, {**pod, "spec": {**pod["spec"], "nodeName": node}})

"""Create, replace, patch, apply and delete, as the verbs of HTTP word them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from canary_analyzer.sandbox.api import apply as server_side
from canary_analyzer.sandbox.api import bodies, scale
from canary_analyzer.sandbox.api.bodies import Body, Typing
from canary_analyzer.sandbox.api.errors import bad_request, unsupported_media
from canary_analyzer.sandbox.api.lifecycle import Cluster
from canary_analyzer.sandbox.api.managed import Writer
from canary_analyzer.sandbox.api.patches import json_patch, merge_patch, strategic_merge_patch
from canary_analyzer.sandbox.api.reads import present, selection
from canary_analyzer.sandbox.api.requests import Change, DeleteOptions, Target, WriteOptions
from canary_analyzer.sandbox.api.rules import check_uid, timestamp
from canary_analyzer.sandbox.api.validation import unknown_dry_run

Document = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Call:
    """A writing request; `typing` collects the warnings that go with the answer."""

    target: Target
    body: Body
    query: Mapping[str, str]
    options: WriteOptions
    typing: Typing

    @classmethod
    def parse(cls, target: Target, body: Body, query: Mapping[str, str], user_agent: str) -> Call:
        """Read the query and the client's name.

        Raises:
            ApiError: 422 for a dryRun that is neither absent nor `All`.
        """
        if query.get("dryRun", "") not in ("", "All"):
            raise unknown_dry_run(query["dryRun"])
        manager = query.get("fieldManager") or user_agent.partition("/")[0] or "unknown"
        options = WriteOptions(manager=manager, dry_run=query.get("dryRun") == "All")
        return cls(target=target, body=body, query=query, options=options, typing=Typing(query))


def create(cluster: Cluster, call: Call) -> Document:
    """POST to a collection."""
    document = call.typing.decode(call.target, bodies.read_object(call.body))
    return cluster.create(call.target, document, call.options)


def replace(cluster: Cluster, call: Call) -> Document:
    """PUT of an object, its status or its scale."""
    document, target = bodies.read_object(call.body), call.target
    if target.subresource == "scale":
        return cluster.update(target, lambda live: scale.scaled(live, document), call.options)
    decoded = call.typing.decode(target, document)
    check_uid(target, cluster.live(target), decoded["metadata"].get("uid"))
    return cluster.update(target, lambda _: decoded, call.options)


def patch(cluster: Cluster, call: Call) -> Document:
    """PATCH with one of the three formats that only need the live object.

    Raises:
        ApiError: 415 for a format that the kind does not take.
    """
    target, change = call.target, _change(call.target, call.body)
    if target.subresource == "scale":
        rescale: Change = lambda live: scale.scaled(live, change(scale.scale_of(target, live)))  # noqa: E731
        return cluster.update(target, rescale, call.options)
    return cluster.update(target, lambda live: call.typing.decode(target, change(present(target, live))), call.options)


def _change(target: Target, body: Body) -> Change:
    accepted = [kind for kind in bodies.PATCHES if kind != bodies.STRATEGIC_PATCH or not target.resource.custom]
    if body.media_type not in accepted:
        raise unsupported_media(accepted)
    parsed = body.parsed()
    if body.media_type == bodies.JSON_PATCH:
        return lambda live: json_patch(live, parsed)
    if not isinstance(parsed, dict):
        raise bad_request("the patch is not an object")
    if body.media_type == bodies.MERGE_PATCH:
        return lambda live: _as_document(merge_patch(live, parsed))
    return lambda live: strategic_merge_patch(live, parsed)


def _as_document(value: Any) -> Document:
    return value if isinstance(value, dict) else {}


def apply(cluster: Cluster, call: Call) -> tuple[Document, bool]:
    """Server-side apply: the object, and whether it is new.

    Raises:
        ApiError: 400 without a fieldManager or with managedFields, 409 for fields that others own.
    """
    target, wish = call.target, _wish(call)
    live = cluster.store.get(target.resource.key, target.key) or {}
    writer = Writer(
        manager=call.options.manager,
        api_version=target.resource.api_version(target.version),
        subresource=target.subresource,
        time=timestamp(),
    )
    custom, force = target.resource.custom, call.query.get("force") == "true"
    merged, entries = server_side.apply(live, wish, writer, custom=custom, force=force)
    options = dataclasses.replace(call.options, ownership=server_side.ownership(entries, live, writer))
    if not live:
        return cluster.create(target, merged, options), True
    return cluster.update(target, lambda _: merged, options), False


def _wish(call: Call) -> Document:
    if not call.query.get("fieldManager"):
        raise bad_request("PatchOptions is invalid: fieldManager: Required value: is required for apply patch")
    document = bodies.read_object(Body(content=call.body.content, media_type="application/yaml"))
    wish = call.typing.decode(call.target, document)
    if wish["metadata"].get("managedFields"):
        raise bad_request("metadata.managedFields must be nil")
    return {**wish, "metadata": {**wish["metadata"], "name": call.target.name}}


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
    for document in cluster.store.all(target.resource.key, target.namespace):
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

"""Deployment: move pods from old ReplicaSets to the one of the present template, step by step.

Follows https://kubernetes.io/docs/concepts/workloads/controllers/deployment/ with one difference: a Deployment that is
scaled in the middle of a rolling update is not scaled in proportion; the update goes on towards the new number.
"""

from collections.abc import Collection
from itertools import count

from canary_analyzer.sandbox.client import DEPLOYMENTS, REPLICASETS, Document, Resource
from canary_analyzer.sandbox.workloads import pods as podview
from canary_analyzer.sandbox.workloads import templates
from canary_analyzer.sandbox.workloads.deployment_status import complete, status_writes
from canary_analyzer.sandbox.workloads.objects import controlled, controller_reference, terminating
from canary_analyzer.sandbox.workloads.view import View, bounds, size
from canary_analyzer.sandbox.workloads.writes import Create, Write, delete, patch

HISTORY_LIMIT = 10


def plan(view: View, taken: Collection[str] = ()) -> list[Write]:
    """Writes that take the Deployment one step further; [] when there is nothing to do.

    `taken` are the names of ReplicaSets that belong to somebody else: another hash is found instead.
    """
    if terminating(view.deployment):
        return []
    return [*_revise(view), *_step(view, taken), *_forget(view), *status_writes(view)]


def _revise(view: View) -> list[Write]:
    """Hand annotations down to the new ReplicaSet, and the revision up to the Deployment."""
    if view.new is None:
        return []
    number = str(templates.next_revision(view.replicasets, view.new))
    known = view.new["metadata"].get("annotations") or {}
    wanted = templates.copied_annotations(view.deployment) | _size_annotations(view) | {templates.REVISION: number}
    if known.get(templates.REVISION, number) != number:
        earlier = [known.get(templates.REVISION_HISTORY, ""), known[templates.REVISION]]
        wanted[templates.REVISION_HISTORY] = ",".join(filter(None, earlier))
    return _annotate(view.new, wanted, REPLICASETS) + _annotate(
        view.deployment, {templates.REVISION: number}, DEPLOYMENTS
    )


def _annotate(document: Document, wanted: dict[str, str], resource: Resource) -> list[Write]:
    known = document["metadata"].get("annotations") or {}
    changed = {name: value for name, value in wanted.items() if known.get(name) != value}
    return [patch(resource, document, {"metadata": {"annotations": changed}})] if changed else []


def _size_annotations(view: View) -> dict[str, str]:
    surge, _ = bounds(view.deployment)
    return {
        templates.DESIRED_REPLICAS: str(view.desired),
        templates.MAX_REPLICAS: str(view.desired + surge),
    }


def _step(view: View, taken: Collection[str]) -> list[Write]:
    if view.paused:
        return _resize_only(view)
    strategy = view.deployment["spec"].get("strategy") or {}
    return _recreate(view, taken) if strategy.get("type") == "Recreate" else _roll(view, taken)


def _resize_only(view: View) -> list[Write]:
    """A paused Deployment still scales, as long as it is clear which ReplicaSet is meant."""
    active = [each for each in view.replicasets if size(each)]
    return _scale(active[0], view.desired) if len(active) == 1 else []


def _recreate(view: View, taken: Collection[str]) -> list[Write]:
    shrink = [write for each in view.old for write in _scale(each, 0)]
    left = any(not podview.finished(pod) for each in view.old for pod in controlled(each, view.pods))
    return shrink if shrink or left else _grow(view, view.desired, taken)


def _roll(view: View, taken: Collection[str]) -> list[Write]:
    return _grow(view, _new_size(view), taken) or _shrink_old(view)


def _grow(view: View, replicas: int, taken: Collection[str]) -> list[Write]:
    if view.new is not None:
        return _scale(view.new, replicas)
    return [Create(resource=REPLICASETS, document=_replicaset(view, replicas, taken))]


def _scale(replicaset: Document, replicas: int) -> list[Write]:
    return [] if size(replicaset) == replicas else [patch(REPLICASETS, replicaset, {"spec": {"replicas": replicas}})]


def _new_size(view: View) -> int:
    present = size(view.new) if view.new else 0
    surge, _ = bounds(view.deployment)
    room = max(0, view.desired + surge - view.total)
    return min(view.desired, present + room)


def _shrink_old(view: View) -> list[Write]:
    """Old pods go as new ones become available: first those which serve nobody, then the rest."""
    _, unavailable = bounds(view.deployment)
    minimum = view.desired - unavailable
    not_yet = size(view.new) - view.available(view.new) if view.new else 0
    budget = view.total - minimum - not_yet
    targets = [size(each) for each in view.old]
    spare = sum(view.available(each) for each in view.replicasets) - minimum
    for index, each in enumerate(view.old):
        taken = max(0, min(budget, size(each) - view.available(each)))
        targets[index] -= taken
        budget -= taken
    for index, each in enumerate(view.old):
        taken = max(0, min(budget, spare, view.available(each), targets[index]))
        targets[index] -= taken
        budget, spare = budget - taken, spare - taken
    return [write for each, target in zip(view.old, targets, strict=True) for write in _scale(each, target)]


def _replicaset(view: View, replicas: int, taken: Collection[str]) -> Document:
    deployment, spec = view.deployment, view.deployment["spec"]
    hashes = (templates.template_hash(spec["template"], salt) for salt in count())
    own = {each["metadata"]["name"] for each in view.replicasets} | set(taken)
    digest = next(each for each in hashes if f"{deployment['metadata']['name']}-{each}" not in own)
    template = templates.labelled(spec["template"], digest)
    number = str(templates.next_revision(view.replicasets, None))
    annotations = templates.copied_annotations(deployment) | _size_annotations(view) | {templates.REVISION: number}
    selector = {**spec["selector"]}
    selector["matchLabels"] = {**(selector.get("matchLabels") or {}), templates.HASH_LABEL: digest}
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{deployment['metadata']['name']}-{digest}",
            "namespace": deployment["metadata"]["namespace"],
            "labels": template["metadata"]["labels"],
            "annotations": annotations,
            "ownerReferences": [controller_reference(deployment)],
        },
        "spec": {
            "replicas": replicas,
            "minReadySeconds": spec.get("minReadySeconds", 0),
            "selector": selector,
            "template": template,
        },
    }


def _forget(view: View) -> list[Write]:
    """Delete old, empty ReplicaSets beyond `revisionHistoryLimit`, once the rollout is complete."""
    if not complete(view):
        return []
    empty = [each for each in view.old if not (size(each) or controlled(each, view.pods) or terminating(each))]
    surplus = len(empty) - view.deployment["spec"].get("revisionHistoryLimit", HISTORY_LIMIT)
    return [delete(REPLICASETS, each) for each in sorted(empty, key=templates.revision)[: max(0, surplus)]]

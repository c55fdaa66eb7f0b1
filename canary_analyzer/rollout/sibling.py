"""The canary's own Deployment and Service: copies of the stable ones that nobody else believes to be theirs."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from canary_analyzer.rollout.labels import LabelChange, SiblingProblem, Unlabelable, baseline_value, choose_label
from canary_analyzer.rollout.sibling_images import container_images, template_hash, with_images
from canary_analyzer.rollout.sibling_names import BASELINE, CANARY, sibling_name
from canary_analyzer.routing.documents import Document

__all__ = [
    "BASELINE",
    "CANARY",
    "FINALIZER",
    "Copy",
    "LabelChange",
    "SiblingProblem",
    "Unlabelable",
    "baseline_value",
    "canary_service",
    "choose_label",
    "container_images",
    "owner_reference",
    "released",
    "sibling_deployment",
    "sibling_name",
    "template_hash",
    "with_images",
]

FINALIZER = "canary-analyzer.io/drain"
"""Keeps what somebody else deletes in mid-run, so that it serves until its requests have been sent back to stable:
https://kubernetes.io/docs/concepts/overview/working-with-objects/finalizers/"""

# Whoever finds these on an object takes it for his own: Helm adopts it, Flux and Argo CD prune it, external-dns gives
# its host name away, and we ourselves would start a canary of the canary.
_FOREIGN_ANNOTATIONS = (
    "argocd.argoproj.io/",
    "canary-analyzer.io/",
    "deployment.kubernetes.io/",
    "external-dns.alpha.kubernetes.io/",
    "helm.toolkit.fluxcd.io/",
    "kubectl.kubernetes.io/last-applied-configuration",
    "kustomize.toolkit.fluxcd.io/",
    "meta.helm.sh/",
)
_FOREIGN_LABELS = (
    "app.kubernetes.io/instance",  # Argo CD tracks by it unless told otherwise
    "app.kubernetes.io/managed-by",
    "argocd.argoproj.io/",
    "helm.sh/chart",
    "helm.toolkit.fluxcd.io/",
    "kustomize.toolkit.fluxcd.io/",
)
# What makes a Service reachable from outside, or is given out by the API server.
_SERVICE_FIELDS_LEFT_OUT = frozenset(
    {
        "allocateLoadBalancerNodePorts",
        "clusterIP",
        "clusterIPs",
        "externalIPs",
        "externalTrafficPolicy",
        "healthCheckNodePort",
        "loadBalancerClass",
        "loadBalancerIP",
        "loadBalancerSourceRanges",
        "selector",
        "type",
    }
)


def owner_reference(stable: Document) -> dict[str, Any]:
    """The reference that lets the garbage collector remove the canary's objects together with the stable Deployment.

    Not a controller, and it blocks nothing: the stable Deployment may be deleted at any time.
    """
    return {
        "apiVersion": stable.get("apiVersion", "apps/v1"),
        "kind": stable.get("kind", "Deployment"),
        "name": stable["metadata"]["name"],
        "uid": stable["metadata"]["uid"],
        "controller": False,
        "blockOwnerDeletion": False,
    }


@dataclass(frozen=True, kw_only=True)
class Copy:
    """In what a sibling differs from the stable Deployment."""

    name: str
    images: Mapping[str, str]
    label: LabelChange
    replicas: int


def sibling_deployment(stable: Document, copy: Copy) -> Document:
    """The Deployment of a sibling: the stable one with another name, its images, and the one label changed.

    The pod template is copied as it is, labels included, so that policies and telemetry treat both alike; only our own
    and other tools' tracking annotations are left out. A paused stable gives a sibling that is not paused.

    Raises:
        SiblingProblem: `images` names a container that is not there.
    """
    label = copy.label
    spec = deepcopy(with_images(stable, copy.images)["spec"])
    spec.pop("paused", None)
    metadata = spec["template"].setdefault("metadata", {})
    metadata["labels"] = {**(metadata.get("labels") or {}), label.key: label.value}
    if metadata.get("annotations"):
        metadata["annotations"] = _without(metadata["annotations"], _FOREIGN_ANNOTATIONS)
    spec |= {"replicas": copy.replicas, "selector": _narrowed(spec["selector"], label)}
    return {
        "apiVersion": stable.get("apiVersion", "apps/v1"),
        "kind": stable.get("kind", "Deployment"),
        "metadata": _metadata(stable, copy.name, stable, label),
        "spec": spec,
    }


def canary_service(service: Document, label: LabelChange, name: str, owner: Document) -> Document:
    """The Service of the canary: same ports, reachable inside the cluster only, selecting on the changed label.

    Args:
        service: the stable Service.
        label: the label that canary pods carry.
        name: of the new Service.
        owner: the stable Deployment, with its uid.

    A headless Service gives a headless one, since the mesh treats the two kinds differently.
    """
    spec = {key: deepcopy(value) for key, value in service["spec"].items() if key not in _SERVICE_FIELDS_LEFT_OUT}
    for port in spec.get("ports") or []:
        port.pop("nodePort", None)
    headless = {"clusterIP": "None"} if service["spec"].get("clusterIP") == "None" else {}
    selector = {**service["spec"]["selector"], label.key: label.value}
    return {
        "apiVersion": service.get("apiVersion", "v1"),
        "kind": service.get("kind", "Service"),
        "metadata": _metadata(service, name, owner, label),
        "spec": {"type": "ClusterIP", **headless, **spec, "selector": selector},
    }


def _metadata(source: Document, name: str, owner: Document, label: LabelChange) -> Document:
    """Metadata of a copy: the API server's own fields (uid, resourceVersion, managedFields, ...) are not taken over."""
    metadata = source["metadata"]
    labels = _without(metadata.get("labels") or {}, _FOREIGN_LABELS)
    if label.key in labels:
        labels[label.key] = label.value
    copied = {
        "name": name,
        "namespace": metadata.get("namespace"),
        "labels": labels,
        "annotations": _without(metadata.get("annotations") or {}, _FOREIGN_ANNOTATIONS),
        "ownerReferences": [owner_reference(owner)],
        "finalizers": [FINALIZER],
    }
    return {key: value for key, value in copied.items() if value}


def released(document: Document) -> Document:
    """Return a copy of a sibling's document that may go as soon as it is deleted."""
    metadata = document["metadata"]
    others = [each for each in metadata.get("finalizers") or [] if each != FINALIZER]
    kept = {key: value for key, value in metadata.items() if key != "finalizers"}
    return document | {"metadata": kept | ({"finalizers": others} if others else {})}


def _without(marks: Mapping[str, str], prefixes: tuple[str, ...]) -> dict[str, str]:
    return {key: value for key, value in marks.items() if not key.startswith(prefixes)}


def _narrowed(selector: Mapping[str, Any], label: LabelChange) -> Document:
    """The stable selector, but for the changed label: it selects canary pods and no stable ones."""
    narrowed = deepcopy(dict(selector))
    narrowed["matchLabels"] = {**(selector.get("matchLabels") or {}), label.key: label.value}
    others = [each for each in selector.get("matchExpressions") or [] if each["key"] != label.key]
    narrowed.pop("matchExpressions", None)
    return narrowed | ({"matchExpressions": others} if others else {})

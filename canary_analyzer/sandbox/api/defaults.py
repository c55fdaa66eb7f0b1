"""Defaults that kube-apiserver writes into objects (pkg/apis/*/v1/defaults.go)."""

from __future__ import annotations

import base64
import copy
from collections.abc import Callable
from typing import Any

from canary_analyzer.sandbox.api.crds import established
from canary_analyzer.sandbox.api.pod_defaults import complete_pod, complete_pod_spec
from canary_analyzer.sandbox.api.resources import Resource
from canary_analyzer.sandbox.api.service_defaults import complete_service
from canary_analyzer.sandbox.api.store import Store

Document = dict[str, Any]


def complete(resource: Resource, document: Document, store: Store, live: Document | None = None) -> Document:
    """A deep copy of the document with every default filled in; what was allocated to `live` is kept."""
    completed = copy.deepcopy(document)
    if resource.custom:
        return completed
    if resource.plural in _FIRST_STATUS:
        completed.setdefault("status", copy.deepcopy(_FIRST_STATUS[resource.plural]))
    if resource.plural == "services" and "spec" in completed:
        complete_service(completed["spec"], (live or {}).get("spec") or {}, store)
    elif resource.plural in _DEFAULTS and ("spec" in completed or resource.plural not in _SPEC_REQUIRED):
        _DEFAULTS[resource.plural](completed)
    return completed


def _deployment(document: Document) -> None:
    spec = document["spec"]
    spec.setdefault("replicas", 1)
    strategy = spec.setdefault("strategy", {})
    if strategy.setdefault("type", "RollingUpdate") == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", "25%")
        rolling.setdefault("maxSurge", "25%")
    spec.setdefault("revisionHistoryLimit", 10)
    spec.setdefault("progressDeadlineSeconds", 600)
    complete_pod_spec(spec.setdefault("template", {}).setdefault("spec", {}))


def _replica_set(document: Document) -> None:
    spec = document["spec"]
    spec.setdefault("replicas", 1)
    complete_pod_spec(spec.setdefault("template", {}).setdefault("spec", {}))


def _namespace(document: Document) -> None:
    document["metadata"].setdefault("labels", {})["kubernetes.io/metadata.name"] = document["metadata"]["name"]
    document.setdefault("spec", {}).setdefault("finalizers", ["kubernetes"])
    document.setdefault("status", {"phase": "Active"})


def _secret(document: Document) -> None:
    document.setdefault("type", "Opaque")
    plain = document.pop("stringData", None) or {}
    if plain:
        encoded = {key: base64.b64encode(value.encode()).decode() for key, value in plain.items()}
        document["data"] = {**(document.get("data") or {}), **encoded}


def _endpoints(document: Document) -> None:
    for ports in [document.get("ports"), *(subset.get("ports") for subset in document.get("subsets") or [])]:
        for port in ports or []:
            port.setdefault("protocol", "TCP")


def _network_policy(document: Document) -> None:
    spec = document["spec"]
    spec.setdefault("policyTypes", ["Ingress", *(["Egress"] if spec.get("egress") else [])])
    for rule in [*(spec.get("ingress") or []), *(spec.get("egress") or [])]:
        for port in rule.get("ports") or []:
            port.setdefault("protocol", "TCP")


def _autoscaler(document: Document) -> None:
    spec = document["spec"]
    spec.setdefault("minReplicas", 1)
    if not spec.get("metrics"):
        target = {"type": "Utilization", "averageUtilization": 80}
        spec["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]


def _definition(document: Document) -> None:
    spec = document["spec"]
    spec.setdefault("conversion", {"strategy": "None"})
    names = spec.setdefault("names", {})
    names.setdefault("singular", names.get("kind", "").lower())
    names.setdefault("listKind", names.get("kind", "") + "List")
    if not document.get("status"):
        document["status"] = established(document, document["metadata"]["creationTimestamp"])


_DEFAULTS: dict[str, Callable[[Document], None]] = {
    "namespaces": _namespace,
    "pods": complete_pod,
    "deployments": _deployment,
    "replicasets": _replica_set,
    "secrets": _secret,
    "endpoints": _endpoints,
    "endpointslices": _endpoints,
    "networkpolicies": _network_policy,
    "horizontalpodautoscalers": _autoscaler,
    "customresourcedefinitions": _definition,
}
_SPEC_REQUIRED = _DEFAULTS.keys() - {"namespaces", "secrets", "endpoints", "endpointslices"}
_FIRST_STATUS: dict[str, Document] = {
    "deployments": {},
    "replicasets": {"replicas": 0},
    "services": {"loadBalancer": {}},
    "poddisruptionbudgets": {"disruptionsAllowed": 0, "currentHealthy": 0, "desiredHealthy": 0, "expectedPods": 0},
    "horizontalpodautoscalers": {"desiredReplicas": 0, "currentMetrics": None},
}
"""What Go's structs without `omitempty` say before a controller has spoken."""

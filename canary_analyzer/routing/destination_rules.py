"""The stable host's traffic policy for the canary's host: without it the arms differ in pools, TLS and ejection."""

from collections.abc import Sequence
from copy import deepcopy

from canary_analyzer.routing.documents import Document, Target, namespace_of
from canary_analyzer.routing.hosts import ServiceName, renamed, service_of


def canary_destination_rule(destination_rules: Sequence[Document], target: Target) -> Document | None:
    """A DestinationRule for the canary's host with the trafficPolicy of the one for the stable host.

    None where no rule for exactly the stable host has a trafficPolicy; a rule for a wildcard host covers the canary as
    it is. The rule in the Services' namespace is preferred, then the oldest, as Istio does when it merges. The clone
    lives in the Services' namespace, where the stable Deployment can own it, and is visible to the same namespaces. It
    has no subsets: nothing routes to them.
    """
    rules = [rule for rule in destination_rules if _governs(rule, target)]
    return _clone(min(rules, key=lambda rule: _precedence(rule, target)), target) if rules else None


def _governs(rule: Document, target: Target) -> bool:
    spec = rule.get("spec") or {}
    service = service_of(spec.get("host"), namespace_of(rule, target.namespace))
    return service == ServiceName(target.stable, target.namespace) and bool(spec.get("trafficPolicy"))


def _precedence(rule: Document, target: Target) -> tuple[bool, str, str]:
    metadata = rule.get("metadata", {})
    elsewhere = namespace_of(rule, target.namespace) != target.namespace
    return elsewhere, metadata.get("creationTimestamp") or "", metadata.get("name", "")


def _clone(rule: Document, target: Target) -> Document:
    home, spec = namespace_of(rule, target.namespace), rule["spec"]
    copied = {key: deepcopy(spec[key]) for key in ("trafficPolicy", "workloadSelector") if key in spec}
    if spec.get("exportTo"):
        copied["exportTo"] = [home if to == "." else to for to in spec["exportTo"]]
    return {
        "apiVersion": rule.get("apiVersion", "networking.istio.io/v1"),
        "kind": "DestinationRule",
        "metadata": {"name": target.canary, "namespace": target.namespace},
        "spec": {"host": renamed(spec["host"], target.canary), **copied},
    }

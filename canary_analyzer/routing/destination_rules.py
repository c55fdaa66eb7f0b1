"""The stable host's traffic policy for the canary's host: without it the arms differ in pools, TLS and ejection."""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

from canary_analyzer.routing.documents import Document, Target, metadata_of, namespace_of
from canary_analyzer.routing.hosts import ServiceName, renamed, service_of

_PORTS = "portLevelSettings"


def canary_destination_rule(destination_rules: Sequence[Document], target: Target) -> Document | None:
    """A DestinationRule for the canary's host with the trafficPolicy of the one for the stable host.

    None where no rule for exactly the stable host has a trafficPolicy; a rule for a wildcard host covers the canary as
    it is. The rule in the Services' namespace is preferred, then the oldest, as Istio does when it merges. Where routes
    reach stable by a subset, what the subset says takes precedence, as it does for stable. The clone lives in the
    Services' namespace, where the stable Deployment can own it, and is visible to the same namespaces. It has no
    subsets: nothing routes to them.
    """
    rules = rules_for(destination_rules, ServiceName(target.stable, target.namespace), target)
    cloned = (_clone(rule, target) for rule in rules)
    return next((rule for rule in cloned if rule is not None), None)


def rules_for(destination_rules: Sequence[Document], service: ServiceName, target: Target) -> list[Document]:
    """The DestinationRules for exactly this Service, the one that takes precedence first."""
    return sorted(
        (
            rule
            for rule in destination_rules
            if service_of(_spec(rule).get("host"), namespace_of(rule, target.namespace)) == service
        ),
        key=lambda rule: _precedence(rule, target),
    )


def subsets_of(rules: Sequence[Document]) -> dict[str, Document]:
    """Subsets by name; the first rule that names one defines it."""
    found: dict[str, Document] = {}
    for rule in rules:
        for subset in _spec(rule).get("subsets") or []:
            if isinstance(subset, dict) and isinstance(subset.get("name"), str):
                found.setdefault(subset["name"], subset)
    return found


def _spec(rule: Document) -> Document:
    spec = rule.get("spec")
    return spec if isinstance(spec, dict) else {}


def _precedence(rule: Document, target: Target) -> tuple[bool, str, str]:
    metadata = metadata_of(rule)
    elsewhere = namespace_of(rule, target.namespace) != target.namespace
    return elsewhere, str(metadata.get("creationTimestamp") or ""), str(metadata.get("name", ""))


def _clone(rule: Document, target: Target) -> Document | None:
    home, spec = namespace_of(rule, target.namespace), _spec(rule)
    subset = subsets_of([rule]).get(next((name for name in target.stable_subsets if name), ""), {})
    policy = _merged(spec.get("trafficPolicy") or {}, subset.get("trafficPolicy") or {})
    if not policy:
        return None
    copied = {"trafficPolicy": policy} | (
        {"workloadSelector": deepcopy(spec["workloadSelector"])} if "workloadSelector" in spec else {}
    )
    if spec.get("exportTo"):
        copied["exportTo"] = [home if to == "." else to for to in spec["exportTo"]]
    return {
        "apiVersion": rule.get("apiVersion", "networking.istio.io/v1"),
        "kind": "DestinationRule",
        "metadata": {"name": target.canary, "namespace": target.namespace},
        "spec": {"host": renamed(spec["host"], target.canary), **copied},
    }


def _merged(host: Document, subset: Document) -> Document:
    """The policy of a host with a subset's laid over it, field by field, as Istio merges the two (MergeTrafficPolicy).

    What the subset says for all ports beats what the host says for one; what it says for one port beats both.
    """
    over = {key: value for key, value in subset.items() if key != _PORTS}
    ports: dict[Any, Document] = {}
    for setting in host.get(_PORTS) or []:
        ports[_number(setting)] = {key: value for key, value in setting.items() if key not in over}
    for setting in subset.get(_PORTS) or []:
        ports[_number(setting)] = ports.get(_number(setting), {}) | setting
    return deepcopy({**host, **over} | ({_PORTS: list(ports.values())} if ports else {}))


def _number(setting: Document) -> object:
    return (setting.get("port") or {}).get("number")

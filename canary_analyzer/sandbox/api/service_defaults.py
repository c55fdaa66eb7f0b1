"""Defaults of Services, and the addresses and ports that the server allocates to them."""

from __future__ import annotations

from typing import Any

from canary_analyzer.sandbox.api.store import Store

Document = dict[str, Any]


def complete_service(spec: Document, old: Document, store: Store) -> None:
    """Fill in a Service's spec, in place; what was allocated to its former spec is kept."""
    _keep_allocated(spec, old)
    kind = spec.setdefault("type", "ClusterIP")
    spec.setdefault("sessionAffinity", "None")
    for port in spec.get("ports") or []:
        port.setdefault("protocol", "TCP")
        port.setdefault("targetPort", port.get("port"))
    if kind == "ExternalName":
        return
    spec.setdefault("internalTrafficPolicy", "Cluster")
    spec.setdefault("ipFamilies", ["IPv4"])
    spec.setdefault("ipFamilyPolicy", "SingleStack")
    if not spec.get("clusterIP"):
        spec["clusterIP"] = _free_address(store)
    spec.setdefault("clusterIPs", [spec["clusterIP"]])
    if kind in ("NodePort", "LoadBalancer"):
        _node_ports(spec, kind, store)


def _keep_allocated(spec: Document, old: Document) -> None:
    """A replacement that leaves addresses and node ports out keeps them (patchAllocatedValues)."""
    if "ExternalName" in (spec.get("type"), old.get("type")):
        return
    for field in ("clusterIP", "clusterIPs"):
        if field in old:
            spec.setdefault(field, old[field])
    known = {(port.get("protocol"), port["port"]): port.get("nodePort") for port in old.get("ports") or []}
    for port in spec.get("ports") or [] if spec.get("type") in ("NodePort", "LoadBalancer") else []:
        node_port = known.get((port.get("protocol", "TCP"), port.get("port")))
        if node_port:
            port.setdefault("nodePort", node_port)


def _node_ports(spec: Document, kind: str, store: Store) -> None:
    spec.setdefault("externalTrafficPolicy", "Cluster")
    if kind == "LoadBalancer":
        spec.setdefault("allocateLoadBalancerNodePorts", True)
    services = [service["spec"] for service in store.all(("", "services"))]
    taken = {port.get("nodePort") for service in [*services, spec] for port in service.get("ports") or []}
    free = iter(sorted(set(range(30000, 32768)) - taken))
    for port in spec.get("ports") or []:
        if not port.get("nodePort"):
            port["nodePort"] = next(free)


def _free_address(store: Store) -> str:
    taken = {service["spec"].get("clusterIP") for service in store.all(("", "services"))}
    addresses = (f"10.96.{third}.{fourth}" for third in range(256) for fourth in range(1, 255))
    return next(address for address in addresses if address not in taken and address != "10.96.0.1")

"""Defaults that kube-apiserver writes into objects (pkg/apis/*/v1/defaults.go), and addresses that it allocates."""

from __future__ import annotations

import base64
import copy
from typing import Any

from canary_analyzer.sandbox.api.crds import established
from canary_analyzer.sandbox.api.resources import Resource
from canary_analyzer.sandbox.api.store import Store

Document = dict[str, Any]


_FIRST_STATUS: dict[str, Document] = {
    "deployments": {},
    "replicasets": {"replicas": 0},
    "services": {"loadBalancer": {}},
    "poddisruptionbudgets": {"disruptionsAllowed": 0, "currentHealthy": 0, "desiredHealthy": 0, "expectedPods": 0},
    "horizontalpodautoscalers": {"desiredReplicas": 0, "currentMetrics": None},
}
"""What Go's structs without `omitempty` say before a controller has spoken."""


def complete(resource: Resource, document: Document, store: Store, live: Document | None = None) -> Document:
    """A deep copy of the document with every default filled in; what was allocated to `live` is kept."""
    completed = copy.deepcopy(document)
    spec = completed.get("spec")
    if resource.custom or not isinstance(spec, dict | None):
        return completed
    if resource.plural in _FIRST_STATUS:
        completed.setdefault("status", copy.deepcopy(_FIRST_STATUS[resource.plural]))
    if resource.plural == "deployments" and spec:
        _deployment(spec)
    elif resource.plural == "replicasets" and spec:
        spec.setdefault("replicas", 1)
        _pod_spec(spec.setdefault("template", {}).setdefault("spec", {}))
    elif resource.plural == "pods" and spec:
        _pod(completed, spec)
    elif resource.plural == "services" and spec:
        _keep_allocated(spec, (live or {}).get("spec") or {})
        _service(spec, store)
    else:
        _small_kinds(resource, completed)
    return completed


def _small_kinds(resource: Resource, document: Document) -> None:
    metadata = document["metadata"]
    if resource.plural == "namespaces":
        metadata.setdefault("labels", {})["kubernetes.io/metadata.name"] = metadata["name"]
        document.setdefault("spec", {}).setdefault("finalizers", ["kubernetes"])
        document.setdefault("status", {"phase": "Active"})
    elif resource.plural == "secrets":
        document.setdefault("type", "Opaque")
        _encode_secret(document)
    elif resource.plural in ("endpoints", "endpointslices"):
        for ports in [document.get("ports"), *(subset.get("ports") for subset in document.get("subsets") or [])]:
            for port in ports or []:
                port.setdefault("protocol", "TCP")
    elif resource.plural == "customresourcedefinitions":
        document["spec"].setdefault("conversion", {"strategy": "None"})
        names = document["spec"].setdefault("names", {})
        names.setdefault("singular", names.get("kind", "").lower())
        names.setdefault("listKind", names.get("kind", "") + "List")
        if not document.get("status"):
            document["status"] = established(document, metadata["creationTimestamp"])
    elif resource.plural == "networkpolicies":
        _network_policy(document.setdefault("spec", {}))
    elif resource.plural == "horizontalpodautoscalers":
        spec = document.setdefault("spec", {})
        spec.setdefault("minReplicas", 1)
        if not spec.get("metrics"):
            target = {"type": "Utilization", "averageUtilization": 80}
            spec["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]


def _encode_secret(document: Document) -> None:
    plain = document.pop("stringData", None) or {}
    if plain:
        encoded = {key: base64.b64encode(value.encode()).decode() for key, value in plain.items()}
        document["data"] = {**(document.get("data") or {}), **encoded}


def _network_policy(spec: Document) -> None:
    spec.setdefault("policyTypes", ["Ingress", *(["Egress"] if spec.get("egress") else [])])
    for rule in [*(spec.get("ingress") or []), *(spec.get("egress") or [])]:
        for port in rule.get("ports") or []:
            port.setdefault("protocol", "TCP")


def _deployment(spec: Document) -> None:
    spec.setdefault("replicas", 1)
    strategy = spec.setdefault("strategy", {})
    if strategy.setdefault("type", "RollingUpdate") == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", "25%")
        rolling.setdefault("maxSurge", "25%")
    spec.setdefault("revisionHistoryLimit", 10)
    spec.setdefault("progressDeadlineSeconds", 600)
    _pod_spec(spec.setdefault("template", {}).setdefault("spec", {}))


def _pod(document: Document, spec: Document) -> None:
    _pod_spec(spec)
    spec.setdefault("enableServiceLinks", True)
    for container in [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]:
        resources = container["resources"]
        if resources.get("limits"):
            resources["requests"] = {**resources["limits"], **(resources.get("requests") or {})}
    if "status" not in document:
        document["status"] = {"phase": "Pending", "qosClass": _qos_class(spec)}


def _qos_class(spec: Document) -> str:
    resources = [container.get("resources") or {} for container in spec.get("containers") or []]
    if not any(resource.get("requests") or resource.get("limits") for resource in resources):
        return "BestEffort"
    full = all({"cpu", "memory"} <= set(resource.get("limits") or {}) for resource in resources)
    same = all(resource.get("requests", resource.get("limits")) == resource.get("limits") for resource in resources)
    return "Guaranteed" if full and same else "Burstable"


def _pod_spec(spec: Document) -> None:
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("terminationGracePeriodSeconds", 30)
    spec.setdefault("dnsPolicy", "ClusterFirst")
    spec.setdefault("securityContext", {})
    spec.setdefault("schedulerName", "default-scheduler")
    if "serviceAccountName" in spec:
        spec.setdefault("serviceAccount", spec["serviceAccountName"])
    for container in [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]:
        _container(container)
    for volume in spec.get("volumes") or []:
        _volume(volume)


def _container(container: Document) -> None:
    container.setdefault("imagePullPolicy", _pull_policy(container.get("image") or ""))
    container.setdefault("terminationMessagePath", "/dev/termination-log")
    container.setdefault("terminationMessagePolicy", "File")
    container.setdefault("resources", {})
    for port in container.get("ports") or []:
        port.setdefault("protocol", "TCP")
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        if container.get(probe):
            _probe(container[probe])
    for variable in container.get("env") or []:
        if variable.get("value") == "":
            del variable["value"]  # Go's `omitempty`
        field = (variable.get("valueFrom") or {}).get("fieldRef")
        if field:
            field.setdefault("apiVersion", "v1")


def _pull_policy(image: str) -> str:
    """`Always` for the tag latest, given or meant."""
    last = image.rpartition("/")[2]
    pinned = "@" in last or (":" in last and not last.endswith(":latest"))
    return "IfNotPresent" if pinned else "Always"


def _probe(probe: Document) -> None:
    for name, value in (("timeoutSeconds", 1), ("periodSeconds", 10), ("successThreshold", 1), ("failureThreshold", 3)):
        probe.setdefault(name, value)
    if probe.get("httpGet") is not None:
        probe["httpGet"].setdefault("path", "/")
        probe["httpGet"].setdefault("scheme", "HTTP")


def _volume(volume: Document) -> None:
    sources = ("configMap", "secret", "projected", "downwardAPI")
    for source in sources:
        if volume.get(source) is not None:
            volume[source].setdefault("defaultMode", 420)
    if not set(volume) - {"name"}:
        volume["emptyDir"] = {}


def _service(spec: Document, store: Store) -> None:
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

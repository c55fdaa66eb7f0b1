"""Defaults of pods and pod templates (pkg/apis/core/v1/defaults.go)."""

from __future__ import annotations

from typing import Any

Document = dict[str, Any]


def complete_pod_spec(spec: Document) -> None:
    """Fill in a pod's spec, or that of a template, in place."""
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


def complete_pod(document: Document) -> None:
    """Fill in a pod, in place."""
    spec = document["spec"]
    complete_pod_spec(spec)
    spec.setdefault("enableServiceLinks", True)
    for container in [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]:
        resources = container["resources"]
        if resources.get("limits"):
            resources["requests"] = {**resources["limits"], **(resources.get("requests") or {})}
    document.setdefault("status", {"phase": "Pending", "qosClass": _qos_class(spec)})


def _qos_class(spec: Document) -> str:
    resources = [container.get("resources") or {} for container in spec.get("containers") or []]
    if not any(resource.get("requests") or resource.get("limits") for resource in resources):
        return "BestEffort"
    full = all({"cpu", "memory"} <= set(resource.get("limits") or {}) for resource in resources)
    same = all(resource.get("requests", resource.get("limits")) == resource.get("limits") for resource in resources)
    return "Guaranteed" if full and same else "Burstable"

"""The columns that `kubectl get` shows (pkg/printers/internalversion/printers.go); a `+` marks those of `-o wide`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

Document = dict[str, Any]
Cell = Callable[[Document], Any]
Column = tuple[str, str, Cell]


def age(time: str | None) -> str:
    """How long ago, as kubectl writes it (k8s.io/apimachinery/pkg/util/duration HumanDuration)."""
    if not time:
        return "<unknown>"
    then = datetime.fromisoformat(time)
    seconds = max(0, int((datetime.now(UTC) - then).total_seconds()))
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if seconds < 120:
        return f"{seconds}s"
    if minutes < 10:
        return f"{minutes}m" + (f"{seconds % 60}s" if seconds % 60 else "")
    if hours < 3:
        return f"{minutes}m"
    if hours < 8:
        return f"{hours}h" + (f"{minutes % 60}m" if minutes % 60 else "")
    return f"{hours}h" if hours < 48 else f"{days}d"


def at_path(path: str, otherwise: Any = None) -> Cell:
    """A cell that shows a field; `otherwise` stands where there is none."""
    steps = path.strip(".").split(".")

    def cell(document: Document) -> Any:
        value: Any = document
        for step in steps:
            value = value.get(step) if isinstance(value, dict) else None
        if steps == ["metadata", "creationTimestamp"]:
            return age(value)
        return otherwise if value is None else value

    return cell


def _name(document: Document) -> str:
    return str(document["metadata"]["name"])


def _selector(document: Document) -> str:
    selector = document["spec"].get("selector") or {}
    labels = selector.get("matchLabels", selector) if isinstance(selector, dict) else {}
    return ",".join(f"{key}={value}" for key, value in labels.items() if isinstance(value, str)) or "<none>"


def _containers(document: Document) -> list[Document]:
    spec = document.get("spec") or {}
    inner = (spec.get("template") or {}).get("spec") or spec
    return inner.get("containers") or []


def _images(document: Document) -> str:
    return ",".join(container.get("image") or "" for container in _containers(document))


def _status(field: str) -> Cell:
    return lambda document: (document.get("status") or {}).get(field, 0)


def _deployment_ready(document: Document) -> str:
    return f"{(document.get('status') or {}).get('readyReplicas', 0)}/{document['spec'].get('replicas', 0)}"


def _container_statuses(document: Document) -> list[Document]:
    return (document.get("status") or {}).get("containerStatuses") or []


def _pod_ready(document: Document) -> str:
    ready = sum(1 for status in _container_statuses(document) if status.get("ready"))
    return f"{ready}/{len(_containers(document))}"


def _pod_status(document: Document) -> str:
    if "deletionTimestamp" in document["metadata"]:
        return "Terminating"
    for status in _container_statuses(document):
        for state in ("waiting", "terminated"):
            reason = ((status.get("state") or {}).get(state) or {}).get("reason")
            if reason:
                return str(reason)
    status = document.get("status") or {}
    return str(status.get("reason") or status.get("phase") or "Unknown")


def _restarts(document: Document) -> str:
    return str(sum(status.get("restartCount", 0) for status in _container_statuses(document)))


def _service_ports(document: Document) -> str:
    ports = document["spec"].get("ports") or []
    shown = (f"{p['port']}{':' + str(p['nodePort']) if p.get('nodePort') else ''}/{p['protocol']}" for p in ports)
    return ",".join(shown) or "<none>"


def _external_address(document: Document) -> str:
    spec = document["spec"]
    if spec.get("type") == "ExternalName":
        return str(spec.get("externalName"))
    ingress = ((document.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
    waiting = "<pending>" if spec.get("type") == "LoadBalancer" else "<none>"
    return ",".join(entry.get("ip") or entry.get("hostname") or "" for entry in ingress) or waiting


def _endpoints(document: Document) -> str:
    pairs = [
        f"{address['ip']}:{port['port']}"
        for subset in document.get("subsets") or []
        for address in subset.get("addresses") or []
        for port in subset.get("ports") or []
    ]
    more = f" + {len(pairs) - 3} more..." if len(pairs) > 3 else ""
    return ",".join(pairs[:3]) + more or "<none>"


def _scaled(document: Document) -> str:
    target = document["spec"]["scaleTargetRef"]
    return f"{target['kind']}/{target['name']}"


def _involved(document: Document) -> str:
    involved = document.get("involvedObject") or {}
    return f"{(involved.get('kind') or '').lower()}/{involved.get('name')}"


def _last_seen(document: Document) -> str:
    series = document.get("series") or {}
    times = (series.get("lastObservedTime"), document.get("lastTimestamp"), document.get("eventTime"))
    return age(next((time for time in times if time), None))


NAME: Column = ("Name", "string", _name)
AGE: Column = ("Age", "string", at_path(".metadata.creationTimestamp"))
COLUMNS: dict[str, tuple[Column, ...]] = {
    "deployments": (
        ("Ready", "string", _deployment_ready),
        ("Up-to-date", "string", _status("updatedReplicas")),
        ("Available", "string", _status("availableReplicas")),
    ),
    "replicasets": (
        ("Desired", "integer", at_path(".spec.replicas")),
        ("Current", "integer", _status("replicas")),
        ("Ready", "integer", _status("readyReplicas")),
    ),
    "pods": (("Ready", "string", _pod_ready), ("Status", "string", _pod_status), ("Restarts", "string", _restarts)),
    "services": (
        ("Type", "string", at_path(".spec.type")),
        ("Cluster-IP", "string", lambda document: document["spec"].get("clusterIP") or "<none>"),
        ("External-IP", "string", _external_address),
        ("Port(s)", "string", _service_ports),
    ),
    "endpoints": (("Endpoints", "string", _endpoints),),
    "poddisruptionbudgets": (
        ("Min Available", "string", at_path(".spec.minAvailable", "N/A")),
        ("Max Unavailable", "string", at_path(".spec.maxUnavailable", "N/A")),
        ("Allowed Disruptions", "integer", at_path(".status.disruptionsAllowed")),
    ),
    "horizontalpodautoscalers": (
        ("Reference", "string", _scaled),
        ("MinPods", "string", at_path(".spec.minReplicas", "<unset>")),
        ("MaxPods", "integer", at_path(".spec.maxReplicas")),
        ("Replicas", "integer", at_path(".status.currentReplicas", 0)),
    ),
    "namespaces": (("Status", "string", at_path(".status.phase")),),
    "configmaps": (("Data", "integer", lambda d: len(d.get("data") or {}) + len(d.get("binaryData") or {})),),
    "secrets": (("Type", "string", at_path(".type")), ("Data", "integer", lambda d: len(d.get("data") or {}))),
    "events": (
        ("Last Seen", "string", _last_seen),
        ("Type", "string", at_path(".type")),
        ("Reason", "string", at_path(".reason")),
        ("Object", "string", _involved),
        ("Message", "string", lambda document: (document.get("message") or "").strip()),
        ("+Name", "string", _name),
    ),
    "customresourcedefinitions": (("Created At", "date", at_path(".metadata.creationTimestamp.")),),
}
WIDE: dict[str, tuple[Column, ...]] = {
    "deployments": (
        ("+Containers", "string", lambda d: ",".join(c["name"] for c in _containers(d))),
        ("+Images", "string", _images),
        ("+Selector", "string", _selector),
    ),
    "replicasets": (
        ("+Containers", "string", lambda d: ",".join(c["name"] for c in _containers(d))),
        ("+Images", "string", _images),
        ("+Selector", "string", _selector),
    ),
    "pods": (
        ("+IP", "string", lambda d: (d.get("status") or {}).get("podIP") or "<none>"),
        ("+Node", "string", lambda d: d["spec"].get("nodeName") or "<none>"),
    ),
    "services": (("+Selector", "string", _selector),),
}

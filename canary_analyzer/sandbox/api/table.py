"""Tables: what `kubectl get` prints (meta.k8s.io/v1 Table)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from canary_analyzer.sandbox.api.resources import Resource

Document = dict[str, Any]
Cell = Callable[[Document], Any]
Column = tuple[str, str, Cell]


def wants_table(accept: str) -> bool:
    """Whether the client asks for a table first."""
    return "as=Table" in accept.partition(",")[0]


def table(resource: Resource, documents: Sequence[Document], metadata: Document, include: str) -> Document:
    """A Table of some objects; `include` is the query's includeObject (None, Metadata or Object)."""
    columns = (("Name", "string", _name), *_columns(resource))
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "columnDefinitions": [_definition(column) for column in columns],
        "rows": [
            {"cells": [cell(document) for _, _, cell in columns], "object": _shown(document, include)}
            for document in documents
        ],
    }


def _definition(column: Column) -> Document:
    name, kind, _ = column
    wide = name.startswith("+")
    return {
        "name": name.lstrip("+"),
        "type": kind,
        "format": "name" if name == "Name" else "",
        "description": "",
        "priority": int(wide),
    }


def _shown(document: Document, include: str) -> Document | None:
    if include == "None":
        return None
    if include == "Object":
        return document
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": document["metadata"]}


def _columns(resource: Resource) -> tuple[Column, ...]:
    declared = tuple((name, kind, _path(path)) for name, kind, path in resource.columns)
    if declared and any(name == "Age" for name, _, _ in declared):
        return declared
    return (
        *declared,
        *_COLUMNS.get(resource.plural, ()),
        *(() if resource.plural == "events" else (_AGE,)),
        *_WIDE.get(resource.plural, ()),
    )


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


def _path(path: str) -> Cell:
    steps = path.strip(".").split(".")

    def cell(document: Document) -> Any:
        value: Any = document
        for step in steps:
            value = value.get(step) if isinstance(value, dict) else None
        if steps == ["metadata", "creationTimestamp"]:
            return age(value)
        return value

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


def _involved(document: Document) -> str:
    involved = document.get("involvedObject") or {}
    return f"{(involved.get('kind') or '').lower()}/{involved.get('name')}"


def _last_seen(document: Document) -> str:
    series = document.get("series") or {}
    times = (series.get("lastObservedTime"), document.get("lastTimestamp"), document.get("eventTime"))
    return age(next((time for time in times if time), None))


_AGE: Column = ("Age", "string", _path(".metadata.creationTimestamp"))
_COLUMNS: dict[str, tuple[Column, ...]] = {
    "deployments": (
        ("Ready", "string", _deployment_ready),
        ("Up-to-date", "string", _status("updatedReplicas")),
        ("Available", "string", _status("availableReplicas")),
    ),
    "replicasets": (
        ("Desired", "integer", _path(".spec.replicas")),
        ("Current", "integer", _status("replicas")),
        ("Ready", "integer", _status("readyReplicas")),
    ),
    "pods": (("Ready", "string", _pod_ready), ("Status", "string", _pod_status), ("Restarts", "string", _restarts)),
    "services": (
        ("Type", "string", _path(".spec.type")),
        ("Cluster-IP", "string", lambda document: document["spec"].get("clusterIP") or "<none>"),
        ("External-IP", "string", _external_address),
        ("Port(s)", "string", _service_ports),
    ),
    "endpoints": (("Endpoints", "string", _endpoints),),
    "namespaces": (("Status", "string", _path(".status.phase")),),
    "configmaps": (("Data", "integer", lambda d: len(d.get("data") or {}) + len(d.get("binaryData") or {})),),
    "secrets": (("Type", "string", _path(".type")), ("Data", "integer", lambda d: len(d.get("data") or {}))),
    "events": (
        ("Last Seen", "string", _last_seen),
        ("Type", "string", _path(".type")),
        ("Reason", "string", _path(".reason")),
        ("Object", "string", _involved),
        ("Message", "string", lambda document: (document.get("message") or "").strip()),
    ),
    "customresourcedefinitions": (("Created At", "date", _path(".metadata.creationTimestamp.")),),
}
_WIDE: dict[str, tuple[Column, ...]] = {
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

"""Endpoints and EndpointSlices: the addresses behind a Service.

A pod that is being deleted leaves at once, before it is told to stop: that order is what loses no request.
Source: https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/
"""

from collections.abc import Collection, Iterable, Sequence

from canary_analyzer.sandbox.client import ENDPOINTS, ENDPOINTSLICES, Document, Key, key
from canary_analyzer.sandbox.workloads.objects import controller_reference, selects, terminating
from canary_analyzer.sandbox.workloads.pods import finished, ready_since
from canary_analyzer.sandbox.workloads.writes import Create, Write, delete, patch

Port = tuple[str, int, str]
SLICE_LABELS = {"endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io"}
LABELS = {"endpoints.kubernetes.io/managed-by": "endpoint-controller"}


def plan(
    service: Document, pods: Iterable[Document], endpoints: Document | None, endpointslice: Document | None
) -> list[Write]:
    """Writes that bring the Endpoints and the EndpointSlice of a Service up to date; without a selector, none."""
    selector = service["spec"].get("selector")
    if not selector or terminating(service) or service["spec"].get("type") == "ExternalName":
        return []
    backends = [pod for pod in pods if selects(selector, pod["metadata"].get("labels")) and _reachable(pod, service)]
    backends.sort(key=lambda pod: str(pod["status"]["podIP"]))
    writes: list[Write] = []
    subsets = _subsets(service, backends)
    if endpoints is None:
        document = _document(service, "v1", "Endpoints", service["metadata"]["name"], LABELS)
        writes.append(Create(resource=ENDPOINTS, document=document | {"subsets": subsets}))
    elif (endpoints.get("subsets") or []) != subsets:
        writes.append(patch(ENDPOINTS, endpoints, {"subsets": subsets}))
    return writes + _slice_writes(service, backends, endpointslice)


def leftovers(services: Collection[Key], endpoints: Iterable[Document]) -> list[Write]:
    """Deletions of Endpoints whose Service is gone; those that a user wrote are left alone."""
    own = (each for each in endpoints if selects(LABELS, each["metadata"].get("labels")))
    return [delete(ENDPOINTS, each) for each in own if key(each) not in services]


def slice_name(service: Document) -> str:
    """Every Service has one EndpointSlice here; a real cluster splits beyond 100 addresses."""
    return f"{service['metadata']['name']}-sandbox"


def _reachable(pod: Document, service: Document) -> bool:
    same = pod["metadata"]["namespace"] == service["metadata"]["namespace"]
    return same and bool(pod.get("status", {}).get("podIP")) and not finished(pod)


def _is_ready(service: Document, pod: Document) -> bool:
    if terminating(pod):
        return False
    return ready_since(pod) is not None or bool(service["spec"].get("publishNotReadyAddresses"))


def _subsets(service: Document, backends: Sequence[Document]) -> list[Document]:
    """Addresses grouped by the ports they answer on: a named port may be another number in every pod."""
    groups: dict[tuple[Port, ...], Document] = {}
    for pod in backends:
        if terminating(pod):
            continue
        ports = _ports(service, pod)
        empty: Document = {"addresses": [], "notReadyAddresses": []}
        subset = groups.setdefault(ports, {**empty, "ports": [_port(each) for each in ports]})
        subset["addresses" if _is_ready(service, pod) else "notReadyAddresses"].append(_address(pod))
    return [{name: value for name, value in subset.items() if value} for subset in groups.values()]


def _ports(service: Document, pod: Document) -> tuple[Port, ...]:
    ports = []
    for each in service["spec"].get("ports") or ():
        number = _target(each.get("targetPort", each["port"]), pod)
        if number is not None:
            ports.append((each.get("name", ""), number, each.get("protocol", "TCP")))
    return tuple(ports)


def _target(target: int | str, pod: Document) -> int | None:
    if isinstance(target, int):
        return target
    named = (
        port for each in pod["spec"]["containers"] for port in each.get("ports") or () if port.get("name") == target
    )
    return next((int(port["containerPort"]) for port in named), None)


def _port(port: Port) -> Document:
    name, number, protocol = port
    return ({"name": name} if name else {}) | {"port": number, "protocol": protocol}


def _address(pod: Document) -> Document:
    address: Document = {"ip": pod["status"]["podIP"], "targetRef": _reference(pod)}
    return address | ({"nodeName": pod["spec"]["nodeName"]} if "nodeName" in pod["spec"] else {})


def _reference(pod: Document) -> Document:
    metadata = pod["metadata"]
    return {"kind": "Pod", "name": metadata["name"], "namespace": metadata["namespace"], "uid": metadata["uid"]}


def _document(service: Document, version: str, kind: str, name: str, labels: Document) -> Document:
    inherited = service["metadata"].get("labels") or {}
    metadata = {"name": name, "namespace": service["metadata"]["namespace"], "labels": inherited | labels}
    return {"apiVersion": version, "kind": kind, "metadata": metadata}


def _slice_writes(service: Document, backends: Sequence[Document], known: Document | None) -> list[Write]:
    # An API server adds the empty name, here but not in Endpoints.
    ports = [{"name": ""} | _port(each) for each in _ports(service, backends[0])] if backends else []
    wanted = {"endpoints": [_endpoint(service, pod) for pod in backends], "ports": ports}
    if known is not None:
        same = all((known.get(name) or []) == value for name, value in wanted.items())
        return [] if same else [patch(ENDPOINTSLICES, known, wanted)]
    labels = SLICE_LABELS | {"kubernetes.io/service-name": service["metadata"]["name"]}
    document = _document(service, "discovery.k8s.io/v1", "EndpointSlice", slice_name(service), labels)
    document["metadata"]["ownerReferences"] = [controller_reference(service)]
    return [Create(resource=ENDPOINTSLICES, document=document | {"addressType": "IPv4"} | wanted)]


def _endpoint(service: Document, pod: Document) -> Document:
    going = terminating(pod)
    conditions = {"ready": _is_ready(service, pod), "serving": ready_since(pod) is not None, "terminating": going}
    return {"addresses": [pod["status"]["podIP"]], "conditions": conditions, "targetRef": _reference(pod)}

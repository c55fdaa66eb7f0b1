"""What kube-apiserver and Istio's webhook refuse with 422 (pkg/apis/*/validation), as far as clients run into it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from canary_analyzer.sandbox.api.errors import ApiError, Cause, invalid, required, wrong
from canary_analyzer.sandbox.api.names import LABEL, label_mistakes, metadata_mistakes
from canary_analyzer.sandbox.api.resources import Resource

Document = dict[str, Any]
Causes = Iterator[Cause]


def check(resource: Resource, document: Document, live: Document | None) -> None:
    """Refuse a document that the real server would refuse.

    Raises:
        ApiError: 422 with all mistakes.
    """
    causes = [*metadata_mistakes(resource, document), *_spec(resource, document)]
    if live is not None:
        causes += _immutable(resource, document, live)
    if causes:
        raise invalid(resource.kind, resource.group, document["metadata"].get("name") or "", causes)


def missing_resource_version(resource: Resource, name: str) -> ApiError:
    """422: a custom resource is never replaced unconditionally."""
    cause = wrong("metadata.resourceVersion", 0, "must be specified for an update")
    return invalid(resource.plural, resource.group, name, [cause])


def unknown_dry_run(value: str) -> ApiError:
    """422: there is one stage only that a request can stop short of."""
    message = f'Unsupported value: "{value}": supported values: "All"'
    cause = Cause(field="dryRun", reason="FieldValueNotSupported", message=message)
    return invalid("WriteOptions", "meta.k8s.io", "", [cause])


def other_uid(resource: Resource, name: str, uid: str) -> ApiError:
    """422: the uid is for the server to give."""
    return invalid(resource.kind, resource.group, name, [wrong("metadata.uid", uid, "field is immutable")])


def _spec(resource: Resource, document: Document) -> Causes:
    spec = document.get("spec") or {}
    if resource.plural in ("deployments", "replicasets"):
        yield from _workload(spec)
    elif resource.plural == "pods":
        yield from _pod_spec(spec, "spec")
    elif resource.plural == "services":
        yield from _service(spec)
    elif resource.kind == "VirtualService":
        yield from _virtual_service(spec)
    elif resource.plural == "customresourcedefinitions":
        yield from _definition(spec, document["metadata"].get("name"))


def _workload(spec: Document) -> Causes:
    selector = spec.get("selector") or {}
    template = spec.get("template") or {}
    labels = (template.get("metadata") or {}).get("labels") or {}
    wanted = selector.get("matchLabels") or {}
    if not wanted and not selector.get("matchExpressions"):
        yield required("spec.selector")
    elif any(labels.get(key) != value for key, value in wanted.items()):
        yield wrong("spec.template.metadata.labels", labels, "`selector` does not match template `labels`")
    if spec.get("replicas", 0) < 0:
        yield wrong("spec.replicas", spec["replicas"], "must be greater than or equal to 0")
    yield from label_mistakes(labels, "spec.template.metadata.labels")
    yield from _pod_spec(template.get("spec") or {}, "spec.template.spec")


def _pod_spec(spec: Document, field: str) -> Causes:
    containers = spec.get("containers") or []
    if not containers:
        yield required(f"{field}.containers")
    seen = set()
    for i, container in enumerate(containers):
        where = f"{field}.containers[{i}]"
        if not container.get("name"):
            yield required(f"{where}.name")
        elif container["name"] in seen:
            yield Cause(
                field=f"{where}.name", reason="FieldValueDuplicate", message=f'Duplicate value: "{container["name"]}"'
            )
        elif not LABEL.pattern.fullmatch(container["name"]):
            yield wrong(f"{where}.name", container["name"], LABEL.sentence)
        if not container.get("image"):
            yield required(f"{where}.image")
        seen.add(container.get("name"))
        yield from _ports(container.get("ports") or [], f"{where}.ports", "containerPort")


def _ports(ports: list[Document], field: str, key: str) -> Causes:
    for i, port in enumerate(ports):
        number = port.get(key)
        if number is None:
            yield required(f"{field}[{i}].{key}")
        elif not 0 < number < 65536:
            yield wrong(f"{field}[{i}].{key}", number, "must be between 1 and 65535, inclusive")


def _service(spec: Document) -> Causes:
    ports = spec.get("ports") or []
    if not ports and spec.get("type") != "ExternalName" and spec.get("clusterIP") != "None":
        yield required("spec.ports")
    yield from _ports(ports, "spec.ports", "port")
    for i, port in enumerate(ports if len(ports) > 1 else []):
        if not port.get("name"):
            yield required(f"spec.ports[{i}].name")
    yield from label_mistakes(spec.get("selector") or {}, "spec.selector")


def _virtual_service(spec: Document) -> Causes:
    """Istio's pkg/config/validation: several destinations must share some weight."""
    for i, route in enumerate(spec.get("http") or []):
        destinations = route.get("route") or []
        weights = [destination.get("weight") or 0 for destination in destinations]
        if any(weight < 0 for weight in weights):
            yield wrong(f"spec.http[{i}].route", min(weights), "weight cannot be negative")
        if len(destinations) > 1 and sum(weights) == 0:
            yield wrong(f"spec.http[{i}].route", 0, "total destination weight = 0")


def _definition(spec: Document, name: str | None) -> Causes:
    for field in ("group", "scope", "versions"):
        if not spec.get(field):
            yield required(f"spec.{field}")
    names = spec.get("names") or {}
    if not names.get("plural") or not names.get("kind"):
        yield required("spec.names")
    elif name != f"{names['plural']}.{spec.get('group')}":
        yield wrong("metadata.name", name, 'must be spec.names.plural+"."+spec.group')


def _immutable(resource: Resource, document: Document, live: Document) -> Causes:
    new, old = document.get("spec") or {}, live.get("spec") or {}
    if resource.plural in ("deployments", "replicasets") and new.get("selector") != old.get("selector"):
        yield wrong("spec.selector", new.get("selector"), "field is immutable")
    if (
        resource.plural == "services"
        and old.get("clusterIP") not in (None, "", new.get("clusterIP"))
        and new.get("type") != "ExternalName"
    ):
        yield wrong("spec.clusterIPs[0]", new.get("clusterIP"), "may not change once set")
    if resource.plural == "configmaps" and live.get("immutable") and document.get("data") != live.get("data"):
        yield Cause(
            field="data", reason="FieldValueForbidden", message="Forbidden: field is immutable when `immutable` is set"
        )
    if resource.plural == "pods" and _fixed_pod_spec(new) != _fixed_pod_spec(old):
        why = "Forbidden: pod updates may not change fields other than `spec.containers[*].image` and a few others"
        yield Cause(field="spec", reason="FieldValueForbidden", message=why)


def _fixed_pod_spec(spec: Document) -> Document:
    """A pod's spec without what may be changed later."""
    fixed = {
        key: value
        for key, value in spec.items()
        if key not in ("activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds")
    }
    for containers in ("containers", "initContainers"):
        bare = [{k: v for k, v in container.items() if k != "image"} for container in fixed.get(containers) or []]
        fixed[containers] = bare
    return fixed

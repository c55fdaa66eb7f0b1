"""What kube-apiserver and Istio's webhook refuse with 422 (pkg/apis/*/validation), as far as clients run into it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from canary_analyzer.sandbox.api.errors import ApiError, Cause, invalid
from canary_analyzer.sandbox.api.resources import Resource

Document = dict[str, Any]
Causes = Iterator[Cause]

_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_SERVICE = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
_QUALIFIED = re.compile(r"([a-z0-9.-]{1,253}/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_FREE_NAMES = ("roles", "rolebindings", "clusterroles", "clusterrolebindings")
_ANNOTATION_BYTES = 256 * 1024


def check(resource: Resource, document: Document, live: Document | None) -> None:
    """Refuse a document that the real server would refuse.

    Raises:
        ApiError: 422 with all mistakes.
    """
    causes = [*_metadata(resource, document), *_spec(resource, document)]
    if live is not None:
        causes += _immutable(resource, document, live)
    if causes:
        raise invalid(resource.kind, resource.group, document["metadata"].get("name") or "", causes)


def missing_resource_version(resource: Resource, name: str) -> ApiError:
    """422: a custom resource is never replaced unconditionally."""
    cause = _wrong("metadata.resourceVersion", "0x0", "must be specified for an update")
    return invalid(resource.plural, resource.group, name, [cause])


def other_uid(resource: Resource, name: str, uid: str) -> ApiError:
    """422: the uid is for the server to give."""
    return invalid(resource.kind, resource.group, name, [_wrong("metadata.uid", uid, "field is immutable")])


def _wrong(field: str, value: Any, why: str) -> Cause:
    shown = f'"{value}"' if isinstance(value, str) and value != "0x0" else value
    return Cause(field=field, reason="FieldValueInvalid", message=f"Invalid value: {shown}: {why}")


def _required(field: str, why: str = "") -> Cause:
    return Cause(field=field, reason="FieldValueRequired", message=f"Required value{': ' + why if why else ''}")


def _metadata(resource: Resource, document: Document) -> Causes:
    metadata = document["metadata"]
    name = metadata.get("name") or ""
    if not name:
        yield _required("metadata.name", "name or generateName is required")
    elif resource.plural not in _FREE_NAMES and not _name_pattern(resource).fullmatch(name):
        yield _wrong(
            "metadata.name",
            name,
            "a lowercase RFC 1123 name or label must consist of lower case alphanumeric characters",
        )
    elif len(name) > 253:
        yield _wrong("metadata.name", name, "must be no more than 253 characters")
    yield from _labels(metadata.get("labels") or {}, "metadata.labels")
    annotations = metadata.get("annotations") or {}
    for key in annotations:
        if not _QUALIFIED.fullmatch(key.lower() if "/" not in key else key):
            yield _wrong(
                "metadata.annotations", key, "name part must consist of alphanumeric characters, '-', '_' or '.'"
            )
    if sum(len(key) + len(value) for key, value in annotations.items()) > _ANNOTATION_BYTES:
        yield Cause(
            field="metadata.annotations",
            reason="FieldValueTooLong",
            message="Too long: may not be more than 262144 bytes",
        )


def _name_pattern(resource: Resource) -> re.Pattern[str]:
    if resource.plural == "services":
        return _SERVICE
    return _LABEL if resource.plural == "namespaces" else _SUBDOMAIN


def _labels(labels: Mapping[str, Any], field: str) -> Causes:
    for key, value in labels.items():
        if not _QUALIFIED.fullmatch(key):
            yield _wrong(field, key, "name part must consist of alphanumeric characters, '-', '_' or '.'")
        if not isinstance(value, str) or not _LABEL_VALUE.fullmatch(value):
            yield _wrong(
                field, value, "a valid label must be an empty string or consist of alphanumeric characters, at most 63"
            )


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
        yield _required("spec.selector")
    elif any(labels.get(key) != value for key, value in wanted.items()):
        yield _wrong("spec.template.metadata.labels", labels, "`selector` does not match template `labels`")
    if spec.get("replicas", 0) < 0:
        yield _wrong("spec.replicas", spec["replicas"], "must be greater than or equal to 0")
    yield from _labels(labels, "spec.template.metadata.labels")
    yield from _pod_spec(template.get("spec") or {}, "spec.template.spec")


def _pod_spec(spec: Document, field: str) -> Causes:
    containers = spec.get("containers") or []
    if not containers:
        yield _required(f"{field}.containers")
    seen = set()
    for i, container in enumerate(containers):
        where = f"{field}.containers[{i}]"
        if not container.get("name"):
            yield _required(f"{where}.name")
        elif container["name"] in seen:
            yield Cause(
                field=f"{where}.name", reason="FieldValueDuplicate", message=f'Duplicate value: "{container["name"]}"'
            )
        elif not _LABEL.fullmatch(container["name"]):
            yield _wrong(
                f"{where}.name",
                container["name"],
                "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-'",
            )
        if not container.get("image"):
            yield _required(f"{where}.image")
        seen.add(container.get("name"))
        yield from _ports(container.get("ports") or [], f"{where}.ports", "containerPort")


def _ports(ports: list[Document], field: str, key: str) -> Causes:
    for i, port in enumerate(ports):
        number = port.get(key)
        if number is None:
            yield _required(f"{field}[{i}].{key}")
        elif not 0 < number < 65536:
            yield _wrong(f"{field}[{i}].{key}", number, "must be between 1 and 65535, inclusive")


def _service(spec: Document) -> Causes:
    ports = spec.get("ports") or []
    if not ports and spec.get("type") != "ExternalName" and spec.get("clusterIP") != "None":
        yield _required("spec.ports")
    yield from _ports(ports, "spec.ports", "port")
    for i, port in enumerate(ports if len(ports) > 1 else []):
        if not port.get("name"):
            yield _required(f"spec.ports[{i}].name")
    yield from _labels(spec.get("selector") or {}, "spec.selector")


def _virtual_service(spec: Document) -> Causes:
    """Istio's pkg/config/validation: several destinations must share some weight."""
    for i, route in enumerate(spec.get("http") or []):
        destinations = route.get("route") or []
        weights = [destination.get("weight") or 0 for destination in destinations]
        if any(weight < 0 for weight in weights):
            yield _wrong(f"spec.http[{i}].route", min(weights), "weight cannot be negative")
        if len(destinations) > 1 and sum(weights) == 0:
            yield _wrong(f"spec.http[{i}].route", 0, "total destination weight = 0")


def _definition(spec: Document, name: str | None) -> Causes:
    for field in ("group", "scope", "versions"):
        if not spec.get(field):
            yield _required(f"spec.{field}")
    names = spec.get("names") or {}
    if not names.get("plural") or not names.get("kind"):
        yield _required("spec.names")
    elif name != f"{names['plural']}.{spec.get('group')}":
        yield _wrong("metadata.name", name, 'must be spec.names.plural+"."+spec.group')


def _immutable(resource: Resource, document: Document, live: Document) -> Causes:
    new, old = document.get("spec") or {}, live.get("spec") or {}
    if resource.plural in ("deployments", "replicasets") and new.get("selector") != old.get("selector"):
        yield _wrong("spec.selector", new.get("selector"), "field is immutable")
    if (
        resource.plural == "services"
        and old.get("clusterIP") not in (None, "", new.get("clusterIP"))
        and new.get("type") != "ExternalName"
    ):
        yield _wrong("spec.clusterIPs[0]", new.get("clusterIP"), "may not change once set")
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

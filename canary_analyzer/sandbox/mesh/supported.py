"""What the sandbox's mesh understands of each kind, so that whatever it would ignore is said aloud."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from canary_analyzer.sandbox.mesh.delegates import missing, name_of
from canary_analyzer.sandbox.mesh.world import World

ANY: Final = None  # the whole value is understood
Fields = Mapping[str, Any]

_OPERATIONS = dict.fromkeys(("set", "add", "remove"))
_HEADERS = {"request": _OPERATIONS, "response": _OPERATIONS}
_DESTINATION = {"host": ANY, "subset": ANY, "port": {"number": ANY}}
_MATCH = dict.fromkeys(
    (
        *("uri", "scheme", "method", "authority", "headers", "withoutHeaders", "queryParams", "ignoreUriCase"),
        *("gateways", "sourceLabels", "sourceNamespace", "name"),
    )
)
_HTTP = {
    "name": ANY,
    "match": _MATCH,
    "route": {"destination": _DESTINATION, "weight": ANY, "headers": _HEADERS},
    "redirect": dict.fromkeys(("uri", "authority", "scheme", "port", "redirectCode")),
    "directResponse": {"status": ANY, "body": ANY},
    "delegate": {"name": ANY, "namespace": ANY},
    "rewrite": dict.fromkeys(("uri", "authority", "uriRegexRewrite")),
    "timeout": ANY,
    "retries": dict.fromkeys(("attempts", "perTryTimeout", "retryOn")),
    "fault": {
        "abort": dict.fromkeys(("httpStatus", "percentage")),
        "delay": dict.fromkeys(("fixedDelay", "percentage")),
    },
    "mirror": _DESTINATION,
    "mirrorPercentage": ANY,
    "mirrors": {"destination": _DESTINATION, "percentage": ANY},
    "headers": _HEADERS,
}
_VIRTUAL_SERVICE = {"hosts": ANY, "gateways": ANY, "exportTo": ANY, "http": _HTTP}
_POOL = {
    "tcp": dict.fromkeys(("connectTimeout", "maxConnections")),
    "http": dict.fromkeys(
        ("http1MaxPendingRequests", "http2MaxRequests", "maxRetries", "idleTimeout", "maxRequestsPerConnection")
    ),
}
_OUTLIERS = dict.fromkeys(
    (
        *("consecutive5xxErrors", "consecutiveGatewayErrors", "interval", "baseEjectionTime"),
        *("maxEjectionPercent", "minHealthPercent"),
    )
)
_PORT_POLICY = {"connectionPool": _POOL, "outlierDetection": _OUTLIERS, "loadBalancer": {"simple": ANY}}
_POLICY = {**_PORT_POLICY, "portLevelSettings": {**_PORT_POLICY, "port": ANY}}
_DESTINATION_RULE = {
    "host": ANY,
    "trafficPolicy": _POLICY,
    "subsets": {"name": ANY, "labels": ANY, "trafficPolicy": _POLICY},
}
_BACKEND = dict.fromkeys(("group", "kind", "name", "namespace", "port"))
_PATH = dict.fromkeys(("type", "replaceFullPath", "replacePrefixMatch"))
_FILTERS = {
    "type": ANY,
    "requestHeaderModifier": _OPERATIONS,
    "responseHeaderModifier": _OPERATIONS,
    "requestMirror": {"backendRef": _BACKEND, "percent": ANY, "fraction": ANY},
    "requestRedirect": {"scheme": ANY, "hostname": ANY, "path": _PATH, "port": ANY, "statusCode": ANY},
    "urlRewrite": {"hostname": ANY, "path": _PATH},
}
_BACKEND_FILTERS = {name: _FILTERS[name] for name in ("type", "requestHeaderModifier", "responseHeaderModifier")}
_HTTP_ROUTE = {
    "parentRefs": dict.fromkeys(("group", "kind", "name", "namespace", "sectionName")),
    "hostnames": ANY,
    "rules": {
        "name": ANY,
        "matches": dict.fromkeys(("path", "headers", "queryParams", "method")),
        "filters": _FILTERS,
        "backendRefs": {**_BACKEND, "weight": ANY, "filters": _BACKEND_FILTERS},
        "timeouts": dict.fromkeys(("request", "backendRequest")),
        "retry": dict.fromkeys(("codes", "attempts")),
    },
}


def problems(world: World) -> tuple[str, ...]:
    """A sentence about each field of a document that has no effect here, and each delegate that is missing."""
    kinds = (
        ("VirtualService", world.virtual_services, _VIRTUAL_SERVICE),
        ("DestinationRule", world.destination_rules, _DESTINATION_RULE),
        ("HTTPRoute", world.http_routes, _HTTP_ROUTE),
    )
    ignored = (
        f"{kind} {'/'.join(name_of(document))}: {path}: has no effect in the sandbox"
        for kind, documents, fields in kinds
        for document in documents
        for path in _unknown(document.get("spec") or {}, fields, "spec")
    )
    return (*ignored, *missing(world.virtual_services))


def _unknown(value: Any, fields: Fields | None, path: str) -> Iterator[str]:
    if fields is ANY:
        return
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _unknown(item, fields, f"{path}[{index}]")
    elif isinstance(value, dict):
        for name, inner in value.items():
            if name in fields:
                yield from _unknown(inner, fields[name], f"{path}.{name}")
            else:
                yield f"{path}.{name}"

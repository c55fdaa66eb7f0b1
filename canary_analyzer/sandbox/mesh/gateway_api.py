"""Gateway API documents as the Istio documents that say the same, so that one translation serves both.

HTTPRoute: https://gateway-api.sigs.k8s.io/reference/spec/#httproute. Routes of a Gateway and of a Service (GAMMA:
https://gateway-api.sigs.k8s.io/mesh/) are understood; a ReferenceGrant is never asked for.
"""

import re
from collections.abc import Iterator, Sequence

from canary_analyzer.sandbox.mesh.delegates import name_of
from canary_analyzer.sandbox.mesh.names import MESH, service_fqdn
from canary_analyzer.sandbox.mesh.world import Document

_PATHS = {"Exact": "exact", "PathPrefix": "segments", "RegularExpression": "regex"}
_MODIFIERS = {"RequestHeaderModifier": "request", "ResponseHeaderModifier": "response"}


def gateways(documents: Sequence[Document]) -> Iterator[Document]:
    """Every listener as a Gateway of Istio's kind, under a name that no user can choose."""
    for document in documents:
        metadata = document["metadata"]
        for listener in document["spec"].get("listeners") or ():
            scope = "*" if _admits_all(listener) else "."
            port = {"number": listener["port"], "name": listener["name"], "protocol": listener["protocol"]}
            server = {"port": port, "hosts": [f"{scope}/{listener.get('hostname') or '*'}"]}
            named = {**metadata, "name": _gateway_name(metadata["name"], listener["name"])}
            yield {"metadata": named, "spec": {"servers": [server]}}


def _admits_all(listener: Document) -> bool:
    return bool(((listener.get("allowedRoutes") or {}).get("namespaces") or {}).get("from") == "All")


def _gateway_name(gateway: str, listener: str) -> str:
    return f"gateway-api~{gateway}~{listener}"


def virtual_services(routes: Sequence[Document], gateway_documents: Sequence[Document]) -> Iterator[Document]:
    """Every HTTPRoute as VirtualServices: one for its gateways, one for each Service that it is attached to."""
    for route in routes:
        namespace = route["metadata"]["namespace"]
        http = _http(route)
        bound = list(_bound(route, gateway_documents))
        if bound:
            hosts = route["spec"].get("hostnames") or ["*"]
            yield {"metadata": route["metadata"], "spec": {"hosts": hosts, "gateways": bound, "http": http}}
        for parent in route["spec"].get("parentRefs") or ():
            if parent.get("kind") == "Service":
                host = service_fqdn(parent["name"], parent.get("namespace") or namespace)
                yield {"metadata": route["metadata"], "spec": {"hosts": [host], "gateways": [MESH], "http": http}}


def _bound(route: Document, gateway_documents: Sequence[Document]) -> Iterator[str]:
    for parent in route["spec"].get("parentRefs") or ():
        namespace = parent.get("namespace") or route["metadata"]["namespace"]
        for gateway in gateway_documents:
            if parent.get("kind", "Gateway") != "Gateway" or name_of(gateway) != (namespace, parent["name"]):
                continue
            for listener in gateway["spec"].get("listeners") or ():
                if parent.get("sectionName", listener["name"]) == listener["name"]:
                    yield f"{namespace}/{_gateway_name(parent['name'], listener['name'])}"


def _http(route: Document) -> list[Document]:
    """One http route for every condition, the most specific first, whatever their order in the document."""
    namespace = route["metadata"]["namespace"]
    entries = [
        (match, _rule(rule, match, namespace))
        for rule in route["spec"].get("rules") or ()
        for match in rule.get("matches") or [{}]
    ]
    return [http for _, http in sorted(entries, key=lambda entry: _precedence(entry[0]))]


def _precedence(match: Document) -> tuple[bool, int, bool, int, int]:
    """Sorts the most specific first: exact path, length of the path, method, number of headers, of parameters."""
    path = match.get("path") or {}
    length, exact = len(path.get("value", "/")), path.get("type") == "Exact"
    counts = len(match.get("headers") or ()), len(match.get("queryParams") or ())
    return not exact, -length, "method" not in match, -counts[0], -counts[1]


def _rule(rule: Document, match: Document, namespace: str) -> Document:
    http: Document = {"match": [_match(match)], **_headers(rule), **_timeouts(rule), **_retries(rule)}
    for entry in rule.get("filters") or ():
        match entry["type"]:
            case "RequestRedirect":
                return {**http, "redirect": _redirect(entry["requestRedirect"])}
            case "URLRewrite":
                http["rewrite"] = _rewrite(entry["urlRewrite"], match)
            case "RequestMirror":
                http.setdefault("mirrors", []).append(_mirror(entry["requestMirror"], namespace))
    backends = [_backend(reference, namespace) for reference in rule.get("backendRefs") or ()]
    if any(backend["weight"] for backend in backends):
        return {**http, "route": backends}
    return {**http, "directResponse": {"status": 500}}  # as the specification demands


def _match(match: Document) -> Document:
    path = match.get("path") or {}
    condition: Document = {"uri": {_PATHS[path.get("type", "PathPrefix")]: path.get("value", "/")}}
    if match.get("method"):
        condition["method"] = {"exact": match["method"]}
    for field in ("headers", "queryParams"):
        if match.get(field):
            condition[field] = {each["name"]: _string(each) for each in match[field]}
    return condition


def _string(condition: Document) -> Document:
    return {"regex" if condition.get("type") == "RegularExpression" else "exact": condition["value"]}


def _headers(holder: Document) -> Document:
    """The header modifiers of a rule or of a backend as Istio's `headers`."""
    headers: Document = {}
    for entry in holder.get("filters") or ():
        direction = _MODIFIERS.get(entry["type"])
        if direction:
            change = entry[f"{direction}HeaderModifier"]
            pairs = {op: {each["name"]: each["value"] for each in change.get(op) or ()} for op in ("set", "add")}
            headers[direction] = {**pairs, "remove": change.get("remove") or []}
    return {"headers": headers} if headers else {}


def _timeouts(rule: Document) -> Document:
    request = (rule.get("timeouts") or {}).get("request")
    return {"timeout": request} if request else {}


def _retries(rule: Document) -> Document:
    per_try, retry = (rule.get("timeouts") or {}).get("backendRequest"), rule.get("retry")
    retries: Document = {"perTryTimeout": per_try} if per_try else {}
    if retry:
        retries["attempts"] = retry.get("attempts", 1)
        retries["retryOn"] = ",".join(["connect-failure", "refused-stream", *map(str, retry.get("codes") or ())])
    return {"retries": retries} if retries else {}


def _backend(reference: Document, namespace: str) -> Document:
    return {
        "destination": _destination(reference, namespace),
        "weight": reference.get("weight", 1),
        **_headers(reference),
    }


def _destination(reference: Document, namespace: str) -> Document:
    host = service_fqdn(reference["name"], reference.get("namespace") or namespace)
    return {"host": host, **({"port": {"number": reference["port"]}} if reference.get("port") else {})}


def _mirror(mirror: Document, namespace: str) -> Document:
    fraction = mirror.get("fraction") or {"numerator": mirror.get("percent", 100)}
    percent = 100 * fraction["numerator"] / fraction.get("denominator", 100)
    return {"destination": _destination(mirror["backendRef"], namespace), "percentage": {"value": percent}}


def _redirect(redirect: Document) -> Document:
    parts: Document = {"redirectCode": redirect.get("statusCode", 302)}
    names = {"hostname": "authority", "scheme": "scheme", "port": "port"}
    parts |= {ours: redirect[theirs] for theirs, ours in names.items() if redirect.get(theirs)}
    path = redirect.get("path") or {}
    if path.get("type") == "ReplaceFullPath":
        parts["uri"] = path["replaceFullPath"]
    elif path:
        parts["prefix"] = path["replacePrefixMatch"]
    return parts


def _rewrite(rewrite: Document, match: Document) -> Document:
    parts: Document = {"authority": rewrite["hostname"]} if rewrite.get("hostname") else {}
    path = rewrite.get("path") or {}
    if path.get("type") == "ReplaceFullPath":
        return {**parts, "uriRegexRewrite": {"match": "/.*", "rewrite": path["replaceFullPath"]}}
    if not path:
        return parts
    prefix = re.escape((match.get("path") or {}).get("value", "/").rstrip("/"))
    target = path["replacePrefixMatch"].rstrip("/")
    # A prefix ends at a slash or with the path; where it is replaced by `/`, no second slash may follow.
    pattern, rest = (f"^{prefix}(/.*)?", r"\1") if target else (f"^{prefix}/?(.*)", r"/\1")
    return {**parts, "uriRegexRewrite": {"match": pattern, "rewrite": target + rest}}

"""The conditions of a VirtualService's http route as Envoy route matches.

HTTPMatchRequest: https://istio.io/latest/docs/reference/config/networking/virtual-service/#HTTPMatchRequest
"""

from collections.abc import Iterator

from canary_analyzer.sandbox.mesh.names import MESH, SANDBOX_NAMESPACE
from canary_analyzer.sandbox.mesh.world import Document

EVERYTHING: Document = {"prefix": "/"}
CLIENT_LABELS = {"app": "client"}  # of the one client inside the mesh
_PSEUDO_HEADERS = {"method": ":method", "authority": ":authority", "scheme": ":scheme"}


def matches(route: Document, gateway: str) -> list[Document]:
    """Envoy matches of an http route for requests that come by `gateway`; none when it is not for that gateway."""
    alternatives = route.get("match")
    if not alternatives:
        return [EVERYTHING]
    return [_match(match) for match in alternatives if _applies(match, gateway)]


def _applies(match: Document, gateway: str) -> bool:
    """Whether the one client of this mesh can fulfil the condition; a gateway's callers have no labels."""
    here = not match.get("gateways") or gateway in match["gateways"]
    if gateway != MESH:
        return here and not match.get("sourceLabels") and not match.get("sourceNamespace")
    labelled = (match.get("sourceLabels") or {}).items() <= CLIENT_LABELS.items()
    return here and labelled and match.get("sourceNamespace", SANDBOX_NAMESPACE) == SANDBOX_NAMESPACE


def _match(match: Document) -> Document:
    envoy = _path(match)
    headers = [*_headers(match), *_without_headers(match)]
    if headers:
        envoy["headers"] = headers
    if match.get("queryParams"):
        envoy["query_parameters"] = [
            {"name": name, **_string_match(condition)} for name, condition in sorted(match["queryParams"].items())
        ]
    return envoy


def _path(match: Document) -> Document:
    uri = match.get("uri") or {"prefix": "/"}
    envoy: Document = {"case_sensitive": False} if match.get("ignoreUriCase") else {}
    if "exact" in uri:
        return {"path": uri["exact"], **envoy}
    if "segments" in uri and uri["segments"] != "/":
        return {"path_separated_prefix": uri["segments"].rstrip("/"), **envoy}
    if "regex" in uri:
        return {"safe_regex": {"regex": uri["regex"]}, **envoy}
    return {"prefix": uri.get("prefix", "/"), **envoy}


def _headers(match: Document) -> Iterator[Document]:
    for field, name in _PSEUDO_HEADERS.items():
        if match.get(field):
            yield {"name": name, **_string_match(match[field])}
    for name, condition in sorted((match.get("headers") or {}).items()):
        yield {"name": name, **_string_match(condition)}


def _without_headers(match: Document) -> Iterator[Document]:
    for name, condition in sorted((match.get("withoutHeaders") or {}).items()):
        # A header that is not there at all does not have the value either.
        absent = {} if not condition else {"treat_missing_header_as_empty": True}
        yield {"name": name, **_string_match(condition), **absent, "invert_match": True}


def _string_match(condition: Document | None) -> Document:
    """Envoy's string match; an empty condition asks only for presence."""
    if not condition:
        return {"present_match": True}
    if "regex" in condition:
        return {"string_match": {"safe_regex": {"regex": condition["regex"]}}}
    kind = "exact" if "exact" in condition else "prefix"
    return {"string_match": {kind: condition[kind]}}

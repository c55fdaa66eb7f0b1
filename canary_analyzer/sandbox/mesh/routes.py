"""The actions of a VirtualService's http route as Envoy routes.

HTTPRoute: https://istio.io/latest/docs/reference/config/networking/virtual-service/#HTTPRoute
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from canary_analyzer.sandbox.mesh import mirror
from canary_analyzer.sandbox.mesh.delegates import NAMESPACE
from canary_analyzer.sandbox.mesh.matches import matches
from canary_analyzer.sandbox.mesh.names import cluster_name, envoy_duration, fqdn
from canary_analyzer.sandbox.mesh.world import Document

DEFAULT_RETRY_ON = "connect-failure,refused-stream,unavailable,cancelled,reset-before-request"
DEFAULT_ATTEMPTS = 2
FAULT = "envoy.filters.http.fault"
_FAULT_CONFIG = "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault"
_PREVIOUS_HOSTS = "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"
_REDIRECT_FIELDS = {
    "uri": "path_redirect",
    "prefix": "prefix_rewrite",
    "authority": "host_redirect",
    "scheme": "scheme_redirect",
    "port": "port_redirect",
}
_REDIRECT_CODES = {
    301: "MOVED_PERMANENTLY",
    302: "FOUND",
    303: "SEE_OTHER",
    307: "TEMPORARY_REDIRECT",
    308: "PERMANENT_REDIRECT",
}


@dataclass(frozen=True, kw_only=True)
class Router:
    """What turns a VirtualService's destinations into clusters: its namespace, and the Services by full host name."""

    namespace: str
    services: Mapping[str, Document]

    def cluster(self, destination: Document) -> str:
        """Cluster of a destination; of an unknown host too, which Envoy then answers with 503 NC."""
        host = fqdn(destination["host"], self.namespace)
        port = destination.get("port", {}).get("number") or self._first_port(host)
        return cluster_name(host, port, destination.get("subset", ""))

    def _first_port(self, host: str) -> int:
        service = self.services.get(host)
        return int(service["spec"]["ports"][0]["port"]) if service else 80


def envoy_routes(http: Document, gateway: str, router: Router) -> list[Document]:
    """Envoy routes of one http route: one for each alternative condition, all with the same action."""
    at_home = replace(router, namespace=http.get(NAMESPACE, router.namespace))
    return [_route(http, match, at_home) for match in matches(http, gateway)]


def _route(http: Document, match: Document, router: Router) -> Document:
    route: Document = {"match": match, **_header_operations(http.get("headers"))}
    if http.get("redirect"):
        return {**route, "redirect": _redirect(http["redirect"])}
    if http.get("directResponse"):
        return {**route, "direct_response": _direct_response(http["directResponse"])}
    if http.get("fault"):
        route["typed_per_filter_config"] = {FAULT: _fault(http["fault"])}
    return {**route, "route": _forward(http, match, router)}


def _forward(http: Document, match: Document, router: Router) -> Document:
    mirrors = _mirrors(http, router)
    return {
        **_destinations(http.get("route") or [], router),
        # Istio's default is no timeout; Envoy's would be 15 s.
        "timeout": envoy_duration(http.get("timeout", "0s")),
        **_retry_policy(http.get("retries")),
        **_rewrite(http.get("rewrite"), match),
        **({"request_mirror_policies": mirrors} if mirrors else {}),
    }


def _destinations(route: list[Document], router: Router) -> Document:
    """Where requests go; Envoy draws a cluster for every request, out of the sum of all weights."""
    if len(route) == 1 and not route[0].get("headers"):
        return {"cluster": router.cluster(route[0]["destination"])}
    weighted = [
        {
            "name": router.cluster(entry["destination"]),
            "weight": entry.get("weight", 0) if len(route) > 1 else 100,
            **_header_operations(entry.get("headers")),
        }
        for entry in route
    ]
    return {"weighted_clusters": {"clusters": weighted}}


def _retry_policy(retries: Document | None) -> Document:
    """Istio's retries, its default where the route has none; zero attempts turn them off."""
    asked = retries or {}
    attempts = asked.get("attempts", DEFAULT_ATTEMPTS)
    if not attempts:
        return {}
    conditions = [part.strip() for part in (asked.get("retryOn") or DEFAULT_RETRY_ON).split(",")]
    codes = [int(condition) for condition in conditions if condition.isdigit()]
    names = [condition for condition in conditions if not condition.isdigit()]
    policy: Document = {
        "retry_on": ",".join([*names, "retriable-status-codes"] if codes else names),
        "num_retries": attempts,
        "retry_host_predicate": [
            {"name": "envoy.retry_host_predicates.previous_hosts", "typed_config": {"@type": _PREVIOUS_HOSTS}}
        ],
        "host_selection_retry_max_attempts": 5,
    }
    if codes:
        policy["retriable_status_codes"] = codes
    if asked.get("perTryTimeout"):
        policy["per_try_timeout"] = envoy_duration(asked["perTryTimeout"])
    return {"retry_policy": policy}


def _rewrite(rewrite: Document | None, match: Document) -> Document:
    if not rewrite:
        return {}
    action: Document = {}
    if rewrite.get("authority"):
        action["host_rewrite_literal"] = rewrite["authority"]
    if rewrite.get("uriRegexRewrite"):
        regex = rewrite["uriRegexRewrite"]
        action["regex_rewrite"] = {"pattern": {"regex": regex["match"]}, "substitution": regex["rewrite"]}
    elif rewrite.get("uri") and "safe_regex" in match:
        action["regex_rewrite"] = {"pattern": match["safe_regex"], "substitution": rewrite["uri"]}
    elif rewrite.get("uri"):
        action["prefix_rewrite"] = rewrite["uri"]
    return action


def _mirrors(http: Document, router: Router) -> list[Document]:
    """Copies of requests; the older single `mirror` has its percentage beside it."""
    mirrors = [(m["destination"], m.get("percentage")) for m in http.get("mirrors") or ()]
    if http.get("mirror"):
        mirrors.append((http["mirror"], http.get("mirrorPercentage")))
    return [
        mirror.policy(router.cluster(destination), _fraction(percentage or {"value": 100}))
        for destination, percentage in mirrors
    ]


def _fraction(percentage: Document) -> Document:
    return {"numerator": round(percentage.get("value", 0) * 10_000), "denominator": "MILLION"}


def _redirect(redirect: Document) -> Document:
    parts = {field: redirect[ours] for ours, field in _REDIRECT_FIELDS.items() if redirect.get(ours)}
    return {"response_code": _REDIRECT_CODES[redirect.get("redirectCode", 301)], **parts}


def _direct_response(response: Document) -> Document:
    body = response.get("body") or {}
    inline = body.get("string") or body.get("bytes")
    return {"status": response["status"], **({"body": {"inline_string": inline}} if inline else {})}


def _fault(fault: Document) -> Document:
    config: Document = {"@type": _FAULT_CONFIG}
    abort, delay = fault.get("abort"), fault.get("delay")
    if abort:
        percentage = _fraction(abort.get("percentage") or {"value": 100})
        config["abort"] = {"http_status": abort["httpStatus"], "percentage": percentage}
    if delay:
        percentage = _fraction(delay.get("percentage") or {"value": 100})
        config["delay"] = {"fixed_delay": envoy_duration(delay["fixedDelay"]), "percentage": percentage}
    return config


def _header_operations(headers: Document | None) -> Document:
    operations: Document = {}
    for direction in ("request", "response"):
        asked = (headers or {}).get(direction) or {}
        added = [
            *(_header(name, value, "OVERWRITE_IF_EXISTS_OR_ADD") for name, value in (asked.get("set") or {}).items()),
            *(_header(name, value, "APPEND_IF_EXISTS_OR_ADD") for name, value in (asked.get("add") or {}).items()),
        ]
        if added:
            operations[f"{direction}_headers_to_add"] = added
        if asked.get("remove"):
            operations[f"{direction}_headers_to_remove"] = list(asked["remove"])
    return operations


def _header(name: str, value: str, action: str) -> Document:
    return {"header": {"key": name, "value": value}, "append_action": action}

"""Gateway API's HTTPRoute: https://gateway-api.sigs.k8s.io/reference/spec/#httproute."""

import re
from collections.abc import Sequence
from copy import deepcopy

from canary_analyzer.routing.dialect import Address, Items
from canary_analyzer.routing.documents import Document
from canary_analyzer.routing.hosts import ServiceName
from canary_analyzer.routing.shares import enlarged
from canary_analyzer.routing.traffic import COOKIE_VALUE, Condition

LARGEST_WEIGHT = 1_000_000
LARGEST_LIST = 16
"""Rules in a route, and backendRefs in a rule."""
_OURS = f"={re.escape(COOKIE_VALUE)}"
_MODIFIER = "ResponseHeaderModifier"
_MIRROR = "RequestMirror"


class HttpRouteApi:
    """How an HTTPRoute writes its rules."""

    kind = "HTTPRoute"
    entries_at = "rules"
    items_at = "backendRefs"
    # Rules rank by how specific they are and, among equals, by position: an added one has a header more than the one
    # that it is made from, and must not win a tie against any other.
    added_in_front = False

    def address(self, item: Document, namespace: str) -> Address | None:
        """A Service of the core group, in the route's own namespace unless it names another."""
        name = item.get("name")
        if not isinstance(name, str) or item.get("group") or item.get("kind") not in (None, "Service"):
            return None
        return Address(ServiceName(name, str(item.get("namespace") or namespace)))

    def readdressed(self, item: Document, address: Address) -> Document:
        """Port and filters go with it: the Services have the same ports."""
        return deepcopy(item) | {"name": address.service.name}

    def weights(self, items: Items) -> list[int]:
        """None given is 1; 0 is none of the traffic, even for a single backend."""
        return [1 if item.get("weight") is None else item["weight"] for item in items]

    def scaled(self, shares: Sequence[int]) -> list[int]:
        """Weights are relative, so that every share can be kept exactly."""
        return enlarged(shares, LARGEST_WEIGHT)

    def narrowed(self, entry: Document, conditions: Sequence[Condition]) -> Document | None:
        """The alternatives of `matches` each get the conditions; None where one has its own for such a header.

        Of two conditions on one header the API only heeds the first.
        """
        copied = deepcopy(entry)
        copied.pop("name", None)  # unique within a route
        copied["matches"] = []
        for alternative in entry.get("matches") or [{"path": {"type": "PathPrefix", "value": "/"}}]:
            headers = alternative.get("headers") or [] if isinstance(alternative, dict) else None
            if not isinstance(headers, list) or _names(headers) & {
                condition.header.lower() for condition in conditions
            }:
                return None
            ours = [{"type": _type(c), "name": c.header, "value": c.value} for c in conditions]
            copied["matches"].append(deepcopy(alternative) | {"headers": [*deepcopy(headers), *ours]})
        return copied

    def is_narrowed(self, entry: Document, canary_only: bool) -> bool:
        """By shape: a rule's name is lost where the CRD is older than version 1.4 of the API.

        Our cookie in its conditions, or the canary alone behind conditions on headers, where a user's rule has stable.
        """
        matches = entry.get("matches")
        alternatives = matches if isinstance(matches, list) else []
        return bool(alternatives) and all(
            _asks_our_cookie(each) or (canary_only and _has_headers(each)) for each in alternatives
        )

    def with_cookie(self, item: Document, set_cookie: str | None) -> Document | None:
        """By a filter of the backend's own; None where it modifies response headers already, which is allowed once."""
        filters = _filters(item)
        if set_cookie is None:
            return _with_filters(item, [each for each in filters if not _sets_our_cookie(each)])
        if not _may_add(item) or any(each.get("type") == _MODIFIER for each in filters):
            return None
        added = {"type": _MODIFIER, "responseHeaderModifier": {"add": [{"name": "Set-Cookie", "value": set_cookie}]}}
        return deepcopy(item) | {"filters": [*deepcopy(filters), added]}

    def mirrored(self, entry: Document, item: Document, percent: int) -> Document | None:
        """By one more filter: an entry may have several mirrors. `percent` needs version 1.3 of the API."""
        backend: Document = {
            key: deepcopy(item[key]) for key in ("group", "kind", "name", "namespace", "port") if key in item
        }
        kept = [each for each in _filters(entry) if not _mirrors_to(each, backend)]
        bare = _with_filters(entry, kept)
        if percent == 0:
            return bare
        if not _may_add(bare):
            return None
        mirror = {"backendRef": backend} | ({"percent": percent} if percent < 100 else {})
        return bare | {"filters": [*kept, {"type": _MIRROR, "requestMirror": mirror}]}


def _names(headers: Sequence[object]) -> set[str]:
    return {str(each.get("name")).lower() for each in headers if isinstance(each, dict)}


def _type(condition: Condition) -> str:
    return "RegularExpression" if condition.is_regex else "Exact"


def _asks_our_cookie(alternative: object) -> bool:
    headers = alternative.get("headers") if isinstance(alternative, dict) else None
    return isinstance(headers, list) and any(
        _OURS in str(each.get("value")) for each in headers if isinstance(each, dict)
    )


def _has_headers(alternative: object) -> bool:
    return isinstance(alternative, dict) and bool(alternative.get("headers"))


def _may_add(holder: Document) -> bool:
    """Whether filters can be added and taken away again: an empty list could not be told from one that we made."""
    filters = holder.get("filters")
    return "filters" not in holder or (
        isinstance(filters, list) and all(isinstance(each, dict) for each in filters) and bool(filters)
    )


def _filters(holder: Document) -> list[Document]:
    filters = holder.get("filters")
    return filters if isinstance(filters, list) else []


def _with_filters(holder: Document, filters: list[Document]) -> Document:
    if filters == _filters(holder):
        return deepcopy(holder)
    kept = {key: deepcopy(value) for key, value in holder.items() if key != "filters" or filters}
    return kept | ({"filters": filters} if filters else {})


def _sets_our_cookie(each: object) -> bool:
    if not isinstance(each, dict) or each.get("type") != _MODIFIER:
        return False
    return f"={COOKIE_VALUE}" in str(each.get("responseHeaderModifier"))


def _mirrors_to(each: object, backend: Document) -> bool:
    if not isinstance(each, dict) or each.get("type") != _MIRROR:
        return False
    mirror = each.get("requestMirror")
    to = mirror.get("backendRef") if isinstance(mirror, dict) else None
    return isinstance(to, dict) and all(
        to.get(key) == backend.get(key) for key in ("group", "kind", "name", "namespace")
    )


HTTP_ROUTE = HttpRouteApi()

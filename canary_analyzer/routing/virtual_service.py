"""Istio's VirtualService: https://istio.io/latest/docs/reference/config/networking/virtual-service/."""

from collections.abc import Sequence
from copy import deepcopy

from canary_analyzer.routing.dialect import Address, Items
from canary_analyzer.routing.documents import Document
from canary_analyzer.routing.hosts import renamed, service_of
from canary_analyzer.routing.shares import apportion
from canary_analyzer.routing.traffic import COOKIE_VALUE, Condition

ADDED = "canary-analyzer-"
"""Begins the name of an entry that we add. Istio uses names in access logs only."""
_MIRROR_FIELDS = ("mirror", "mirrors", "mirrorPercentage", "mirrorPercent", "mirror_percentage", "mirror_percent")
_SET_COOKIE = "Set-Cookie"


class VirtualServiceApi:
    """How a VirtualService writes its http routes."""

    kind = "VirtualService"
    entries_at = "http"
    items_at = "route"
    added_in_front = True

    def address(self, item: Document, namespace: str) -> Address | None:
        """A short host is of the document's own namespace."""
        destination = item.get("destination")
        if not isinstance(destination, dict):
            return None
        service, subset = service_of(destination.get("host"), namespace), destination.get("subset") or None
        return Address(service, subset) if service is not None and isinstance(subset, str | None) else None

    def readdressed(self, item: Document, address: Address) -> Document:
        """Short stays short, fully qualified stays so."""
        copied = deepcopy(item)
        copied["destination"]["host"] = renamed(copied["destination"]["host"], address.service.name)
        copied["destination"].pop("subset", None)
        if address.subset is not None:
            copied["destination"]["subset"] = address.subset
        return copied

    def weights(self, items: Items) -> list[int]:
        """None is the same as 0: all for a single destination, nothing among several."""
        if len(items) == 1:
            return [items[0].get("weight") or 100]
        return [item.get("weight") or 0 for item in items]

    def scaled(self, shares: Sequence[int]) -> list[int]:
        """Istio takes any sum; 100 is what people read as percent."""
        return apportion(shares)

    def narrowed(self, entry: Document, conditions: Sequence[Condition]) -> Document | None:
        """The alternatives of `match` each get the conditions; None where one has its own for such a header."""
        alternatives = entry.get("match") or [{}]
        copied = deepcopy(entry)
        copied["match"] = []
        for alternative in alternatives:
            headers = alternative.get("headers") or {} if isinstance(alternative, dict) else None
            if not isinstance(headers, dict) or _names(headers) & {
                condition.header.lower() for condition in conditions
            }:
                return None
            ours = {c.header: {"regex" if c.is_regex else "exact": c.value} for c in conditions}
            copied["match"].append(deepcopy(alternative) | {"headers": {**headers, **ours}})
        return copied | {"name": ADDED + str(entry.get("name") or "route")}

    def is_narrowed(self, entry: Document, canary_only: bool) -> bool:  # noqa: ARG002 - the name tells it all
        """By its name."""
        return str(entry.get("name") or "").startswith(ADDED)

    def with_cookie(self, item: Document, set_cookie: str | None) -> Document | None:
        """Added, not set: the application's own cookies stay."""
        if set_cookie is None:
            return _without_cookie(item)
        copied = deepcopy(item)
        place = copied
        for step in ("headers", "response", "add"):
            place = place.setdefault(step, {})
            # An empty one could not be told from one that we made.
            if not isinstance(place, dict) or (not place and step in _given(item)):
                return None
        if _SET_COOKIE.lower() in _names(place):
            return None
        place[_SET_COOKIE] = set_cookie
        return copied

    def mirrored(self, entry: Document, item: Document, percent: int) -> Document | None:
        """One mirror to an entry: where the user has his own, ours finds no place."""
        destination = entry.get("mirror")
        ours = isinstance(destination, dict) and _named(destination) == _named(item["destination"])
        bare = {key: value for key, value in entry.items() if not ours or key not in ("mirror", "mirrorPercentage")}
        if percent == 0:
            return bare
        if any(field in bare for field in _MIRROR_FIELDS):
            return None
        return bare | {"mirror": deepcopy(item["destination"]), "mirrorPercentage": {"value": percent}}


def _named(destination: Document) -> tuple[object, object]:
    return destination.get("host"), destination.get("subset")


def _names(headers: Document) -> set[str]:
    return {str(name).lower() for name in headers}


def _given(item: Document) -> set[str]:
    """Which of the containers of response headers to add stand in `item` already."""
    found, place = set[str](), item
    for step in ("headers", "response", "add"):
        if step not in place:
            break
        found.add(step)
        place = place[step] if isinstance(place[step], dict) else {}
    return found


def _without_cookie(item: Document) -> Document:
    """A copy without our cookie, and without the containers that only it was in."""
    copied = deepcopy(item)
    path = [copied]
    for step in ("headers", "response", "add"):
        inner = path[-1].get(step)
        if not isinstance(inner, dict):
            return copied
        path.append(inner)
    if f"={COOKIE_VALUE}" not in str(path[-1].get(_SET_COOKIE, "")):
        return copied
    del path[-1][_SET_COOKIE]
    for step, outer in zip(("add", "response", "headers"), reversed(path[:-1]), strict=True):
        if outer[step]:
            break
        del outer[step]
    return copied


VIRTUAL_SERVICE = VirtualServiceApi()

"""The way back: the user's own route again, byte for byte, together with whatever others changed in the meantime."""

from copy import deepcopy

from canary_analyzer.routing.destinations import Route, entries, governed, route_of, weights_of
from canary_analyzer.routing.documents import Document, Target, namespace_of
from canary_analyzer.routing.weights import returned


def restored(live: Document, snapshot: Document, last_written: Document, target: Target) -> Document:
    """`live` as it would be had we never touched it.

    Args:
        live: what the API has now; its metadata is kept.
        snapshot: what was there before our first write.
        last_written: what our last write left there.
        target: the pair of Services.

    If the spec is still the one we wrote, the snapshot's spec comes back exactly, key order included. Otherwise only our
    destination is taken out. Where somebody edited a route but not its weights, the weights (and their absence) are the
    snapshot's again; where somebody changed weights or destinations, the canary's weight goes back to stable.
    """
    if live.get("spec") == last_written.get("spec"):
        return live | {"spec": deepcopy(snapshot.get("spec"))}
    result = deepcopy(live)
    namespace = namespace_of(live, target.namespace)
    for index, route, _ in governed(live, target):
        origin = _origin(index, live, last_written)
        if origin is None or origin >= len(entries(snapshot)):
            result["spec"]["http"][index]["route"] = returned(route, namespace, target)
        else:
            result["spec"]["http"][index]["route"] = _reweighted(route, route_of(entries(snapshot)[origin]))
    return result


def _origin(index: int, live: Document, last_written: Document) -> int | None:
    """Position in `last_written` of the entry that `live` has at `index`, if nobody moved its weights or destinations."""
    entry, written = entries(live)[index], entries(last_written)
    shape = _shape(route_of(entry))
    same = [i for i, other in enumerate(written) if _shape(route_of(other)) == shape]
    same.sort(key=lambda i: (written[i] != entry, written[i].get("name") != entry.get("name"), abs(i - index)))
    return same[0] if same else None


def _shape(route: Route) -> list[tuple[object, int]]:
    hosts = ((item.get("destination") or {}).get("host") for item in route)
    return list(zip(hosts, weights_of(route), strict=True))


def _reweighted(route: Route, original: Route) -> Route:
    """Our destination stood behind the original ones: the first destinations are theirs."""
    kept = deepcopy(route[: len(original)])
    for item, before in zip(kept, original, strict=True):
        if "weight" in before:
            item["weight"] = before["weight"]
        else:
            item.pop("weight", None)
    return kept

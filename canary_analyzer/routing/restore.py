"""The way back: the user's own route again, byte for byte, together with whatever others changed in the meantime."""

from copy import deepcopy

from canary_analyzer.routing.destinations import Role, Route, entries, governed, route_of, share_of, weights_of
from canary_analyzer.routing.documents import Document, Target, namespace_of
from canary_analyzer.routing.weights import canary_weight, returned, with_weight


def restored(live: Document, snapshot: Document, last_written: Document, target: Target) -> Document:
    """`live` as it would be had we never touched it.

    Args:
        live: what the API has now; its metadata is kept.
        snapshot: what was there before our first write.
        last_written: what our last write left there, as far as the record knows. A process that is killed between a
            write and its record leaves it one step behind; that does no harm.
        target: the pair of Services.

    If the spec is the snapshot with our last weights in it, the snapshot's spec comes back exactly, key order included.
    Otherwise others may have edited it, before or after our last write: their edits stay and only our destination goes.
    In a route where the share of stable and canary together and those of the others are still the ones that we left,
    the snapshot's weights (and their absence) come back; where they are not, the canary's weight goes to stable.
    """
    written = with_weight(snapshot, target, canary_weight(last_written, target) or 0)
    if live.get("spec") == written.get("spec"):
        return live | {"spec": deepcopy(snapshot.get("spec"))}
    result = deepcopy(live)
    namespace = namespace_of(live, target.namespace)
    for index, route, roles in governed(live, target):
        if Role.CANARY in roles:
            original = _original(index, live, snapshot, written, target)
            back = returned(route, namespace, target) if original is None else _reweighted(route, original)
            result["spec"]["http"][index]["route"] = back
    return result


def _original(index: int, live: Document, snapshot: Document, written: Document, target: Target) -> Route | None:
    """The snapshot's route from which we made the one that `live` has at `index`; None: others moved its weights.

    Entries may have been inserted or removed since. Among those whose shares agree, one that is otherwise equal is
    preferred, then one of the same name, then the one of the same rank among them.
    """
    before, ours, current = entries(snapshot), _shares(written, target), _shares(live, target)
    wanted = current[index]
    same = [i for i, shares in ours.items() if shares == wanted and len(route_of(before[i])) + 1 == len(wanted[0])]
    if not same:
        return None
    rank = [i for i in current if current[i] == wanted].index(index)
    entry = entries(live)[index]
    best = min(range(len(same)), key=lambda k: (*_unlikeness(entry, entries(written)[same[k]]), abs(k - rank)))
    return route_of(before[same[best]])


def _shares(document: Document, target: Target) -> dict[int, tuple[list[Role], list[int]]]:
    """By position of the entry: roles, and weights with that of both arms taken as one."""
    found = {}
    for index, route, roles in governed(document, target):
        weights = weights_of(route)
        foreign = [weight for weight, role in zip(weights, roles, strict=True) if role is Role.FOREIGN]
        found[index] = (roles, [share_of(weights, roles), *foreign])
    return found


def _unlikeness(one: Document, other: Document) -> tuple[bool, bool, bool]:
    unlike_outside = one | {"route": None} != other | {"route": None}
    unlike_inside = _unweighted(one) != _unweighted(other)
    return unlike_outside or unlike_inside, unlike_outside, one.get("name") != other.get("name")


def _unweighted(entry: Document) -> Route:
    return [{key: value for key, value in item.items() if key != "weight"} for item in route_of(entry)]


def _reweighted(route: Route, original: Route) -> Route:
    """`route` without our destination, which stands last, and with the original weights."""
    kept = deepcopy(route[:-1])
    for item, before in zip(kept, original, strict=True):
        item.pop("weight", None) if "weight" not in before else item.update(weight=before["weight"])
    return kept

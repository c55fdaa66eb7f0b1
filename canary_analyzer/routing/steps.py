"""What a step adds beside weights, and a document without any of it."""

from collections.abc import Iterator, Sequence
from copy import deepcopy

from canary_analyzer.routing.dialect import Api, Items
from canary_analyzer.routing.documents import Document, Target
from canary_analyzer.routing.routes import Entry, Reading, Role, share_of
from canary_analyzer.routing.shares import split
from canary_analyzer.routing.traffic import Condition, Traffic
from canary_analyzer.routing.weights import weighted


def with_traffic(document: Document, target: Target, api: Api, traffic: Traffic) -> Document:
    """A copy of `document` in which requests to stable go where `traffic` says, and nowhere else by our hand.

    In each entry that reaches stable a missing arm is added at the end, as a copy of the stable destination (port,
    headers and unknown fields included), in the same write as stable's weight is spelled out, since Istio rejects a
    lone `weight: 0`. Foreign destinations keep their share. An entry from which somebody took stable gets it back.
    """
    bare = plain(document, target, api)
    reading = Reading.of(bare, target, api)
    governed = {entry.index: entry for entry in reading.governed(bare)}
    written: list[Document] = []
    last: list[Document] = []
    for index, body in enumerate(_listed(bare, api)):
        if index not in governed:
            written.append(body)
            continue
        items = weighted(governed[index], reading, traffic)
        added = list(_added(body, items, reading, traffic))
        (written if api.added_in_front else last).extend(added)
        drawn = _drawn(items, reading, traffic) if _can_be_drawn(body, items, reading, traffic) else items
        written.append(_mirrored(body, items, reading, traffic) | {api.items_at: drawn})
    return _with_entries(bare, [*written, *last], api)


def plain(document: Document, target: Target, api: Api) -> Document:
    """A copy of `document` without what steps add: only weights and our destinations are left of us."""
    reading = Reading.of(document, target, api)
    kept = [
        deepcopy(body) for body in _listed(document, api) if not (isinstance(body, dict) and reading.is_added(body))
    ]
    for index, body in enumerate(kept):
        entry = reading.entry(index, body) if isinstance(body, dict) else None
        if entry is not None:
            kept[index] = _unmirrored(body, entry, reading) | {api.items_at: _undrawn(entry, reading)}
    return _with_entries(document, kept, api)


def _listed(document: Document, api: Api) -> list[Document]:
    spec = document.get("spec")
    listed = spec.get(api.entries_at) if isinstance(spec, dict) else None
    return listed if isinstance(listed, list) else []


def _with_entries(document: Document, listed: list[Document], api: Api) -> Document:
    copied = deepcopy(document)
    if listed != _listed(document, api):
        copied["spec"][api.entries_at] = listed
    return copied


def _added(body: Document, items: Items, reading: Reading, traffic: Traffic) -> Iterator[Document]:
    """Entries for those requests of `body` that testers send, or that carry our cookie."""
    if traffic.match is not None:
        yield from _to_one(body, items, Role.CANARY, reading, traffic.match.conditions())
    if traffic.sticky is not None and _can_be_drawn(body, items, reading, traffic):
        for arm in (Role.CANARY, Role.STABLE):
            buckets = [end for _, end in traffic.sticky.buckets() if (end <= traffic.weight) == (arm is Role.CANARY)]
            yield from _to_one(body, items, arm, reading, [traffic.sticky.condition(buckets)])


def _to_one(
    body: Document, items: Items, arm: Role, reading: Reading, conditions: Sequence[Condition]
) -> Iterator[Document]:
    """A narrowed copy of an entry in which one arm has what all have; foreign destinations keep theirs."""
    narrowed = reading.api.narrowed(body, conditions)
    roles, weights = reading.roles(items), reading.api.weights(items)
    share = share_of(weights, roles)
    if narrowed is None or share == 0:
        return
    alone = [
        deepcopy(item) | ({"weight": share} if role is arm else {})
        for item, role in zip(items, roles, strict=True)
        if role in (arm, Role.FOREIGN)
    ]
    yield narrowed | {reading.api.items_at: alone}


def _mirrored(body: Document, items: Items, reading: Reading, traffic: Traffic) -> Document:
    """With copies to the canary; an entry that cannot have them stays without, as `step_problems` told before."""
    if traffic.mirror == 0:
        return deepcopy(body)
    canary = items[reading.roles(items).index(Role.CANARY)]
    return reading.api.mirrored(body, canary, traffic.mirror) or deepcopy(body)


def _unmirrored(body: Document, entry: Entry, reading: Reading) -> Document:
    """Without copies to a canary of ours; to one that the user brought they are his."""
    if reading.target.brought:
        return body
    model = next(item for item, role in zip(entry.items, entry.roles, strict=True) if role is not Role.FOREIGN)
    canary = reading.api.readdressed(model, reading.address(Role.CANARY))
    return reading.api.mirrored(body, canary, 0) or body


def _drawn(items: Items, reading: Reading, traffic: Traffic) -> Items:
    """Each arm's destination once per bucket, with the cookie of that bucket."""
    assert traffic.sticky is not None
    roles = reading.roles(items)
    share = share_of(reading.api.weights(items), roles)
    drawn: Items = []
    for item, role in zip(items, roles, strict=True):
        mine = [b for b in traffic.sticky.buckets() if (b[1] <= traffic.weight) == (role is Role.CANARY)]
        points = {end: split(share, end) - split(share, beyond) for beyond, end in mine if role is not Role.FOREIGN}
        cookies = ((reading.api.with_cookie(item, traffic.sticky.set_cookie(end)), points[end]) for end in points)
        drawn += [copy | {"weight": weight} for copy, weight in cookies if copy is not None and weight] or [item]
    return drawn


def _undrawn(entry: Entry, reading: Reading) -> Items:
    """Each arm's destination once again, without cookie, with the weight of all its buckets."""
    api = reading.api
    bare = [api.with_cookie(item, None) or item for item in entry.items]
    if bare == entry.items:
        return bare
    first: dict[Role, Document] = {}
    merged: Items = []
    for item, role, weight in zip(bare, entry.roles, api.weights(entry.items), strict=True):
        if role is Role.FOREIGN:
            merged.append(item)
        elif role in first:
            first[role]["weight"] += weight
        else:
            first[role] = item | {"weight": weight}
            merged.append(first[role])
    return merged


def _can_be_drawn(body: Document, items: Items, reading: Reading, traffic: Traffic) -> bool:
    """Whether sessions stick in this entry; one that cannot have it stays without, as `step_problems` told before."""
    sticky = traffic.sticky
    if sticky is None or not 0 < traffic.weight < 100:
        return False
    ours = [item for item, role in zip(items, reading.roles(items), strict=True) if role is not Role.FOREIGN]
    fits = all(reading.api.with_cookie(item, sticky.set_cookie(100)) is not None for item in ours)
    return fits and reading.api.narrowed(body, [sticky.condition([100])]) is not None

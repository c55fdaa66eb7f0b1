"""The way back: the user's own route again, byte for byte, together with whatever others changed in the meantime."""

from copy import deepcopy

from canary_analyzer.routing.dialect import Api, Items
from canary_analyzer.routing.documents import Document, Target
from canary_analyzer.routing.routes import Entry, Reading, Role, entries, items_of, share_of
from canary_analyzer.routing.steps import plain, with_traffic
from canary_analyzer.routing.traffic import Traffic
from canary_analyzer.routing.weights import arm_weight, without_ours

Shares = tuple[list[Role], list[int]]
"""Whose the destinations of an entry are, without ours, and their weights, those of all arms taken as one."""


def restored(live: Document, snapshot: Document, target: Target, api: Api) -> Document:
    """`live` as it would be had we never touched it.

    Args:
        live: what the API has now; its metadata is kept.
        snapshot: what was there before our first write.
        target: the arms.
        api: how the documents are written.

    If the spec is the snapshot with our weights and steps in it, the snapshot's spec comes back exactly, key order
    included. Otherwise others may have edited it, before or after our last write: their edits stay and only what is
    ours goes. In an entry where the share of all arms together and those of the others are still the ones that we left,
    the snapshot's weights (and their absence) come back; where they are not, our weights go to stable.
    """
    bare = plain(live, target, api)
    written = _like(bare, snapshot, target, api)
    if bare.get("spec") == written.get("spec"):
        return live | {"spec": deepcopy(snapshot["spec"])} if "spec" in snapshot else live
    result = deepcopy(bare)
    reading = Reading.of(bare, target, api)
    for entry in reading.governed(bare):
        if not target.brought and not any(_is_added(role, reading) for role in entry.roles):
            continue
        original = _original(entry.index, bare, snapshot, written, reading)
        result["spec"][api.entries_at][entry.index][api.items_at] = (
            without_ours(entry, reading) if original is None else _reweighted(entry, original, reading)
        )
    return result


def _like(bare: Document, snapshot: Document, target: Target, api: Api) -> Document:
    """The snapshot with the weights that `bare` has."""
    weight = arm_weight(bare, target, api) or 0
    baseline = min(arm_weight(bare, target, api, Role.BASELINE) or 0, 100 - weight)
    return with_traffic(snapshot, target, api, Traffic(weight=weight, baseline=baseline))


def _original(index: int, live: Document, snapshot: Document, written: Document, reading: Reading) -> Items | None:
    """The snapshot's destinations from which we made those of `live` at `index`; None: others moved their weights.

    Entries may have been inserted or removed since. Among those whose shares agree, one that differs in the fewest
    fields is preferred, then one of the same name, then the one of the same rank among them.
    """
    api = reading.api
    before, ours, current = entries(snapshot, api.entries_at), _shares(written, reading), _shares(live, reading)
    wanted = current[index]
    same = [i for i, shares in ours.items() if shares == wanted]
    if not same:
        return None
    rank = [i for i in current if current[i] == wanted].index(index)
    entry, after = entries(live, api.entries_at)[index], entries(written, api.entries_at)
    best = min(range(len(same)), key=lambda k: (*_unlikeness(entry, after[same[k]], api), abs(k - rank)))
    return items_of(before[same[best]], api)


def _shares(document: Document, reading: Reading) -> dict[int, Shares]:
    """By position of the entry."""
    found = {}
    for entry in reading.governed(document):
        weights = reading.api.weights(entry.items)
        foreign = [weight for weight, role in zip(weights, entry.roles, strict=True) if role is Role.FOREIGN]
        kept = [role for role in entry.roles if not _is_added(role, reading)]
        found[entry.index] = (kept, [share_of(weights, entry.roles), *foreign])
    return found


def _is_added(role: Role, reading: Reading) -> bool:
    return role in (Role.CANARY, Role.BASELINE) and not reading.target.brought


def _unlikeness(one: Document, other: Document, api: Api) -> tuple[int, bool]:
    """How many fields differ, destinations without their weights among them; then whether the names do."""
    fields = (one.keys() | other.keys()) - {api.items_at}
    differing = sum(one.get(field) != other.get(field) for field in fields)
    return differing + (_unweighted(one, api) != _unweighted(other, api)), one.get("name") != other.get("name")


def _unweighted(entry: Document, api: Api) -> Items:
    return [{key: value for key, value in item.items() if key != "weight"} for item in items_of(entry, api)]


def _reweighted(entry: Entry, original: Items, reading: Reading) -> Items:
    """The destinations without ours, and with the original weights."""
    kept = [item for item, role in zip(deepcopy(entry.items), entry.roles, strict=True) if not _is_added(role, reading)]
    for item, before in zip(kept, original, strict=True):
        item.pop("weight", None) if "weight" not in before else item.update(weight=before["weight"])
    return kept

"""Moving weights: what the arms have in an entry read, set and taken away; everything else stays as it is."""

from copy import deepcopy

from canary_analyzer.routing.dialect import Api, Items
from canary_analyzer.routing.documents import Document, Target
from canary_analyzer.routing.routes import Entry, Reading, Role, share_of
from canary_analyzer.routing.shares import split_three
from canary_analyzer.routing.traffic import Traffic


def arm_weight(document: Document, target: Target, api: Api, arm: Role = Role.CANARY) -> int | None:
    """An arm's percentage (0..100, rounded) of what all arms have together; None: it is in no route.

    Where several routes hold it, the one in which the arms have most to divide answers: it is the least rounded. Equal
    ones that disagree (somebody edited one of them) answer with the highest.
    """
    answers: list[tuple[float, int]] = []
    for entry in Reading.of(document, target, api).governed(document):
        if arm not in entry.roles:
            continue
        weights = api.weights(entry.items)
        share = share_of(weights, entry.roles)
        ours = sum(weight for weight, role in zip(weights, entry.roles, strict=True) if role is arm)
        of_all = share / sum(weights) if share else 0.0
        answers.append((of_all, (ours * 200 + share) // (2 * share) if share else 0))
    return max(answers)[1] if answers else None


def weighted(entry: Entry, reading: Reading, traffic: Traffic) -> Items:
    """The entry's destinations, each arm once and with its weight; foreign ones keep their share."""
    items = _with_arms(entry, reading)
    roles, weights = reading.roles(items), reading.api.weights(items)
    foreign = [i for i, role in enumerate(roles) if role is Role.FOREIGN]
    share, *kept = reading.api.scaled([share_of(weights, roles), *(weights[i] for i in foreign)])
    stable, canary, baseline = split_three(share, traffic.weight, traffic.baseline)
    points = {Role.STABLE: stable, Role.CANARY: canary, Role.BASELINE: baseline}
    wanted = {roles.index(arm): points[arm] for arm in reading.arms() if arm in roles} | dict(
        zip(foreign, kept, strict=True)
    )
    for i, value in wanted.items():
        # A foreign destination without a weight stays without one.
        if weights[i] != value or roles[i] is not Role.FOREIGN:
            items[i]["weight"] = value
    return [item for i, item in enumerate(items) if i in wanted]


def without_ours(entry: Entry, reading: Reading) -> Items:
    """The entry's destinations without those that we added, their weight given back to stable.

    An entry in which somebody left only ours becomes one to stable, never an empty one. What the user brought stays.
    """
    if reading.target.brought or not {Role.CANARY, Role.BASELINE} & set(entry.roles):
        return deepcopy(entry.items)
    items = _with_arms(entry, reading)
    roles, weights = reading.roles(items), reading.api.weights(items)
    first = roles.index(Role.STABLE)
    elsewhere = sum(weights[i] for i, role in enumerate(roles) if role is Role.STABLE and i != first)
    items[first]["weight"] = share_of(weights, roles) - elsewhere
    return [item for item, role in zip(items, roles, strict=True) if role in (Role.STABLE, Role.FOREIGN)]


def _with_arms(entry: Entry, reading: Reading) -> Items:
    """A copy of the destinations in which every arm stands, with an explicit weight of its own."""
    items = deepcopy(entry.items)
    for item, weight, role in zip(items, reading.api.weights(items), entry.roles, strict=True):
        if role is not Role.FOREIGN:
            item["weight"] = weight
    if Role.STABLE not in entry.roles:
        ours = next(i for i, role in enumerate(entry.roles) if role is not Role.FOREIGN)
        items.insert(ours, _copy_for(items[ours], Role.STABLE, reading))
    model = items[reading.roles(items).index(Role.STABLE)]
    missing = [arm for arm in reading.arms() if arm not in reading.roles(items)]
    return [*items, *(_copy_for(model, arm, reading) for arm in missing)]


def _copy_for(item: Document, arm: Role, reading: Reading) -> Document:
    return reading.api.readdressed(item, reading.address(arm)) | {"weight": 0}

"""Moving weights: the canary's percentage read, set and taken away; everything else in the document stays as it is."""

from collections.abc import Callable, Sequence
from copy import deepcopy

from canary_analyzer.routing.destinations import Role, Route, governed, roles_of, share_of, weights_of
from canary_analyzer.routing.documents import Document, Target, namespace_of
from canary_analyzer.routing.hosts import renamed


def apportion(weights: Sequence[int]) -> list[int]:
    """`weights` scaled to a sum of exactly 100 by largest remainder (Hamilton's method); ties go to the first.

    Weights that already sum to 100 come back unchanged, so that repeated writes never drift. All zero: all zero.
    """
    total = sum(weights)
    if total == 0:
        return list(weights)
    points = [weight * 100 // total for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda i: -(weights[i] * 100 % total))
    for i in by_remainder[: 100 - sum(points)]:
        points[i] += 1
    return points


def split(share: int, weight: int) -> int:
    """The canary's points out of `share` (0..100 points of a route) at `weight` percent, rounded to the nearest.

    Strictly between 0 and 100 percent both arms keep at least one point where there are two to divide: an arm without
    traffic cannot be judged. A share of one point stays with stable until the canary is given everything.
    """
    if weight in (0, 100):
        return share * weight // 100
    nearest = (share * weight + 50) // 100
    return max(0, min(max(nearest, 1), share - 1))


def canary_weight(document: Document, target: Target) -> int | None:
    """The canary's percentage (0..100, rounded) of what stable and canary have together; None: it is in no route.

    Where several routes hold it, the one in which both have most to divide answers: it is the least rounded. Equal ones
    that disagree (somebody edited one of them) answer with the highest.
    """
    answers: list[tuple[int, int]] = []
    for _, route, roles in governed(document, target):
        if Role.CANARY not in roles:
            continue
        weights = weights_of(route)
        share = share_of(weights, roles)
        canary = sum(w for w, role in zip(weights, roles, strict=True) if role is Role.CANARY)
        answers.append((share, (canary * 200 + share) // (2 * share) if share else 0))
    return max(answers)[1] if answers else None


def with_weight(document: Document, target: Target, weight: int) -> Document:
    """A copy of `document` in which the canary has `weight` percent of what stable and canary have together.

    In each http route that reaches stable: a missing canary is added at the end, as a copy of the stable destination
    (port, headers and unknown fields included) with its host written in the same form, in the same step as stable's
    weight is spelled out, since Istio rejects a lone `weight: 0`. Weights then sum to 100; foreign destinations keep
    their share, rounded by largest remainder. A route from which somebody took stable gets it back.

    Raises:
        ValueError: `weight` is not within 0..100.
    """
    if not 0 <= weight <= 100:
        raise ValueError(f"weight: {weight} is not a percentage: give a whole number from 0 to 100")
    return _rewritten(document, target, lambda route, namespace: _weighted(route, namespace, target, weight))


def returned(route: Route, namespace: str, target: Target) -> Route:
    """A copy of one route without the canary, its weight given back to stable.

    A route in which somebody left only the canary becomes a route to stable, never an empty one.
    """
    roles = roles_of(route, namespace, target)
    if Role.CANARY not in roles:
        return deepcopy(route)
    whole = _with_both(route, namespace, target)
    roles = roles_of(whole, namespace, target)
    share = share_of(weights_of(whole), roles)
    stable = roles.index(Role.STABLE)
    elsewhere = sum(whole[i]["weight"] for i, role in enumerate(roles) if role is Role.STABLE and i != stable)
    whole[stable]["weight"] = share - elsewhere
    return [item for item, role in zip(whole, roles, strict=True) if role is not Role.CANARY]


def _rewritten(document: Document, target: Target, rewrite: Callable[[Route, str], Route]) -> Document:
    copied = deepcopy(document)
    namespace = namespace_of(document, target.namespace)
    for index, route, _ in governed(copied, target):
        copied["spec"]["http"][index]["route"] = rewrite(route, namespace)
    return copied


def _weighted(route: Route, namespace: str, target: Target, weight: int) -> Route:
    both = _with_both(route, namespace, target)
    roles = roles_of(both, namespace, target)
    weights = weights_of(both)
    foreign = [i for i, role in enumerate(roles) if role is Role.FOREIGN]
    share, *kept = apportion([share_of(weights, roles), *(weights[i] for i in foreign)])
    canary = split(share, weight)
    points = {roles.index(Role.STABLE): share - canary, roles.index(Role.CANARY): canary}
    points |= dict(zip(foreign, kept, strict=True))
    for i, value in points.items():
        if weights[i] != value or roles[i] is not Role.FOREIGN:
            both[i]["weight"] = value
    return [item for i, item in enumerate(both) if i in points]


def _with_both(route: Route, namespace: str, target: Target) -> Route:
    """A copy of `route` in which both arms stand, with explicit weights of their own."""
    both = deepcopy(route)
    roles = roles_of(both, namespace, target)
    for item, weight, role in zip(both, weights_of(both), roles, strict=True):
        if role is not Role.FOREIGN:
            item["weight"] = weight
    if Role.CANARY not in roles:
        both.append(_copy_for(both[roles.index(Role.STABLE)], target.canary))
    elif Role.STABLE not in roles:
        canary = roles.index(Role.CANARY)
        both.insert(canary, _copy_for(both[canary], target.stable))
    return both


def _copy_for(item: Document, service: str) -> Document:
    copied = deepcopy(item)
    copied["destination"]["host"] = renamed(copied["destination"]["host"], service)
    return copied | {"weight": 0}

"""What stands in the way of editing one http entry."""

from collections.abc import Iterator, Sequence

from canary_analyzer.routing.destinations import Role, Route, entries, governed, share_of, weights_of
from canary_analyzer.routing.documents import Document, Problem, Target, title
from canary_analyzer.routing.weights import apportion


def obstacles(document: Document, target: Target) -> Iterator[Problem]:
    """Every reason why the entries of `document` that reach stable cannot be edited, with the path of the field."""
    name = title(document, target.namespace)
    listed = entries(document)
    for index, route, roles in governed(document, target):
        path = f"spec.http[{index}]"
        if listed[index].get("fault"):
            yield fault(name, f"{path}.fault")
        yield from _stable_destinations(name, path, route, roles)
        yield from _weights(name, path, route)


def fault(name: str, path: str) -> Problem:
    """An injected fault on the way to stable."""
    return Problem(
        object=name,
        path=path,
        reason="injected faults would be counted as the fault of both versions",
        remedy="Remove the fault for the time of the run",
    )


def too_little(chosen: Sequence[Document], target: Target) -> Iterator[Problem]:
    """Where stable has less than two points of a hundred in every route, there is nothing to divide with the canary."""
    best = max(_share(route, roles) for document in chosen for _, route, roles in governed(document, target))
    if best < 2:
        yield Problem(
            object=", ".join(title(document, target.namespace) for document in chosen),
            path="spec.http",
            reason=f"{target.stable} has {best} % of the traffic at most, which cannot be divided in whole percents",
            remedy="Give it a greater weight",
        )


def _share(route: Route, roles: Sequence[Role]) -> int:
    weights = weights_of(route)
    ours = share_of(weights, roles)
    return apportion([ours, sum(weights) - ours])[0]


def _stable_destinations(name: str, path: str, route: Route, roles: Sequence[Role]) -> Iterator[Problem]:
    stable = [j for j, role in enumerate(roles) if role is Role.STABLE]
    for j in stable:
        subset = route[j]["destination"].get("subset")
        if subset:
            yield Problem(
                object=name,
                path=f"{path}.route[{j}].destination.subset",
                reason=f"the route picks pods by subset {subset}; a canary with a Service of its own is in no subset",
                remedy="Route to the Service without a subset",
            )
    if len(stable) > 1 and not any(route[j]["destination"].get("subset") for j in stable):
        yield Problem(
            object=name,
            path=f"{path}.route",
            reason=f"{len(stable)} destinations of this entry are the same Service: there is no one share to divide",
            remedy="Make them one destination with the sum of their weights",
        )


def _weights(name: str, path: str, route: Route) -> Iterator[Problem]:
    wrong = [j for j, item in enumerate(route) if not _is_weight(item.get("weight") or 0)]
    for j in wrong:
        yield Problem(
            object=name,
            path=f"{path}.route[{j}].weight",
            reason=f"{route[j]['weight']!r} is not a weight",
            remedy="Give a whole number, 0 or more",
        )
    if not wrong and sum(weights_of(route)) == 0:
        yield Problem(
            object=name,
            path=f"{path}.route",
            reason="the weights add up to 0, which Istio rejects",
            remedy="Give the destinations weights that add up to 100",
        )


def _is_weight(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0

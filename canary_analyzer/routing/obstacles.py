"""What stands in the way of moving weights, whichever the API."""

from collections.abc import Iterator, Sequence

from canary_analyzer.routing.dialect import Api
from canary_analyzer.routing.documents import Document, Problem, Target, title
from canary_analyzer.routing.routes import Entry, Reading, Role, entries, items_of, share_of
from canary_analyzer.routing.traffic import Traffic


def obstacles(document: Document, target: Target, api: Api) -> Iterator[Problem]:
    """Every reason why weights cannot move in the entries of `document` that reach stable, with the field's path."""
    name = title(document, target.namespace)
    listed = entries(document, api.entries_at)
    for entry in Reading.of(document, target, api).governed(document):
        path = f"spec.{api.entries_at}[{entry.index}].{api.items_at}"
        for j, item in enumerate(listed[entry.index][api.items_at]):
            if not isinstance(item, dict):
                yield Problem(
                    object=name, path=f"{path}[{j}]", reason=f"{item!r} is no destination", remedy="Remove it"
                )
        if entry.roles.count(Role.STABLE) > 1:
            yield Problem(
                object=name,
                path=path,
                reason=f"{entry.roles.count(Role.STABLE)} destinations of this entry are stable: there is no one share",
                remedy="Make them one destination with the sum of their weights",
            )
        yield from _weights(name, path, entry, api)


def fault(name: str, path: str) -> Problem:
    """An injected fault on the way to stable."""
    return Problem(
        object=name,
        path=path,
        reason="injected faults would be counted as the fault of both versions",
        remedy="Remove the fault for the time of the run",
    )


def unreached(target: Target, what: str, path: str = "") -> list[Problem]:
    """No route has stable as a destination."""
    return [
        Problem(
            object=what,
            path=path,
            reason=f"no entry has the Service {target.namespace}/{target.stable} as a destination",
            remedy=(
                f"Make {target.stable} the destination of a route: by this name in namespace {target.namespace}, "
                f"with its namespace in any other"
            ),
        )
    ]


def others_of_stable(document: Document, target: Target, api: Api) -> Iterator[Problem]:
    """Destinations on the stable host in entries where weights are not to move, and why not."""
    name, reading = title(document, target.namespace), Reading.of(document, target, api)
    for i, entry in enumerate(entries(document, api.entries_at)):
        for j, item in enumerate(items_of(entry, api)):
            path = f"spec.{api.entries_at}[{i}].{api.items_at}[{j}]"
            if reading.is_on_stable_host(item) and reading.role(item) is Role.STABLE:
                yield Problem(
                    object=name,
                    path=path,
                    reason=f"beside it there is no destination for {target.canary}, the canary that you brought",
                    remedy="Add one with weight 0, and write stable's weight 100",
                )
            elif reading.is_on_stable_host(item) and reading.role(item) is Role.FOREIGN:
                address = api.address(item, reading.namespace)
                subset = f"subset {address.subset}" if address and address.subset else "a destination without a subset"
                yield Problem(
                    object=name,
                    path=f"{path}.destination.subset",
                    reason=f"{subset} of {target.stable} is not known to be stable's pods, and no other's",
                    remedy="Route to a subset whose labels, in a DestinationRule for this host, only its pods have",
                )


def too_little(
    chosen: Sequence[Document], target: Target, api: Api, wanted: Sequence[Traffic] = ()
) -> Iterator[Problem]:
    """Where stable has less than a point for each arm in every entry, there is nothing to divide."""
    needed = 3 if any(traffic.baseline for traffic in wanted) else 2
    best = max(_share(entry, api) for each in chosen for entry in Reading.of(each, target, api).governed(each))
    if best < needed:
        yield Problem(
            object=", ".join(title(document, target.namespace) for document in chosen),
            path=f"spec.{api.entries_at}",
            reason=f"{target.stable} has {best} % of the traffic at most, which cannot be divided in whole percents",
            remedy="Give it a greater weight",
        )


def _share(entry: Entry, api: Api) -> int:
    weights = api.weights(entry.items)
    ours = share_of(weights, entry.roles)
    return api.scaled([ours, *(w for w, role in zip(weights, entry.roles, strict=True) if role is Role.FOREIGN)])[0]


def _weights(name: str, path: str, entry: Entry, api: Api) -> Iterator[Problem]:
    wrong = [j for j, item in enumerate(entry.items) if not _is_weight(item.get("weight"))]
    for j in wrong:
        yield Problem(
            object=name,
            path=f"{path}[{j}].weight",
            reason=f"{entry.items[j]['weight']!r} is not a weight",
            remedy="Give a whole number, 0 or more",
        )
    if wrong:
        return
    weights = api.weights(entry.items)
    if sum(weights) == 0:
        yield Problem(
            object=name,
            path=path,
            reason="the weights add up to 0, which sends no request anywhere",
            remedy="Give the destinations weights that add up to 100",
        )
        return
    foreign = [j for j, role in enumerate(entry.roles) if role is Role.FOREIGN]
    scaled = api.scaled([share_of(weights, entry.roles), *(weights[j] for j in foreign)])[1:]
    for j, points in zip(foreign, scaled, strict=True):
        if weights[j] and not points:
            yield Problem(
                object=name,
                path=f"{path}[{j}].weight",
                reason=f"{weights[j]} of {sum(weights)} is less than can be kept in whole percents",
                remedy="Give it 1 % at least, or 0",
            )


def _is_weight(value: object) -> bool:
    return value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 0)

"""Which destination of a route is which Deployment: the selectors of Services and subsets against pod labels."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from canary_analyzer.routing.destination_rules import rules_for, subsets_of
from canary_analyzer.routing.dialect import Address, Api
from canary_analyzer.routing.documents import (
    Document,
    Problem,
    Target,
    Unroutable,
    mapping,
    metadata_of,
    namespace_of,
    title,
)
from canary_analyzer.routing.hosts import ServiceName
from canary_analyzer.routing.http_route import HTTP_ROUTE
from canary_analyzer.routing.routes import addresses_of, entries
from canary_analyzer.routing.virtual_service import VIRTUAL_SERVICE

_APIS: Mapping[str, Api] = {api.kind: api for api in (VIRTUAL_SERVICE, HTTP_ROUTE)}


@dataclass(frozen=True, kw_only=True)
class Pods:
    """The pods of one Deployment, by the labels of its pod template."""

    name: str
    labels: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Around:
    """What a namespace has that tells where a destination leads."""

    namespace: str
    services: Sequence[Document]
    destination_rules: Sequence[Document]
    routes: Sequence[Document]
    """VirtualServices, HTTPRoutes or both, of every namespace that can be seen."""
    others: Sequence[Pods] = ()
    """The other Deployments of the namespace."""


def sibling_target(service: str, canary: str, stable: Pods, around: Around) -> Target:
    """The target of a canary that we make, a Service of its own beside `service`.

    Its `stable_subsets` are those that routes name and that select stable's pods and no others; the rest are foreign.
    Where a route names none of them, there is no way to reach stable alone and `select` says so.
    """
    reached = _Reached.of(stable, None, around)
    used = sorted({a.subset for _, _, a in _addresses(around) if a.service == _named(service, around)}, key=_order)
    subsets = tuple(subset for subset in used if reached.by(Address(_named(service, around), subset)) == {stable.name})
    return Target(namespace=around.namespace, stable=service, canary=canary, stable_subsets=subsets or (None,))


def brought_target(stable: Pods, canary: Pods, around: Around) -> Target:
    """The target of a canary that the user brought, from the entries that have a destination for each of the two.

    Raises:
        Unroutable: no entry has both, or entries differ in which Services they name; with every reason found.
    """
    reached = _Reached.of(stable, canary, around)
    pairs, problems = dict[tuple[Address, Address], set[str | None]](), list[Problem]()
    for route, path, addresses in _entries(around):
        mine = [address for address in addresses if reached.by(address) == {stable.name}]
        theirs = [address for address in addresses if reached.by(address) == {canary.name}]
        if mine and theirs:
            first = mine[0]._replace(subset=None)
            pairs.setdefault((first, theirs[0]), set()).update(address.subset for address in mine)
        elif touching := [a for a in addresses if reached.by(a) & {stable.name, canary.name}]:
            problems += _halves(title(route, around.namespace), path, touching, reached, (stable, canary))
    if len(pairs) == 1:
        (host, to), subsets = next(iter(pairs.items()))
        return Target(
            namespace=around.namespace,
            stable=host.service.name,
            canary=to.service.name,
            stable_subsets=tuple(sorted(subsets, key=_order)),
            canary_subset=to.subset,
            brought=True,
        )
    raise Unroutable(
        _several(pairs, stable, canary) if pairs else problems or list(_nowhere(stable, canary, reached, around))
    )


@dataclass(frozen=True, kw_only=True)
class _Reached:
    """Which Deployments a destination's requests may get to."""

    around: Around
    pods: tuple[Pods, ...]

    @classmethod
    def of(cls, stable: Pods, canary: Pods | None, around: Around) -> "_Reached":
        return cls(around=around, pods=(stable, *([canary] if canary else []), *around.others))

    def by(self, address: Address) -> set[str]:
        """Names of the Deployments; none for a Service without selector, or a subset that no rule defines."""
        labels = self.labels(address)
        return {pods.name for pods in self.pods if labels and labels.items() <= pods.labels.items()}

    def labels(self, address: Address) -> Mapping[str, str] | None:
        """Labels that a pod needs to be reached; None: it is not known."""
        services = (s for s in self.around.services if _service_name(s, self.around) == address.service)
        selector = next((mapping(_spec(service).get("selector")) for service in services), None)
        if not selector or address.subset is None:
            return selector or None
        target = Target(namespace=self.around.namespace, stable="", canary="")
        subset = subsets_of(rules_for(self.around.destination_rules, address.service, target)).get(address.subset)
        return None if subset is None else {**selector, **mapping(subset.get("labels"))}


def _halves(
    name: str, path: str, addresses: Sequence[Address], reached: _Reached, pair: tuple[Pods, Pods]
) -> Iterator[Problem]:
    """Why an entry that reaches one of the two cannot be used."""
    stable, canary = pair
    for address in addresses:
        found = reached.by(address) | {""} - {""}
        which = f"{address.service.name}" + (f" subset {address.subset}" if address.subset else "")
        if len(found) > 1:
            yield Problem(
                object=name,
                path=path,
                reason=f"destination {which} reaches pods of {' and '.join(sorted(found))}",
                remedy="Give each a Service of its own, or a subset in a DestinationRule, and route to both by weight",
            )
        elif found == {stable.name}:
            yield Problem(
                object=name,
                path=path,
                reason=f"destination {which} reaches {stable.name}, but nothing beside it reaches {canary.name}",
                remedy=f"Add a destination for {canary.name} with weight 0, and write {stable.name}'s weight 100",
            )


def _several(pairs: Iterable[tuple[Address, Address]], stable: Pods, canary: Pods) -> list[Problem]:
    listed = "; ".join(sorted(f"{one.service.name} and {_written(two)}" for one, two in pairs))
    return [
        Problem(
            object=f"Deployments {stable.name} and {canary.name}",
            path="",
            reason=f"routes reach the two in several ways: {listed}",
            remedy="Name the same Services and the same canary subset in every route",
        )
    ]


def _nowhere(stable: Pods, canary: Pods, reached: _Reached, around: Around) -> Iterator[Problem]:
    for pods in (stable, canary):
        selecting = [
            s
            for s in around.services
            if (selector := mapping(_spec(s).get("selector"))) and selector.items() <= pods.labels.items()
        ]
        undefined = [a for _, _, a in _addresses(around) if a.subset and reached.labels(a) is None]
        reason, remedy = "no route has a destination that reaches it", "Route to it beside the other by weight"
        if not selecting:
            reason, remedy = "no Service selects its pods", "Create one whose selector its pod template's labels meet"
        elif undefined:
            reason += f"; no DestinationRule defines {_written(undefined[0])}"
            remedy = "Define the subset in a DestinationRule for this host"
        yield Problem(object=f"Deployment {around.namespace}/{pods.name}", path="", reason=reason, remedy=remedy)


def _entries(around: Around) -> Iterator[tuple[Document, str, list[Address]]]:
    for route in around.routes:
        api = _APIS.get(str(route.get("kind")), VIRTUAL_SERVICE)
        namespace = namespace_of(route, around.namespace)
        for index, entry in enumerate(entries(route, api.entries_at)):
            path = f"spec.{api.entries_at}[{index}].{api.items_at}"
            yield route, path, addresses_of(entry, api, namespace)


def _addresses(around: Around) -> Iterator[tuple[Document, str, Address]]:
    return ((route, path, address) for route, path, addresses in _entries(around) for address in addresses)


def _named(service: str, around: Around) -> ServiceName:
    return ServiceName(service, around.namespace)


def _service_name(service: Document, around: Around) -> ServiceName:
    return ServiceName(str(metadata_of(service).get("name")), namespace_of(service, around.namespace))


def _spec(document: Document) -> dict[str, Any]:
    return mapping(document.get("spec"))


def _order(subset: str | None) -> str:
    return subset or ""


def _written(address: Address) -> str:
    return address.service.name + (f" subset {address.subset}" if address.subset else "")

"""Reading the entries of a route document: which of them reach the Services of a target, and whose each one is."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Self

from canary_analyzer.routing.dialect import Address, Api, Items
from canary_analyzer.routing.documents import Document, Target, namespace_of
from canary_analyzer.routing.hosts import ServiceName


class Role(Enum):
    """Whose a destination is: an arm's, or somebody else's."""

    STABLE = "stable"
    CANARY = "canary"
    BASELINE = "baseline"
    FOREIGN = "foreign"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One entry of a route document that reaches an arm, with its destinations and whose they are."""

    index: int
    items: Items
    roles: list[Role]


@dataclass(frozen=True, kw_only=True)
class Reading:
    """A document's namespace, the target and the API: what gives a destination its meaning."""

    api: Api
    target: Target
    namespace: str

    @classmethod
    def of(cls, document: Document, target: Target, api: Api) -> Self:
        """How to read `document`."""
        return cls(api=api, target=target, namespace=namespace_of(document, target.namespace))

    def role(self, item: Document) -> Role:
        """Whose a destination is."""
        address = self.api.address(item, self.namespace)
        if address is None or address.service.namespace != self.target.namespace:
            return Role.FOREIGN
        name, subset = address.service.name, address.subset
        # Stable and canary may be subsets of one host.
        if name == self.target.stable and subset in self.target.stable_subsets:
            return Role.STABLE
        if name == self.target.canary and subset == self.target.canary_subset:
            return Role.CANARY
        return Role.BASELINE if (name, subset) == (self.target.baseline, None) else Role.FOREIGN

    def is_on_stable_host(self, item: Document) -> bool:
        """Whether a destination is on the stable Service, whatever the subset."""
        address = self.api.address(item, self.namespace)
        return address is not None and address.service == self.address(Role.STABLE).service

    def roles(self, items: Items) -> list[Role]:
        """Whose the destinations are, in order."""
        return [self.role(item) for item in items]

    def address(self, role: Role) -> Address:
        """Where an arm is."""
        target = self.target
        names = {
            Role.STABLE: (target.stable, target.stable_subsets[0]),
            Role.CANARY: (target.canary, target.canary_subset),
            Role.BASELINE: (target.baseline or "", None),
        }
        name, subset = names[role]
        return Address(ServiceName(name, target.namespace), subset)

    def arms(self) -> list[Role]:
        """The arms that this target has."""
        return [Role.STABLE, Role.CANARY, *([Role.BASELINE] if self.target.baseline else [])]

    def entry(self, index: int, entry: Document) -> Entry | None:
        """`entry` with its roles; None where weights are not to move in it.

        Where the user brought the canary, an entry that has one of the two only is his decision.
        """
        items = items_of(entry, self.api)
        roles = self.roles(items)
        wanted = (Role.STABLE in roles, Role.CANARY in roles)
        reached = all(wanted) if self.target.brought else any(wanted)
        return Entry(index=index, items=items, roles=roles) if reached else None

    def is_added(self, entry: Document) -> bool:
        """Whether we put this entry beside the user's own, for a step."""
        roles = self.roles(items_of(entry, self.api))
        canary_only = not self.target.brought and Role.CANARY in roles and Role.STABLE not in roles
        return self.api.is_narrowed(entry, canary_only)

    def governed(self, document: Document) -> Iterator[Entry]:
        """The user's entries in which weights move."""
        for index, entry in enumerate(entries(document, self.api.entries_at)):
            found = None if self.is_added(entry) else self.entry(index, entry)
            if found is not None:
                yield found


def entries(document: Document, field: str) -> list[Document]:
    """Entries of `spec.<field>`; what is not an object is read as an empty one, so that positions stay true."""
    spec = document.get("spec")
    listed = spec.get(field) if isinstance(spec, dict) else None
    if not isinstance(listed, list):
        return []
    return [entry if isinstance(entry, dict) else {} for entry in listed]


def items_of(entry: Document, api: Api) -> Items:
    """Destinations of an entry; none for one that answers by itself or hands over, and carries no traffic to any."""
    listed = entry.get(api.items_at)
    if "redirect" in entry or "directResponse" in entry or not isinstance(listed, list):
        return []
    return [item if isinstance(item, dict) else {} for item in listed]


def addresses_of(entry: Document, api: Api, namespace: str) -> list[Address]:
    """What the destinations of an entry name, in a document of `namespace`, where that is a Service of this cluster."""
    found = (api.address(item, namespace) for item in items_of(entry, api))
    return [address for address in found if address is not None]


def share_of(weights: list[int], roles: list[Role]) -> int:
    """What the arms have together."""
    return sum(weight for weight, role in zip(weights, roles, strict=True) if role is not Role.FOREIGN)

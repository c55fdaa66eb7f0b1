"""What differs between the APIs that say where requests go; everything else in this package is written once for all.

Both have entries (`http`, `rules`) with conditions, and in each a list of weighted destinations (`route`,
`backendRefs`).
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from canary_analyzer.routing.documents import Document
from canary_analyzer.routing.hosts import ServiceName
from canary_analyzer.routing.traffic import Condition

Items = list[Document]
"""The weighted destinations of one entry."""


class Address(NamedTuple):
    """What a destination names: a Service, and a subset of its pods where one is given."""

    service: ServiceName
    subset: str | None = None


class Dialect(Protocol):
    """How one API writes destinations and their weights."""

    kind: str
    entries_at: str
    """Field of `spec` that lists the entries."""
    items_at: str
    """Field of an entry that lists the destinations."""
    added_in_front: bool
    """Whether an added entry takes precedence by standing before the one that it is made from."""

    def address(self, item: Document, namespace: str) -> Address | None:
        """What `item` names, in a document of `namespace`; None: no Service of this cluster."""

    def readdressed(self, item: Document, address: Address) -> Document:
        """A copy of `item` that names another Service of the same namespace in the same form."""

    def weights(self, items: Items) -> list[int]:
        """The weights in force, where some may be left out."""

    def scaled(self, shares: Sequence[int]) -> list[int]:
        """Shares in the same proportion, fine enough for percentages of each; unchanged by repetition."""


class Steps(Protocol):
    """How one API writes what a step adds beside weights; None: this entry or item cannot take it."""

    def narrowed(self, entry: Document, conditions: Sequence[Condition]) -> Document | None:
        """A copy of `entry` for those of its requests that meet `conditions` as well."""

    def is_narrowed(self, entry: Document, canary_only: bool) -> bool:
        """Whether `entry` is such a copy, made by us; `canary_only`: of the arms it reaches only a canary of ours."""

    def with_cookie(self, item: Document, set_cookie: str | None) -> Document | None:
        """A copy of `item` whose responses set our cookie; with None, one whose responses do not."""

    def mirrored(self, entry: Document, item: Document, percent: int) -> Document | None:
        """A copy of `entry` that sends `percent` of its requests to `item` too; with 0, one that sends it none."""


class Api(Dialect, Steps, Protocol):
    """All that this package has to know of one API."""

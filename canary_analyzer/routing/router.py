"""A router: the five questions that a run asks of the documents that say where requests go."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from canary_analyzer.routing import gateway_selection, restore, selection, steps, weights
from canary_analyzer.routing.dialect import Api
from canary_analyzer.routing.documents import Document, Target, namespace_of
from canary_analyzer.routing.hosts import ServiceName
from canary_analyzer.routing.http_route import HTTP_ROUTE
from canary_analyzer.routing.routes import addresses_of, entries
from canary_analyzer.routing.traffic import Traffic
from canary_analyzer.routing.virtual_service import VIRTUAL_SERVICE


class Router(Protocol):
    """What a run needs of an API; all pure."""

    def select(
        self, documents: Sequence[Document], target: Target, wanted: Sequence[Traffic] = ()
    ) -> tuple[Document, ...]:
        """The documents to edit for a run that may ask for `wanted`; raises Unroutable with every problem."""

    def canary_weight(self, document: Document, target: Target) -> int | None:
        """The canary's percentage of what the arms have together; None: it is in no route."""

    def with_traffic(self, document: Document, target: Target, traffic: Traffic) -> Document:
        """`document` as `traffic` wants it; equal to `document` where it is so already."""

    def restored(self, live: Document, snapshot: Document, target: Target) -> Document:
        """`live` as it would be had we never touched it, what others changed included."""

    def services(self, document: Document) -> frozenset[ServiceName]:
        """The Services that it sends requests to, at whatever weight."""


@dataclass(frozen=True, kw_only=True)
class _Router:
    """The same five answers, for documents of any API."""

    api: Api
    selecting: Callable[[Sequence[Document], Target, Sequence[Traffic]], tuple[Document, ...]]

    def select(
        self, documents: Sequence[Document], target: Target, wanted: Sequence[Traffic] = ()
    ) -> tuple[Document, ...]:
        return self.selecting(documents, target, wanted)

    def canary_weight(self, document: Document, target: Target) -> int | None:
        return weights.arm_weight(document, target, self.api)

    def with_traffic(self, document: Document, target: Target, traffic: Traffic) -> Document:
        return steps.with_traffic(document, target, self.api, traffic)

    def restored(self, live: Document, snapshot: Document, target: Target) -> Document:
        return restore.restored(live, snapshot, target, self.api)

    def services(self, document: Document) -> frozenset[ServiceName]:
        namespace = namespace_of(document, "")
        return frozenset(
            address.service
            for entry in entries(document, self.api.entries_at)
            for address in addresses_of(entry, self.api, namespace)
        )


ISTIO: Router = _Router(api=VIRTUAL_SERVICE, selecting=selection.select)
GATEWAY_API: Router = _Router(api=HTTP_ROUTE, selecting=gateway_selection.select)
ROUTERS: Mapping[str, Router] = {"VirtualService": ISTIO, "HTTPRoute": GATEWAY_API}

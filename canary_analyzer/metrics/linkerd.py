"""What Linkerd's proxies say about a request.

Labels as in https://linkerd.io/2/reference/proxy-metrics/, with those that linkerd-viz' Prometheus maps from the pods.
A request that finds no healthy host leaves no trace here: it reaches no endpoint, and these metrics count by endpoint.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from canary_analyzer.metrics.dialects import CannotTellApartError, bucket_roles, owners, request_roles
from canary_analyzer.metrics.pairs import Addressee, Arm, Pair, Workload
from canary_analyzer.metrics.promql import Query, chunked, matcher

REQUESTS = "response_total"
LATENCY_BUCKETS = "response_latency_ms_bucket"
OUTBOUND, INBOUND = "outbound", "inbound"


@dataclass(frozen=True, kw_only=True)
class Linkerd:
    """Linkerd, seen by the callers' proxies (`direction` is outbound) or by those of the called (inbound)."""

    direction: str = OUTBOUND

    def queries(self, pairs: Sequence[Pair]) -> Iterator[Query]:
        """Return the queries.

        Raises:
            CannotTellApartError: Only some callers are to count, and the proxies of the called do not name them.
        """
        if self.direction == INBOUND and any(pair.sources for pair in pairs):
            raise CannotTellApartError(
                "Linkerd's inbound metrics do not name the caller: drop `sources`, or set prometheus.reporter to source"
            )
        yield from chunked(pairs, self._requests)
        yield from chunked(pairs, self._buckets)

    def pods(self, workload: Workload) -> tuple[str, str]:
        """Return the label that names the called pod, and a selector of the requests to a workload."""
        return f"{self._called}pod", self._selector(REQUESTS, [workload])

    @property
    def _called(self) -> str:
        """What the labels of the called pod begin with; at its own proxy they have no prefix."""
        return "dst_" if self.direction == OUTBOUND else ""

    def _requests(self, pairs: Sequence[Pair]) -> Query:
        return Query(
            selector=self._selector(REQUESTS, _workloads(pairs)),
            owners=owners(
                pairs,
                addressee=self._addressee,
                arm=self._arm,
                roles=lambda labels: request_roles(labels.get("classification") == "failure"),
            ),
            lasting=True,
        )

    def _buckets(self, pairs: Sequence[Pair]) -> Query:
        return Query(
            selector=self._selector(LATENCY_BUCKETS, _workloads(pairs)),
            owners=owners(pairs, addressee=self._addressee, arm=self._arm, roles=bucket_roles),
            lasting=True,
        )

    def _selector(self, metric: str, workloads: Sequence[Workload]) -> str:
        conditions = [
            matcher("direction", [self.direction]),
            matcher(f"{self._called}deployment", {workload.name for workload in workloads}),
            matcher(f"{self._called}namespace", {workload.namespace for workload in workloads}),
        ]
        return f"{metric}{{{','.join(conditions)}}}"

    def _addressee(self, labels: Mapping[str, str]) -> Addressee:
        prefix = self._called
        return Addressee(
            namespace=labels.get(f"{prefix}namespace", ""), name=labels.get(f"{prefix}deployment", ""), reached=True
        )

    def _arm(self, pair: Pair, address: Addressee, labels: Mapping[str, str]) -> Arm | None:
        if not pair.hears(labels.get("namespace", ""), labels.get("deployment", "")):
            return None
        return pair.arm_of(address, labels, self._called)


def _workloads(pairs: Sequence[Pair]) -> Sequence[Workload]:
    return [workload for pair in pairs for workload in pair.arms.values()]

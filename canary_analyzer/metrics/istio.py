"""What Istio's standard metrics say about a request: which arm it went to, and whether it failed.

Labels as in https://istio.io/latest/docs/reference/config/metrics/; response flags as in
https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage#response-flags.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from canary_analyzer.metrics.dialects import CannotTellApartError, bucket_roles, owners, request_roles
from canary_analyzer.metrics.pairs import Addressee, Arm, Pair, Workload
from canary_analyzer.metrics.promql import Query, chunked, matcher

REQUESTS = "istio_requests_total"
LATENCY_BUCKETS = "istio_request_duration_milliseconds_bucket"
UNKNOWN = "unknown"
DESTINATION, WAYPOINT = "destination", "waypoint"

# unknown, deadline exceeded, unimplemented, internal, unavailable, data loss: the server's fault, not the caller's.
GRPC_SERVER_FAULTS = frozenset({"2", "4", "12", "13", "14", "15"})
CLIENT_LEFT = "DC"


@dataclass(frozen=True, kw_only=True)
class Istio:
    """Istio with sidecars (`reporter` is source or destination) or in ambient mode (waypoint)."""

    reporter: str = "source"

    def queries(self, pairs: Sequence[Pair]) -> Iterator[Query]:
        """Return the queries; of single pods nobody tells but their own sidecars, the reporters at the destination.

        Raises:
            CannotTellApartError: Pods of one workload are to be told apart by what a waypoint reports.
        """
        if single := [pair for pair in pairs if pair.by_pods]:
            self._needs_sidecars()
        for reporter, group in ((self.reporter, [pair for pair in pairs if not pair.by_pods]), (DESTINATION, single)):
            yield from chunked(group, partial(_requests, reporter))
            yield from chunked(group, partial(_buckets, reporter))

    def pods(self, workload: Workload) -> tuple[str, str]:
        """Return the label that names the called pod, where its sidecar is scraped, and a selector of its requests.

        Raises:
            CannotTellApartError: There are no sidecars.
        """
        self._needs_sidecars()
        conditions = [
            matcher("reporter", [DESTINATION]),
            matcher("destination_workload", [workload.name]),
            matcher("destination_workload_namespace", [workload.namespace]),
        ]
        return "pod", f"{REQUESTS}{{{','.join(conditions)}}}"

    def _needs_sidecars(self) -> None:
        if self.reporter == WAYPOINT:
            raise CannotTellApartError(
                "a waypoint counts requests by workload, not by pod: in ambient mode use the strategy canary or "
                "blue-green, or set prometheus.reporter where the pods have sidecars"
            )


def _requests(reporter: str, pairs: Sequence[Pair]) -> Query:
    """Return the query for requests, with those that reached no host, and whose workload nobody knows."""
    return Query(
        selector=_selector(REQUESTS, reporter, pairs, {UNKNOWN}),
        owners=owners(
            pairs,
            addressee=addressee,
            arm=partial(_arm, reporter),
            roles=lambda labels: request_roles(failed(labels)),
        ),
        lasting=True,
    )


def _buckets(reporter: str, pairs: Sequence[Pair]) -> Query:
    return Query(
        selector=_selector(LATENCY_BUCKETS, reporter, pairs, set()),
        owners=owners(pairs, addressee=addressee, arm=partial(_arm, reporter), roles=bucket_roles),
        lasting=True,
    )


def _selector(metric: str, reporter: str, pairs: Sequence[Pair], besides: set[str]) -> str:
    """Return a selector that matches each label by itself, so that it catches namesakes too."""
    workloads = [workload for pair in pairs for workload in pair.arms.values()]
    services = {service for pair in pairs for service in pair.services.values()}
    by_service = reporter != DESTINATION and all(pair.services for pair in pairs)
    conditions = [
        matcher("reporter", [reporter]),
        *([matcher("destination_service_name", services)] if by_service else []),
        matcher("destination_workload", {workload.name for workload in workloads} | besides),
        matcher("destination_workload_namespace", {workload.namespace for workload in workloads} | besides),
    ]
    return f"{metric}{{{','.join(conditions)}}}"


def _arm(reporter: str, pair: Pair, address: Addressee, labels: Mapping[str, str]) -> Arm | None:
    """Return the arm of a pair that a series counts for.

    The caller's proxy and the waypoint know the Service that was called; who calls past it is not routed by us. The
    called proxy only knows one of the Services that select its pod.
    """
    if not pair.hears(labels.get("source_workload_namespace", ""), labels.get("source_workload", "")):
        return None
    services = pair.services.values()
    if services and reporter != DESTINATION and labels.get("destination_service_name", "") not in services:
        return None
    return pair.arm_of(address, labels)


def addressee(labels: Mapping[str, str]) -> Addressee:
    """Return where the requests of a series went."""
    workload = labels.get("destination_workload", UNKNOWN)
    if workload != UNKNOWN:
        return Addressee(namespace=labels.get("destination_workload_namespace", ""), name=workload, reached=True)
    return Addressee(
        namespace=_service_namespace(labels), name=labels.get("destination_service_name", ""), reached=False
    )


def failed(labels: Mapping[str, str]) -> bool:
    """Return whether the requests of a series count as errors.

    An error is a 5xx, no answer at all (code 0) unless the caller hung up, a gRPC status that is the server's fault, or
    a request for which no healthy host was found.
    """
    if labels.get("grpc_response_status") in GRPC_SERVER_FAULTS:
        return True
    if CLIENT_LEFT in labels.get("response_flags", "").split(","):
        return False
    code = labels.get("response_code", "")
    return code == "0" or code.startswith("5") or labels.get("destination_workload", UNKNOWN) == UNKNOWN


def _service_namespace(labels: Mapping[str, str]) -> str:
    """Return the namespace of the Service; older Istio knows it only from the peer and says "unknown" without one."""
    namespace = labels.get("destination_service_namespace", UNKNOWN)
    if namespace != UNKNOWN:
        return namespace
    return ([*labels.get("destination_service", "").split("."), ""])[1]

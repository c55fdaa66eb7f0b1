"""What Istio's standard metrics say about a request: which arm it went to, and whether it failed.

Labels as in https://istio.io/latest/docs/reference/config/metrics/; response flags as in
https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage#response-flags.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cached_property

REQUESTS = "istio_requests_total"
LATENCY_BUCKETS = "istio_request_duration_milliseconds_bucket"
UNKNOWN = "unknown"

# unknown, deadline exceeded, unimplemented, internal, unavailable, data loss: the server's fault, not the caller's.
GRPC_SERVER_FAULTS = frozenset({"2", "4", "12", "13", "14", "15"})
CLIENT_LEFT = "DC"


class Arm(Enum):
    """The two sides of a comparison."""

    BASELINE = "baseline"
    CANARY = "canary"


@dataclass(frozen=True, kw_only=True)
class Workload:
    """A workload as Istio names it: for a Deployment's pods, the Deployment."""

    namespace: str
    name: str


@dataclass(frozen=True, kw_only=True)
class Addressee:
    """Where a request went: to a workload, or, where no healthy one was found, no further than to a Service."""

    namespace: str
    name: str
    reached: bool


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Canary and baseline of one rollout, with the Services through which they are reached.

    Where both are reached through one Service (as subsets), requests that found no healthy host cannot be told apart
    and are charged to neither.
    """

    baseline: Workload
    canary: Workload
    baseline_service: str
    canary_service: str

    @cached_property
    def arms(self) -> Mapping[Addressee, Arm]:
        """The arm that a request to an addressee belongs to."""
        arms = {
            Addressee(namespace=self.baseline.namespace, name=self.baseline.name, reached=True): Arm.BASELINE,
            Addressee(namespace=self.canary.namespace, name=self.canary.name, reached=True): Arm.CANARY,
        }
        if self.baseline_service == self.canary_service:
            return arms
        return arms | {
            Addressee(namespace=self.baseline.namespace, name=self.baseline_service, reached=False): Arm.BASELINE,
            Addressee(namespace=self.canary.namespace, name=self.canary_service, reached=False): Arm.CANARY,
        }


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
    return code == "0" or code.startswith("5") or not addressee(labels).reached


def _service_namespace(labels: Mapping[str, str]) -> str:
    """Return the namespace of the Service; older Istio knows it only from the peer and says "unknown" without one."""
    namespace = labels.get("destination_service_namespace", UNKNOWN)
    if namespace != UNKNOWN:
        return namespace
    return ([*labels.get("destination_service", "").split("."), ""])[1]

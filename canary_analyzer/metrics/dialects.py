"""What a mesh calls things: an interface, and what its implementations share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from canary_analyzer.metrics.pairs import Addressee, Arm, Pair, Workload
from canary_analyzer.metrics.promql import Part, Query, Role

Labels = Mapping[str, str]
Owners = Callable[[Labels], Iterator[tuple[Pair, Part]]]


class CannotTellApartError(ValueError):
    """Arms that look the same in the metrics; the message says why, and what would help."""


class Dialect(Protocol):
    """How the requests and latencies of pairs are found in Prometheus."""

    def queries(self, pairs: Sequence[Pair]) -> Iterator[Query]:
        """Return as few queries as possible for the requests and the latency buckets of all `pairs`.

        Raises:
            CannotTellApartError: The mesh's telemetry, as configured, does not know a pair's arms.
        """

    def pods(self, workload: Workload) -> tuple[str, str]:
        """Return the label that names the pod which was called, and a selector of all requests to a workload.

        Raises:
            CannotTellApartError: The mesh's telemetry, as configured, does not know pods.
        """


def owners(
    pairs: Iterable[Pair],
    *,
    addressee: Callable[[Labels], Addressee],
    arm: Callable[[Pair, Addressee, Labels], Arm | None],
    roles: Callable[[Labels], Sequence[Role]],
) -> Owners:
    """Return how the series that a query caught for many pairs are told apart, by where their requests went first."""
    by_addressee: dict[Addressee, list[Pair]] = {}
    for pair in pairs:
        for address in pair.addressees:
            by_addressee.setdefault(address, []).append(pair)

    def found(labels: Labels) -> Iterator[tuple[Pair, Part]]:
        address = addressee(labels)
        for pair in by_addressee.get(address, ()):
            if (side := arm(pair, address, labels)) is not None:
                yield from ((pair, Part(arm=side, role=role)) for role in roles(labels))

    return found


def request_roles(failed: bool) -> Sequence[Role]:
    """Return what a counter of requests counts: all are in the total, failed ones also among the bad."""
    return (Role.TOTAL, Role.BAD) if failed else (Role.TOTAL,)


def bucket_roles(_: Labels) -> Sequence[Role]:
    """Return what a latency bucket counts."""
    return (Role.BUCKET,)

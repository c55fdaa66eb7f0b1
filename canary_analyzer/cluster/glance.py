"""A look at a run's part of the cluster, and whether another look would show the same: then it need not be worked out.

Objects of the same resourceVersion are the same; of lists, the cache gives out the very same objects until they change.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from canary_analyzer.cluster.cache import Cache, Reads, Version, version_of
from canary_analyzer.cluster.client import Kind, Listing
from canary_analyzer.cluster.observe import observe
from canary_analyzer.rollout.run import Run
from canary_analyzer.rollout.view import View
from canary_analyzer.routing import Document


@dataclass(frozen=True, kw_only=True)
class Glance:
    """What was seen of a run, and everything that was read for it."""

    run: Run
    view: View | None
    found: Sequence[tuple[tuple[Kind, str, str], Version]]
    listed: Sequence[tuple[tuple[Kind, str, str], Listing]]

    def holds(self, cache: Cache, run: Run) -> bool:
        """Whether another look would show the same; what labels select is not kept by a cache, and so not compared."""
        if run is not self.run or any(labels for (_, _, labels), _ in self.listed):
            return False
        same = all(cache.version(*asked) == version for asked, version in self.found)
        return same and all(_same(cache.list(*asked), listing) for asked, listing in self.listed)


def glance(cache: Cache, run: Run, last: Glance | None) -> Glance:
    """Look at a run's part of the cluster, given what was seen last; as `observe`."""
    if last is not None and last.holds(cache, run):
        return last
    noting = _Noting(cache)
    view = observe(noting, run)
    return Glance(run=run, view=view, found=noting.found, listed=noting.listed)


class _Noting:
    """Reads, and notes what was asked and found."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads
        self.found: list[tuple[tuple[Kind, str, str], Version]] = []
        self.listed: list[tuple[tuple[Kind, str, str], Listing]] = []

    def find(self, kind: Kind, namespace: str, name: str) -> Document | None:
        document = self._reads.find(kind, namespace, name)
        self.found.append(((kind, namespace, name), version_of(document)))
        return document

    def list(self, kind: Kind, namespace: str = "", labels: str = "") -> Listing:
        listing = self._reads.list(kind, namespace, labels)
        self.listed.append(((kind, namespace, labels), listing))
        return listing


def _same(one: Listing, other: Listing) -> bool:
    return len(one.items) == len(other.items) and all(a is b for a, b in zip(one.items, other.items, strict=True))

"""The Istio router as functions, for a run that knows nothing but weights."""

from canary_analyzer.routing.documents import Document, Target
from canary_analyzer.routing.router import ISTIO
from canary_analyzer.routing.traffic import Traffic

select = ISTIO.select
canary_weight = ISTIO.canary_weight


def with_weight(document: Document, target: Target, weight: int) -> Document:
    """A copy of `document` in which the canary has `weight` percent of what stable and canary have together."""
    return ISTIO.with_traffic(document, target, Traffic(weight=weight))


def restored(live: Document, snapshot: Document, _last_written: Document, target: Target) -> Document:
    """`live` as it would be had we never touched it."""
    return ISTIO.restored(live, snapshot, target)

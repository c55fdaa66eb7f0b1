"""Stable's autoscaler during a run: its minimum is raised to stable's size at the start, and given back at the end.

While the canary carries traffic stable is idle in part, and its autoscaler would shrink it; an abort would then send
everything to a stable that is too small. What the minimum was is written on the autoscaler itself, so that it can be
given back whatever becomes of the run's record.
"""

import json
from typing import Any

from canary_analyzer.routing import Document

HELD = "canary-analyzer.io/floor"


def sizes(autoscaler: Document, deployment: str) -> bool:
    """Whether a HorizontalPodAutoscaler scales the Deployment."""
    scaled = autoscaler["spec"]["scaleTargetRef"]
    return bool(scaled.get("kind") == "Deployment" and scaled.get("name") == deployment)


def minimum(autoscaler: Document) -> int:
    """Return the least number of pods; Kubernetes' default is 1."""
    return int(autoscaler["spec"].get("minReplicas", 1))


def held(autoscaler: Document, replicas: int) -> Document:
    """Return a copy that does not go below so many pods, its maximum permitting, and that says what it was before."""
    before = floor_of(autoscaler) or {"was": autoscaler["spec"].get("minReplicas")}
    wanted = max(minimum(autoscaler), min(replicas, autoscaler["spec"]["maxReplicas"]))
    if wanted == minimum(autoscaler):
        return autoscaler
    annotations = {**_annotations(autoscaler), HELD: json.dumps({**before, "set": wanted})}
    metadata = autoscaler["metadata"] | {"annotations": annotations}
    return autoscaler | {"metadata": metadata, "spec": autoscaler["spec"] | {"minReplicas": wanted}}


def released(autoscaler: Document) -> Document:
    """Return a copy with its own minimum again; one that somebody else has set in the meantime stays."""
    floor = floor_of(autoscaler)
    if floor is None:
        return autoscaler
    spec = dict(autoscaler["spec"])
    if spec.get("minReplicas") == floor.get("set"):
        spec.pop("minReplicas", None)
        spec |= {"minReplicas": floor["was"]} if floor.get("was") is not None else {}
    annotations = {key: value for key, value in _annotations(autoscaler).items() if key != HELD}
    metadata = {key: value for key, value in autoscaler["metadata"].items() if key != "annotations"}
    return autoscaler | {"metadata": metadata | ({"annotations": annotations} if annotations else {}), "spec": spec}


def floor_of(autoscaler: Document) -> dict[str, Any] | None:
    """Return what we wrote on an autoscaler; None where there is nothing, or somebody garbled it."""
    try:
        floor = json.loads(_annotations(autoscaler)[HELD])
    except (KeyError, ValueError):
        return None
    return floor if isinstance(floor, dict) else None


def _annotations(document: Document) -> dict[str, str]:
    return document["metadata"].get("annotations") or {}

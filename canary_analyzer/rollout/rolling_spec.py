"""What a rolling run changes in the user's Deployment, how it is put back, and when such a run cannot be judged.

A rolling update of a small Deployment is over in seconds, before anything can be measured. So while new pods are
compared with old ones the Deployment's `minReadySeconds` is raised: each batch of new pods has to serve that long
beside old ones before Kubernetes goes on to the next. It is a field made for slowing roll-outs down, it keeps maxSurge
and maxUnavailable in force, and old ReplicaSets keep their own value. It goes back as soon as the new pods are shown to
be good, and at every end. What it was is written on the Deployment itself, so that it can be given back whatever
becomes of the run's record.
https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#min-ready-seconds
"""

import json
import math
from collections.abc import Mapping
from typing import Any

from canary_analyzer.rollout.actions import RollStable
from canary_analyzer.rollout.rolling import Rolling
from canary_analyzer.rollout.sibling import container_images, with_images
from canary_analyzer.routing.documents import Document

MARK = "run.canary-analyzer.io/pace"
"""Annotation of a Deployment that a run slows down, or has paused."""
PROGRESS_DEADLINE_SECONDS = 600
"""What Kubernetes takes where a Deployment names no `progressDeadlineSeconds`."""


def rolling(deployment: Document, pace_seconds: int) -> Rolling:
    """Return what is to be remembered of a Deployment before a run slows it down to `pace_seconds` per batch.

    What an earlier run has left there, whose record is lost, is not what its user had.
    """
    found = released(deployment)["spec"].get("minReadySeconds")
    return Rolling(found_seconds=found, pace_seconds=max(found or 0, pace_seconds))


def shaped(deployment: Document, shape: RollStable, memory: Rolling) -> Document:
    """Return the Deployment as a rolling run wants it; only images, minReadySeconds, paused and our mark may differ.

    An image or a pace that somebody else has set in the meantime stays, and so does a pause.
    """
    if mark_of(deployment).get("set") not in (None, memory.pace_seconds):
        deployment = released(deployment)  # an earlier run, whose record is lost, had another pace
    marked = mark_of(deployment)
    running = container_images(deployment)
    ours = {name: image for name, image in shape.images.items() if running.get(name) == shape.instead_of.get(name)}
    edited = with_images(deployment, ours)
    spec = edited["spec"]
    if spec.get("minReadySeconds") in (memory.found_seconds, memory.pace_seconds):
        _set(spec, "minReadySeconds", memory.pace_seconds if shape.paced else memory.found_seconds)
    is_ours = shape.paused and (marked.get("paused", False) or not spec.get("paused"))
    _set(spec, "paused", shape.paused or None)
    is_slow = spec.get("minReadySeconds") == memory.pace_seconds != memory.found_seconds
    mark = {"was": memory.found_seconds, "set": memory.pace_seconds, "paused": is_ours}
    return _marked(edited, mark if is_slow or is_ours else None)


def mark_of(deployment: Document) -> dict[str, Any]:
    """Return what a run wrote on a Deployment; nothing where nothing is there, or somebody garbled it."""
    try:
        mark = json.loads((deployment["metadata"].get("annotations") or {})[MARK])
    except (KeyError, ValueError):
        return {}
    return mark if isinstance(mark, dict) and isinstance(mark.get("was"), int | None) else {}


def is_marked(deployment: Document) -> bool:
    """Whether a run has written on a Deployment what it was."""
    return MARK in (deployment["metadata"].get("annotations") or {})


def released(deployment: Document) -> Document:
    """Return the Deployment with its own pace, as its mark has it; what somebody else has set in the meantime stays."""
    mark, spec = mark_of(deployment), dict(deployment["spec"])
    if "set" in mark and spec.get("minReadySeconds") == mark["set"]:
        _set(spec, "minReadySeconds", mark.get("was"))
    if mark.get("paused"):
        _set(spec, "paused", None)
    return _marked(deployment | {"spec": spec}, None)


def _marked(deployment: Document, mark: Mapping[str, Any] | None) -> Document:
    metadata = dict(deployment["metadata"])
    annotations = {key: value for key, value in (metadata.pop("annotations", None) or {}).items() if key != MARK}
    if mark is not None:
        annotations[MARK] = json.dumps(mark)
    return deployment | {"metadata": metadata | ({"annotations": annotations} if annotations else {})}


def _set(spec: Document, field: str, value: int | None) -> None:
    if value is None:
        spec.pop(field, None)
    else:
        spec[field] = value


def objections(deployment: Document, pace_seconds: int, deadline_seconds: float) -> list[str]:
    """Return why a rolling update of this Deployment could not be watched or undone; one sentence each."""
    name, spec = deployment["metadata"]["name"], deployment["spec"]
    return [
        *_without_baseline(name, spec),
        *_too_slow(name, spec, rolling(deployment, pace_seconds).pace_seconds, deadline_seconds),
    ]


def _without_baseline(name: str, spec: Mapping[str, Any]) -> list[str]:
    return [f"{each}, and nothing is left to compare with" for each in all_at_once(name, spec)]


def all_at_once(name: str, spec: Mapping[str, Any]) -> list[str]:
    """Say that a Deployment of this spec loses every pod when it is given another template."""
    replicas, (_, unavailable) = spec.get("replicas", 1), bounds(spec)
    if not 0 < replicas <= unavailable:
        return []
    return [
        f"{name} has maxUnavailable {unavailable} of {replicas} replicas (use maxSurge: 1 and maxUnavailable: 0): all "
        "old pods go before a new one serves"
    ]


def _too_slow(name: str, spec: Mapping[str, Any], pace_seconds: int, deadline_seconds: float) -> list[str]:
    limit, found = spec.get("progressDeadlineSeconds", PROGRESS_DEADLINE_SECONDS), []
    if pace_seconds >= limit:
        found.append(
            f"rolling.pace_seconds = {pace_seconds}: it must be less than progressDeadlineSeconds of {name}, {limit}"
        )
    whole = pace_seconds * batches(spec)
    if whole > deadline_seconds:
        found.append(
            f"rolling.pace_seconds = {pace_seconds}: {name} rolls out in {batches(spec)} batches, {whole} s in all, "
            f"but deadline_seconds is {deadline_seconds:.0f}; lower the pace, or raise maxSurge or the deadline"
        )
    return found


def batches(spec: Mapping[str, Any]) -> int:
    """Return in how many batches a Deployment of this spec replaces its pods."""
    replicas: int = spec.get("replicas", 1)
    return math.ceil(replicas / sum(bounds(spec)))


def bounds(spec: Mapping[str, Any]) -> tuple[int, int]:
    """Return maxSurge and maxUnavailable in pods.

    Percentages are rounded up for the surge and down for the unavailable; where both come to 0, one pod may be missing.
    https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#rolling-update-deployment
    """
    replicas: int = spec.get("replicas", 1)
    given = (spec.get("strategy") or {}).get("rollingUpdate") or {}
    surge = math.ceil(_pods(given.get("maxSurge", "25%"), replicas))
    unavailable = math.floor(_pods(given.get("maxUnavailable", "25%"), replicas))
    return surge, unavailable if surge or unavailable else 1


def _pods(value: int | str, replicas: int) -> float:
    return int(value.removesuffix("%")) * replicas / 100 if isinstance(value, str) else value

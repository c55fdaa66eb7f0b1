"""The status of a Deployment: counts and the conditions Available and Progressing.

Conditions: https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#deployment-status
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from canary_analyzer.sandbox.client import DEPLOYMENTS, Document
from canary_analyzer.sandbox.workloads.objects import elapsed, timestamp
from canary_analyzer.sandbox.workloads.view import View, bounds
from canary_analyzer.sandbox.workloads.writes import Write, patch

PROGRESS_DEADLINE_SECONDS = 600


class Reason(StrEnum):
    """Why a condition is as it is."""

    ENOUGH = "MinimumReplicasAvailable"
    NOT_ENOUGH = "MinimumReplicasUnavailable"
    CREATED = "NewReplicaSetCreated"
    UPDATED = "ReplicaSetUpdated"
    COMPLETE = "NewReplicaSetAvailable"
    DEADLINE = "ProgressDeadlineExceeded"
    PAUSED = "DeploymentPaused"
    RESUMED = "DeploymentResumed"


# Reason -> the type of its condition, and its status.
MEANING: Mapping[Reason, tuple[str, str]] = {
    Reason.ENOUGH: ("Available", "True"),
    Reason.NOT_ENOUGH: ("Available", "False"),
    Reason.CREATED: ("Progressing", "True"),
    Reason.UPDATED: ("Progressing", "True"),
    Reason.COMPLETE: ("Progressing", "True"),
    Reason.DEADLINE: ("Progressing", "False"),
    Reason.PAUSED: ("Progressing", "Unknown"),
    Reason.RESUMED: ("Progressing", "Unknown"),
}


def complete(view: View) -> bool:
    """Whether all replicas are of the present template and available, and no others are left."""
    counts = _counts(view)
    return all(counts[name] == view.desired for name in ("replicas", "updatedReplicas", "availableReplicas"))


def status_writes(view: View) -> list[Write]:
    """The patch that brings the status up to date, or []."""
    known = view.deployment.get("status") or {}
    wanted: Document = {**_counts(view), "observedGeneration": view.deployment["metadata"].get("generation", 0)}
    conditions = [_available(view), _progressing(view)]
    others = [each for each in known.get("conditions") or [] if each["type"] not in ("Available", "Progressing")]
    same = all(known.get(name, 0) == value for name, value in wanted.items())
    wanted["conditions"] = [each for each in conditions if each] + others
    if same and wanted["conditions"] == known.get("conditions", []):
        return []
    return [patch(DEPLOYMENTS, view.deployment, {"status": wanted}, status=True)]


def _counts(view: View) -> dict[str, int]:
    available = sum(view.available(each) for each in view.replicasets)
    return {
        "replicas": sum(len(view.replicas(each)) for each in view.replicasets),
        "updatedReplicas": len(view.replicas(view.new)) if view.new else 0,
        "readyReplicas": sum(view.ready(each) for each in view.replicasets),
        "availableReplicas": available,
        "unavailableReplicas": max(0, view.total - available),
    }


def _available(view: View) -> Document:
    _, unavailable = bounds(view.deployment)
    enough = sum(view.available(each) for each in view.replicasets) >= view.desired - unavailable
    reason = Reason.ENOUGH if enough else Reason.NOT_ENOUGH
    message = f"Deployment {'has' if enough else 'does not have'} minimum availability."
    return _condition(view, reason, message)


def _progressing(view: View) -> Document | None:
    known = _known(view, "Progressing")
    if view.paused:
        return _condition(view, Reason.PAUSED, "Deployment is paused")
    if known and known["reason"] == Reason.PAUSED:
        return _condition(view, Reason.RESUMED, "Deployment is resumed")
    if view.new is None:
        return known
    name = view.new["metadata"]["name"]
    if complete(view):
        message = f'ReplicaSet "{name}" has successfully progressed.'
        return _condition(view, Reason.COMPLETE, message)
    if known is None or f'"{name}"' not in known["message"]:
        return _condition(view, Reason.CREATED, f'Created new replica set "{name}"')
    return _unfinished(view, known, name)


def _unfinished(view: View, known: Document, name: str) -> Document:
    # Complete once, a rollout does not become late because a pod fails or the size changes.
    if known["reason"] == Reason.COMPLETE and not any(view.replicas(each) for each in view.old):
        return known
    if _progressed(_counts(view), view.deployment.get("status") or {}):
        message = f'ReplicaSet "{name}" is progressing.'
        return _condition(view, Reason.UPDATED, message, moved=True)
    deadline = view.deployment["spec"].get("progressDeadlineSeconds", PROGRESS_DEADLINE_SECONDS)
    if known["reason"] != Reason.COMPLETE and elapsed(known["lastUpdateTime"], deadline, view.now):
        message = f'ReplicaSet "{name}" has timed out progressing.'
        return _condition(view, Reason.DEADLINE, message)
    return known


def _progressed(counts: Mapping[str, int], known: Mapping[str, Any]) -> bool:
    def outdated(status: Mapping[str, Any]) -> int:
        return int(status.get("replicas", 0)) - int(status.get("updatedReplicas", 0))

    rising = ("updatedReplicas", "readyReplicas", "availableReplicas")
    return outdated(counts) < outdated(known) or any(counts[name] > known.get(name, 0) for name in rising)


def _known(view: View, kind: str) -> Document | None:
    conditions = (view.deployment.get("status") or {}).get("conditions") or []
    return next((each for each in conditions if each["type"] == kind), None)


def _condition(view: View, reason: Reason, message: str, *, moved: bool = False) -> Document:
    kind, status = MEANING[reason]
    known, now = _known(view, kind), timestamp(view.now)
    wanted = {"type": kind, "status": status, "reason": str(reason), "message": message}
    if known and not moved and all(known.get(name) == value for name, value in wanted.items()):
        return known
    turned = known["lastTransitionTime"] if known and known["status"] == status else now
    return wanted | {"lastUpdateTime": now, "lastTransitionTime": turned}

"""What controllers read from the status of pods."""

from datetime import datetime

from canary_analyzer.sandbox.client import Document
from canary_analyzer.sandbox.workloads.objects import elapsed, terminating

Order = tuple[bool, int, bool, int, int, str]
PHASES = {"Pending": 0, "Unknown": 1, "Running": 2}


def active(pod: Document) -> bool:
    """Whether a pod counts as a replica: neither finished nor being deleted."""
    return not terminating(pod) and not finished(pod)


def finished(pod: Document) -> bool:
    """Whether a pod will never run again."""
    return pod.get("status", {}).get("phase") in ("Succeeded", "Failed")


def ready_since(pod: Document) -> str | None:
    """When the pod became ready; None when it is not."""
    for condition in pod.get("status", {}).get("conditions") or ():
        if condition["type"] == "Ready" and condition["status"] == "True":
            return str(condition["lastTransitionTime"])
    return None


def available(pod: Document, min_ready_seconds: int, now: datetime) -> bool:
    """Whether the pod has been ready for `minReadySeconds`."""
    since = ready_since(pod)
    return since is not None and (min_ready_seconds == 0 or elapsed(since, min_ready_seconds, now))


def deletion_order(pod: Document) -> Order:
    """Sorts the pod that is missed least first: the order of a ReplicaSet that scales down.

    Source: https://kubernetes.io/docs/concepts/workloads/controllers/replicaset/#scaling-a-replicaset
    """
    status = pod.get("status", {})
    restarts = sum(container.get("restartCount", 0) for container in status.get("containerStatuses") or ())
    cost = (pod["metadata"].get("annotations") or {}).get("controller.kubernetes.io/pod-deletion-cost", "0")
    newest_first = "".join(chr(0x10FFFF - ord(letter)) for letter in pod["metadata"].get("creationTimestamp", ""))
    return (
        bool(pod["spec"].get("nodeName")),
        PHASES.get(status.get("phase", "Pending"), 0),
        ready_since(pod) is not None,
        int(cost),
        -restarts,
        newest_first,
    )

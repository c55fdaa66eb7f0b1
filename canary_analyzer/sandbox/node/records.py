"""What is known of a container, and how a kubelet would report it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

Document = dict[str, Any]


class Why(StrEnum):
    """Reasons for which a container waits or has ended."""

    CREATING = "ContainerCreating"
    PULL = "ErrImagePull"
    PULL_BACK_OFF = "ImagePullBackOff"
    CONFIGURATION = "CreateContainerConfigError"
    CRASH_LOOP = "CrashLoopBackOff"
    COMPLETED = "Completed"
    ERROR = "Error"
    CANNOT_RUN = "StartError"


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """Not started yet, or not again."""

    reason: Why
    message: str = ""


@dataclass(frozen=True, kw_only=True)
class Running:
    """Since when (RFC 3339)."""

    started: str


@dataclass(frozen=True, kw_only=True)
class Terminated:
    """How it ended; 128 + n for signal n."""

    exit_code: int
    reason: Why
    started: str
    finished: str
    message: str = ""


@dataclass(frozen=True, kw_only=True)
class Record:
    """One container at one moment."""

    name: str
    image: str
    state: Waiting | Running | Terminated = Waiting(reason=Why.CREATING)
    last: Terminated | None = None
    restarts: int = 0
    started: bool = False
    ready: bool = False


def pod_status(pod: Document, records: Sequence[Record], address: str, now: str) -> Document:
    """The status of a pod whose containers are in these states; conditions keep the time of their last turn.

    Source: https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/
    """
    ready = bool(records) and all(record.ready for record in records)
    known = {each["type"]: each for each in (pod.get("status") or {}).get("conditions") or []}
    unready = [record.name for record in records if not record.ready]
    why = None if ready else ("ContainersNotReady", f"containers with unready status: [{' '.join(unready)}]")
    wanted = {"PodScheduled": None, "Initialized": None, "ContainersReady": why, "Ready": why}
    return {
        "phase": _phase(pod, records),
        "hostIP": "127.0.0.1",
        "podIP": address,
        "podIPs": [{"ip": address}],
        "startTime": (pod.get("status") or {}).get("startTime", now),
        "conditions": [_condition(kind, why, known, now) for kind, why in wanted.items()],
        "containerStatuses": [_container(record) for record in records],
    }


def _phase(pod: Document, records: Sequence[Record]) -> str:
    policy = pod["spec"].get("restartPolicy", "Always")
    ended = [record.state for record in records if isinstance(record.state, Terminated)]
    failed = [state for state in ended if state.exit_code]
    if len(ended) == len(records) and (policy == "Never" or (policy == "OnFailure" and not failed)):
        return "Failed" if failed else "Succeeded"
    begun = all(record.last or not isinstance(record.state, Waiting) for record in records)
    return "Running" if begun else "Pending"


def _condition(kind: str, why: tuple[str, str] | None, known: Mapping[str, Document], now: str) -> Document:
    status = "False" if why else "True"
    before = known.get(kind, {})
    turned = before["lastTransitionTime"] if before.get("status") == status else now
    condition: Document = {"type": kind, "status": status, "lastTransitionTime": turned}
    return condition | ({"reason": why[0], "message": why[1]} if why else {})


def _container(record: Record) -> Document:
    return {
        "name": record.name,
        "image": record.image,
        "imageID": "" if isinstance(record.state, Waiting) and not record.last else f"sandbox://{record.image}",
        "restartCount": record.restarts,
        "started": record.started,
        "ready": record.ready,
        "state": _state(record.state),
        "lastState": _state(record.last) if record.last else {},
    }


def _state(state: Waiting | Running | Terminated) -> Document:
    match state:
        case Waiting(reason=reason, message=message):
            return {"waiting": {"reason": str(reason)} | ({"message": message} if message else {})}
        case Running(started=started):
            return {"running": {"startedAt": started}}
        case Terminated():
            ended: Document = {"exitCode": state.exit_code, "reason": str(state.reason)}
            ended |= {"startedAt": state.started, "finishedAt": state.finished}
            return {"terminated": ended | ({"message": state.message} if state.message else {})}

"""What an engineer would look up next about a canary's pods, read once, while they are still there."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from canary_analyzer.cluster.client import DEPLOYMENTS, EVENTS, PODS, Cluster
from canary_analyzer.cluster.errors import ClusterError
from canary_analyzer.cluster.observe import canary_pods
from canary_analyzer.rollout.run import Run
from canary_analyzer.rollout.story import Finding
from canary_analyzer.rollout.texts import plain
from canary_analyzer.routing import Document

MOST_PODS = 3
MOST_CONTAINERS = 4
MOST_EVENTS = 10
TEXT_LENGTH = 500
"""Characters kept of what Kubernetes says at one place."""
LOG_LINES = 50
LOG_LENGTH = 4000
"""Characters kept of a container's log, the last ones."""
LOG_BYTES = 64 * 1024
"""The API server cuts at the end what is longer, so more is asked for than is kept."""


def inspect(cluster: Cluster, run: Run, now: float, *, read_logs: bool) -> tuple[Finding, ...]:
    """Return states, warning Events and last log lines of the pods that matter to why a run ends, the worst first.

    These are the canary's pods, and stable's where it could not roll out what was promoted; of a run that is promoted
    only those in trouble. What cannot be read is said in its place; nothing is raised.
    """
    try:
        pods = _pods(cluster, run)
    except ClusterError as error:
        return (Finding(at=now, about=f"Pods of {run.canary or run.stable}", text=_unread(error)),)
    worst = sorted(pods, key=lambda pod: (not in_trouble(pod), pod["metadata"]["name"]))
    found = ((about, text) for pod in worst[:MOST_PODS] for about, text in _about(cluster, pod, read_logs))
    return tuple(Finding(at=now, about=about, text=plain(text)) for about, text in found if text)


def in_trouble(pod: Document) -> bool:
    """Whether some container of a pod is not ready, or has been started again."""
    return any(not status["ready"] or status.get("restartCount", 0) for status in _statuses(pod)) or not _statuses(pod)


def _pods(cluster: Cluster, run: Run) -> list[Document]:
    pods = canary_pods(cluster, run)
    if run.cause is None:
        return [pod for pod in pods if in_trouble(pod)]
    return pods + (_stable_in_trouble(cluster, run) if run.stable_patched else [])


def _stable_in_trouble(cluster: Cluster, run: Run) -> list[Document]:
    stable = cluster.find(DEPLOYMENTS, run.namespace, run.stable)
    labels = stable["spec"]["selector"].get("matchLabels") if stable is not None else None
    if not labels:
        return []
    selector = ",".join(f"{key}={value}" for key, value in labels.items())
    return [pod for pod in cluster.list(PODS, run.namespace, selector).items if in_trouble(pod)]


def _about(cluster: Cluster, pod: Document, read_logs: bool) -> Iterator[tuple[str, str]]:
    """Yield what each finding is about, and what was found."""
    name = f"Pod {pod['metadata']['name']}"
    yield name, condition(pod)
    yield f"{name}, warning Events", _tried(lambda: _events(cluster, pod))
    by_need = sorted(_statuses(pod), key=lambda status: (status["ready"], -status.get("restartCount", 0)))
    for status in by_need[:MOST_CONTAINERS]:
        container = f"{name}, container {status['name']}"
        yield container, state(status)
        if read_logs:
            yield f"{container}, last log lines", _tried(_log_of(cluster, pod, status))


def condition(pod: Document) -> str:
    """Say what keeps a pod as a whole from running; empty where nothing does."""
    status = pod.get("status", {})
    told = [{**status, "type": status.get("phase", "Unknown")}] if status.get("reason") else []
    told += [
        each for each in status.get("conditions") or [] if each["type"] == "PodScheduled" and each["status"] != "True"
    ]
    return "; ".join(_words(each["type"], each.get("reason"), each.get("message")) for each in told)


def state(status: Mapping[str, Any]) -> str:
    """Say how one container is, and how it ended before."""
    kind, details = next(iter(status.get("state", {}).items()), ("unknown", {}))
    now = f"{kind}{'' if status['ready'] else ', not ready'}{_details(details)}"
    restarts, before = status.get("restartCount", 0), status.get("lastState", {}).get("terminated")
    lines = [
        now,
        f"restarted {restarts} times" if restarts else "",
        f"ended before{_details(before)}" if before else "",
    ]
    return "\n".join(filter(None, lines))


def _details(details: Mapping[str, Any]) -> str:
    code, at = details.get("exitCode"), details.get("finishedAt") or details.get("startedAt")
    ended = f" with exit code {code}" if code is not None else ""
    when = f" at {at}" if code is not None and at else f" since {at}" if at else ""
    said = _words("", details.get("reason"), details.get("message"))
    return f"{ended}{when}" + (f": {said}" if said else "")


def _events(cluster: Cluster, pod: Document) -> str:
    metadata = pod["metadata"]
    of_pod = f"involvedObject.kind=Pod,involvedObject.name={metadata['name']},type=Warning"
    found = cluster.list(EVENTS, metadata["namespace"], fields=of_pod).items
    newest = sorted(found, key=lambda event: event.get("lastTimestamp") or event.get("eventTime") or "")[-MOST_EVENTS:]
    return "\n".join(_words(_times(event), event.get("reason"), event.get("message")) for event in newest)


def _times(event: Document) -> str:
    at, count = event.get("lastTimestamp") or event.get("eventTime") or "", event.get("count") or 1
    return f"{at} ({count} times)" if count > 1 else at


def _log_of(cluster: Cluster, pod: Document, status: Mapping[str, Any]) -> Callable[[], str]:
    """Return what reads the log of the container's last life that said something."""
    running, crashed = "running" in status.get("state", {}), bool(status.get("lastState", {}).get("terminated"))
    if not running and not crashed and "terminated" not in status.get("state", {}):
        return str  # it has never run
    metadata = pod["metadata"]
    query = {"container": status["name"], "tailLines": str(LOG_LINES), "limitBytes": str(LOG_BYTES)}
    if running and crashed:
        query["previous"] = "true"
    return lambda: cluster.log(metadata["namespace"], metadata["name"], query).rstrip()[-LOG_LENGTH:]


def _tried(read: Callable[[], str]) -> str:
    try:
        return read()
    except ClusterError as error:
        return _unread(error)


def _unread(error: ClusterError) -> str:
    return f"could not be read: {error}"[:TEXT_LENGTH]


def _statuses(pod: Document) -> list[dict[str, Any]]:
    """Return the states of a pod's containers, those that prepare it included while they have not done so."""
    status = pod.get("status", {})
    preparing = [each for each in status.get("initContainerStatuses") or [] if not each["ready"]]
    return [*preparing, *(status.get("containerStatuses") or [])]


def _words(*parts: str | None) -> str:
    return ": ".join(filter(None, parts))[:TEXT_LENGTH]

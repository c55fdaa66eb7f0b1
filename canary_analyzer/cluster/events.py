"""Kubernetes Events: what `kubectl describe deployment` tells about a canary."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import structlog

from canary_analyzer.cluster import errors
from canary_analyzer.cluster.client import EVENTS, Cluster
from canary_analyzer.rollout.texts import plain
from canary_analyzer.routing import Document

log = structlog.get_logger()

COMPONENT = "canary-analyzer"
RUN = "Canary"
"""What the reason of an Event about a run begins with; the phase that the run is in follows."""
REFUSED = "CanaryRefused"
"""A request started no run, and nothing was changed; the message has every reason with its remedy."""
IGNORED = "CanaryIgnored"
"""The annotation `image` came back together with an older pod template, as by `kubectl rollout undo`, and was taken
away: no canary was started."""
MESSAGE_LENGTH = 1024
"""The API server refuses longer messages."""


@dataclass(frozen=True, kw_only=True)
class Notice:
    """One Event to be; `at` (seconds since the epoch) and the text make its name, so a repeat is no second Event."""

    reason: str
    message: str
    at: float
    warning: bool = False


def emit(cluster: Cluster, about: Mapping[str, Any], notice: Notice) -> None:
    """Write an Event about a Deployment, given its name, namespace and uid; one that is there already is fine.

    One that will never be taken (no right, a quota, admission) is given up: no run waits for its story to be told.

    Raises:
        ClusterError: the API server did not answer.
    """
    try:
        cluster.create(EVENTS, _event(about, notice))
    except errors.Taken:
        return
    except errors.ClusterError as error:
        if error.status not in errors.REFUSED:
            raise
        log.warning("an Event is refused, going on without", reason=notice.reason, error=str(error))


def _event(about: Mapping[str, Any], notice: Notice) -> Document:
    identity = f"{about.get('uid')}{notice.at}{notice.message}".encode()
    time = datetime.fromtimestamp(notice.at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "name": f"{about['name'][:200]}.{hashlib.sha256(identity).hexdigest()[:16]}",
            "namespace": about["namespace"],
        },
        "involvedObject": {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "name": about["name"],
            "namespace": about["namespace"],
            "uid": about.get("uid", ""),
        },
        "type": "Warning" if notice.warning else "Normal",
        "reason": notice.reason,
        "message": plain(notice.message)[:MESSAGE_LENGTH],
        "source": {"component": COMPONENT},
        "reportingComponent": COMPONENT,
        "firstTimestamp": time,
        "lastTimestamp": time,
        "count": 1,
    }

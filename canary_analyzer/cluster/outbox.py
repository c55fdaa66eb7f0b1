"""What is still to be told, kept in the cluster: ended runs with news that nobody has taken, and refused requests.

An active run needs no mark, for whoever comes back takes it up anyway. An ended one carries a label until all has been
told. A request that was refused has no record; what is to be told of it is a ConfigMap of its own, made before the
request is taken away, so that a process killed in between says it twice rather than never.
"""

import hashlib
from dataclasses import dataclass

from pydantic import ValidationError

from canary_analyzer.cluster.client import CONFIGMAPS, Cluster
from canary_analyzer.cluster.errors import NotFound, Taken
from canary_analyzer.cluster.records import OWED, OWED_LABEL, RUN_KEY, TOLD_KEY, Record, Told, readable
from canary_analyzer.rollout import annotations
from canary_analyzer.rollout.plan import RUN_PREFIX
from canary_analyzer.rollout.run import Run, Value
from canary_analyzer.rollout.sibling import owner_reference
from canary_analyzer.routing import Document

REFUSAL_KEY = "refusal.json"
REFUSAL_PREFIX = "canary-refusal-"


class Refusal(Value):
    """A request that started no run; whose it was is said by where it is kept."""

    deployment: str
    image: str
    """As the user wrote it; empty for a canary that he brought."""
    at: float
    """Seconds since the epoch."""
    reason: str


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A refusal, and the ConfigMap that holds it."""

    namespace: str
    name: str
    refusal: Refusal


@dataclass(frozen=True, kw_only=True)
class Owed:
    """What is still to be told."""

    records: tuple[Record, ...]
    """Of ended runs."""
    refusals: tuple[Kept, ...]


def put(cluster: Cluster, deployment: Document, reason: str, now: float) -> None:
    """Keep a refusal until it is told; one of the same words that waits already is enough."""
    metadata = deployment["metadata"]
    image = annotations.of(deployment).get(annotations.IMAGE, "")
    refusal = Refusal(deployment=metadata["name"], image=image, at=now, reason=reason)
    identity = f"{metadata['uid']}{image}{reason}".encode()
    document = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": f"{REFUSAL_PREFIX}{hashlib.sha256(identity).hexdigest()[:16]}",
            "namespace": metadata["namespace"],
            "labels": {OWED_LABEL: OWED},
            "ownerReferences": [owner_reference(deployment)],
        },
        "data": {REFUSAL_KEY: refusal.model_dump_json()},
    }
    try:
        cluster.create(CONFIGMAPS, document)
    except Taken:
        return


def owed(cluster: Cluster, namespace: str) -> Owed:
    """Return what is to be told in a namespace (in all, for "")."""
    found = cluster.list(CONFIGMAPS, namespace, f"{OWED_LABEL}={OWED}").items
    of_runs = (readable(document) for document in found if RUN_KEY in (document.get("data") or {}))
    refusals = (_kept(document) for document in found if REFUSAL_KEY in (document.get("data") or {}))
    return Owed(
        records=tuple(record for record in of_runs if record is not None),
        refusals=tuple(kept for kept in refusals if kept is not None),
    )


def settle(cluster: Cluster, run: Run, told: Told) -> None:
    """Note in the record of an ended run that all has been told; one that is gone needs no note."""
    patch = {"metadata": {"labels": {OWED_LABEL: None}}, "data": {TOLD_KEY: told.model_dump_json()}}
    try:
        cluster.merge(CONFIGMAPS, run.namespace, RUN_PREFIX + run.name, patch)
    except NotFound:
        return


def remove(cluster: Cluster, kept: Kept) -> None:
    """Forget a refusal that has been told."""
    cluster.delete(CONFIGMAPS, kept.namespace, kept.name)


def _kept(document: Document) -> Kept | None:
    """Return the refusal; None where somebody has written something else there."""
    metadata = document["metadata"]
    try:
        refusal = Refusal.model_validate_json(document["data"][REFUSAL_KEY])
    except ValidationError:
        return None
    return Kept(namespace=metadata["namespace"], name=metadata["name"], refusal=refusal)

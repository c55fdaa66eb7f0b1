"""Run records: one ConfigMap per run, owned by the Deployment, so that they go when it goes."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import structlog

from canary_analyzer.cluster.client import CONFIGMAPS, Cluster, NotFound
from canary_analyzer.rollout.plan import RUN_PREFIX, run_name
from canary_analyzer.rollout.run import Run, Value
from canary_analyzer.rollout.sibling import owner_reference
from canary_analyzer.rollout.story import Story
from canary_analyzer.routing import Document

log = structlog.get_logger()

DEPLOYMENT_LABEL = "canary-analyzer.io/deployment"
ACTIVE_LABEL = "canary-analyzer.io/active"
KEPT = 10
RUN_KEY = "run.json"
ROUTES_KEY = "routes.json"
STORY_KEY = "story.json"
TOLD_KEY = "told.json"
OWED_LABEL, OWED = "canary-analyzer.io/notify", "owed"
"""On the record of an ended run of which not everything has been told yet."""
MANAGED = "app.kubernetes.io/managed-by=canary-analyzer"


class Told(Value):
    """Which news of a run each receiver of notifications has taken, by the receiver's name."""

    receivers: Mapping[str, tuple[str, ...]] = {}


@dataclass(frozen=True, kw_only=True)
class Record:
    """A run with the routes as the user had them, and the resourceVersion that guards the next write."""

    run: Run
    routes: Sequence[Document]
    version: str
    story: Story = field(default_factory=Story)
    """What the run was seen to do; a picture of the past, nothing is decided by it."""
    told: Told = field(default_factory=Told)
    owed: bool = False
    """Whether the run has ended and not everything has been told."""


def load(cluster: Cluster, namespace: str, name: str) -> Record | None:
    """Return a run's record, or None where it is gone (its Deployment was deleted)."""
    document = cluster.find(CONFIGMAPS, namespace, RUN_PREFIX + name)
    return _parse(document) if document is not None else None


def of_deployment(cluster: Cluster, namespace: str, deployment: str) -> tuple[Record, ...]:
    """Return a Deployment's records, oldest first."""
    found = cluster.list(CONFIGMAPS, namespace, f"{DEPLOYMENT_LABEL}={_label(deployment)}")
    records = (record for document in found.items if (record := readable(document)) is not None)
    return tuple(sorted((r for r in records if r.run.deployment == deployment), key=lambda r: number_of(r.run)))


def active(cluster: Cluster, namespace: str) -> tuple[Record, ...]:
    """Return the records of all runs of a namespace (of all, for "") that have not ended."""
    found = documents(cluster, namespace)
    return tuple(record for document in found if (record := readable(document)) is not None)


def documents(cluster: Cluster, namespace: str) -> Sequence[Document]:
    """Return the ConfigMaps of all runs of a namespace (of all, for "") that have not ended, garbled ones too."""
    return cluster.list(CONFIGMAPS, namespace, f"{ACTIVE_LABEL}=true").items


def all_of(cluster: Cluster, namespace: str) -> tuple[Record, ...]:
    """Return the records of all runs of a namespace (of all, for "") that are kept."""
    found = cluster.list(CONFIGMAPS, namespace, MANAGED).items
    return tuple(record for document in found if (record := readable(document)) is not None)


def create(cluster: Cluster, run: Run, routes: Sequence[Document]) -> Record:
    """Write a new run's record.

    Raises:
        Conflict: a run of this number exists; somebody else consumed the trigger.
    """
    document = _document(run, routes)
    stable = {"metadata": {"name": run.deployment, "uid": run.uid}}
    document["metadata"]["ownerReferences"] = [owner_reference(stable)]
    # Not the run as it was read back: all runs of a profile hold one policy, instead of each its own.
    return replace(_parse(cluster.create(CONFIGMAPS, document)), run=run)


def save(cluster: Cluster, record: Record) -> Record:
    """Write run and story into the record and return it as it stands; one that somebody deleted is made anew.

    Raises:
        Conflict: somebody else wrote it in between.
    """
    document = _document(record.run, record.routes)
    patch = {
        "metadata": {
            "labels": document["metadata"]["labels"] | {OWED_LABEL: OWED if record.owed else None},
            "resourceVersion": record.version,
        },
        "data": {
            RUN_KEY: document["data"][RUN_KEY],
            STORY_KEY: record.story.model_dump_json(),
            TOLD_KEY: record.told.model_dump_json() if record.told.receivers else None,
        },
    }
    name = document["metadata"]["name"]
    try:
        saved = cluster.merge(CONFIGMAPS, record.run.namespace, name, patch)
    except NotFound:
        return create(cluster, record.run, record.routes)
    return replace(record, version=saved["metadata"]["resourceVersion"])


def prune(cluster: Cluster, records: Sequence[Record]) -> None:
    """Delete all but the newest ended records of one Deployment."""
    ended = [record.run for record in records if record.run.ended]
    for run in ended[:-KEPT]:
        cluster.delete(CONFIGMAPS, run.namespace, RUN_PREFIX + run.name)


def number_of(run: Run) -> int:
    """Return the run's number, counted per Deployment."""
    return int(run.name.removeprefix(run_name(run.deployment, 0)[:-1]))


def next_number(past: Sequence[Record]) -> int:
    """Return the number of a Deployment's next run."""
    return 1 + max((number_of(record.run) for record in past), default=0)


def readable(document: Document) -> Record | None:
    """Return the record, or None where somebody garbled it: the other runs must go on."""
    try:
        return _parse(document)
    except (KeyError, ValueError) as error:
        name, namespace = document["metadata"]["name"], document["metadata"]["namespace"]
        log.error(
            "a run's record cannot be read; delete or mend it", configmap=name, namespace=namespace, error=str(error)
        )
        return None


def _document(run: Run, routes: Sequence[Document]) -> Document:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": RUN_PREFIX + run.name,
            "namespace": run.namespace,
            "labels": {
                "app.kubernetes.io/managed-by": "canary-analyzer",
                DEPLOYMENT_LABEL: _label(run.deployment),
                ACTIVE_LABEL: "false" if run.ended else "true",
            },
        },
        "data": {RUN_KEY: run.model_dump_json(), ROUTES_KEY: json.dumps(list(routes))},
    }


def _parse(document: Document) -> Record:
    """Return the record.

    Whoever may write ConfigMaps in one namespace must not steer the service in another, so what the record says of
    itself has to agree with where it is and whose it is; the uid is compared with the live Deployment at every pass.

    Raises:
        ValueError: it does not parse, or speaks of something else.
    """
    run, metadata = Run.model_validate_json(document["data"][RUN_KEY]), document["metadata"]
    owners = {owner["uid"] for owner in metadata.get("ownerReferences", [])}
    if (metadata["namespace"], metadata["name"]) != (run.namespace, RUN_PREFIX + run.name) or run.uid not in owners:
        raise ValueError(f"it speaks of run {run.namespace}/{run.name} of the Deployment with uid {run.uid}")
    return Record(
        run=run,
        routes=json.loads(document["data"][ROUTES_KEY]),
        version=document["metadata"]["resourceVersion"],
        story=_story(document),
        told=_told(document),
        owed=metadata.get("labels", {}).get(OWED_LABEL) == OWED,
    )


def _story(document: Document) -> Story:
    """Return the story, or an empty one where it cannot be read: a run does not depend on its pictures."""
    try:
        return Story.model_validate_json(document["data"].get(STORY_KEY, "{}"))
    except ValueError as error:
        metadata = document["metadata"]
        log.warning(
            "a run's story cannot be read and begins anew",
            configmap=metadata["name"],
            namespace=metadata["namespace"],
            error=str(error),
        )
        return Story()


def _told(document: Document) -> Told:
    """Return what was told; where that cannot be read, it is told again."""
    try:
        return Told.model_validate_json(document["data"].get(TOLD_KEY, "{}"))
    except ValueError:
        return Told()


def _label(deployment: str) -> str:
    """Return the name as a label value (at most 63 characters); readers compare the whole name once more."""
    return deployment[:63].rstrip("-.")

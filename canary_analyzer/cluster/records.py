"""Run records: one ConfigMap per run, owned by the Deployment, so that they go when it goes.

A record's story is most of it, and takes most of the time to read; who asks for runs gets them without their stories.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import structlog

from canary_analyzer.cluster.client import CONFIGMAPS, Cluster
from canary_analyzer.cluster.errors import ClusterError, NotFound
from canary_analyzer.rollout.plan import RUN_PREFIX, run_name
from canary_analyzer.rollout.run import Run, Value
from canary_analyzer.rollout.sibling import owner_reference
from canary_analyzer.rollout.story import Story
from canary_analyzer.routing import Document

log = structlog.get_logger()

DEPLOYMENT_LABEL = "canary-analyzer.io/deployment"
STABLE_LABEL = "canary-analyzer.io/stable"
"""What the run compares with: the Deployment itself, or for a canary that the user brought the one beside it."""
ACTIVE_LABEL = "canary-analyzer.io/active"
ACTIVE = f"{ACTIVE_LABEL}=true"
KEPT = 10
RUN_KEY = "run.json"
ROUTES_KEY = "routes.json"
STORY_KEY = "story.json"
TOLD_KEY = "told.json"
OWED_LABEL, OWED = "canary-analyzer.io/notify", "owed"
"""On the record of an ended run of which not everything has been told yet."""
TOO_LARGE = frozenset({413, 422})
"""The status of a refusal to keep what is over 1 MiB: by validation, and by what is before the store."""
MANAGED = "app.kubernetes.io/managed-by=canary-analyzer"
T = TypeVar("T")


class Garbled(ClusterError):
    """Somebody wrote into a record what cannot be read."""


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
    """Return a run's record, or None where it is gone (its Deployment was deleted).

    Raises:
        Garbled: it cannot be read.
    """
    document = cluster.find(CONFIGMAPS, namespace, RUN_PREFIX + name)
    return _read(document, _parse) if document is not None else None


def find(cluster: Cluster, run: Run) -> Record | None:
    """Return a run's record, or None where it is gone or somebody garbled it."""
    document = cluster.find(CONFIGMAPS, run.namespace, RUN_PREFIX + run.name)
    return readable(document) if document is not None else None


def of_deployment(cluster: Cluster, namespace: str, deployment: str) -> tuple[Record, ...]:
    """Return a Deployment's records, oldest first."""
    found = cluster.list(CONFIGMAPS, namespace, f"{DEPLOYMENT_LABEL}={_label(deployment)}")
    records = (record for document in found.items if (record := readable(document)) is not None)
    return tuple(sorted((r for r in records if r.run.deployment == deployment), key=lambda r: number_of(r.run)))


def runs_of_deployment(cluster: Cluster, namespace: str, deployment: str) -> tuple[Run, ...]:
    """Return a Deployment's runs that are kept, oldest first."""
    found = _runs(cluster, namespace, f"{DEPLOYMENT_LABEL}={_label(deployment)}")
    return tuple(sorted((run for run in found if run.deployment == deployment), key=number_of))


def comparing_with(cluster: Cluster, namespace: str, stable: str) -> Run | None:
    """Return an active run that compares with a Deployment, if there is one."""
    found = _runs(cluster, namespace, f"{ACTIVE},{STABLE_LABEL}={_label(stable)}")
    return next((run for run in found if run.stable == stable), None)


def active_runs(cluster: Cluster, namespace: str) -> tuple[Run, ...]:
    """Return all runs of a namespace (of all, for "") that have not ended."""
    return _runs(cluster, namespace, ACTIVE)


def all_runs(cluster: Cluster, namespace: str) -> tuple[Run, ...]:
    """Return all runs of a namespace (of all, for "") that are kept."""
    return _runs(cluster, namespace, MANAGED)


def active(
    cluster: Cluster, namespace: str, wanted: Callable[[str, str], bool] = lambda *_: True
) -> tuple[Record, ...]:
    """Return the records of all runs of a namespace (of all, for "") that have not ended.

    With `wanted`, only those of the Deployments (namespace and name) for which it is true are read.
    """
    found = documents(cluster, namespace)
    return tuple(
        record
        for document in found
        if wanted(document["metadata"]["namespace"], _owner(document)) and (record := readable(document)) is not None
    )


def documents(cluster: Cluster, namespace: str) -> Iterator[Document]:
    """Yield the ConfigMaps of all runs of a namespace (of all, for "") that have not ended, garbled ones too."""
    return cluster.each(CONFIGMAPS, namespace, ACTIVE)


def all_of(cluster: Cluster, namespace: str) -> tuple[Record, ...]:
    """Return the records of all runs of a namespace (of all, for "") that are kept."""
    found = cluster.each(CONFIGMAPS, namespace, MANAGED)
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

    What the API server finds too large (many routes) is written without its story: no run waits for its pictures.

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
    except ClusterError as error:
        if error.status not in TOO_LARGE or record.story == Story():
            raise
        log.warning("a run's story was refused and begins anew", configmap=name, error=str(error))
        return save(cluster, replace(record, story=Story()))
    return replace(record, version=saved["metadata"]["resourceVersion"])


def prune(cluster: Cluster, past: Sequence[Run]) -> None:
    """Delete the records of all but the newest ended runs of one Deployment."""
    ended = [run for run in past if run.ended]
    for run in ended[:-KEPT]:
        cluster.delete(CONFIGMAPS, run.namespace, RUN_PREFIX + run.name)


def number_of(run: Run) -> int:
    """Return the run's number, counted per Deployment."""
    return int(run.name.removeprefix(run_name(run.deployment, 0)[:-1]))


def next_number(cluster: Cluster, deployment: Document, past: Sequence[Run]) -> int:
    """Return the number of a Deployment's next run; what nobody can read, and no run goes on with, keeps its own."""
    metadata, number = deployment["metadata"], 1 + max((number_of(run) for run in past), default=0)
    while _is_dead(cluster, metadata, RUN_PREFIX + run_name(metadata["name"], number)):
        number += 1
    return number


def _is_dead(cluster: Cluster, metadata: Mapping[str, str], name: str) -> bool:
    """Whether a record is garbled for good; one that says it is active may be mended while its Deployment lives."""
    found = cluster.find(CONFIGMAPS, metadata["namespace"], name)
    if found is None or readable(found) is not None:
        return False
    owners = {owner["uid"] for owner in found["metadata"].get("ownerReferences", [])}
    is_active = (found["metadata"].get("labels") or {}).get(ACTIVE_LABEL) == "true"
    return not is_active or metadata["uid"] not in owners


def readable(document: Document) -> Record | None:
    """Return the record, or None where somebody garbled it: the other runs must go on."""
    return _if_readable(document, _parse)


def _runs(cluster: Cluster, namespace: str, labels: str) -> tuple[Run, ...]:
    found = cluster.each(CONFIGMAPS, namespace, labels)
    return tuple(run for document in found if (run := _if_readable(document, _run)) is not None)


def _if_readable(document: Document, read: Callable[[Document], T]) -> T | None:
    try:
        return _read(document, read)
    except Garbled as error:
        log.error("a run is left out", error=str(error))
        return None


def _read(document: Document, read: Callable[[Document], T]) -> T:
    try:
        return read(document)
    except Exception as error:  # whoever may write ConfigMaps may write anything
        metadata = document["metadata"]
        name = f"{metadata['namespace']}/{metadata['name']}"
        raise Garbled(f"the record in ConfigMap {name} cannot be read; delete or mend it: {error}") from error


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
                STABLE_LABEL: _label(run.stable),
                ACTIVE_LABEL: "false" if run.ended else "true",
            },
        },
        "data": {RUN_KEY: run.model_dump_json(), ROUTES_KEY: json.dumps(list(routes))},
    }


def _owner(document: Document) -> str:
    """Return the name of the Deployment that a record belongs to; empty where it belongs to none."""
    return next((str(owner["name"]) for owner in document["metadata"].get("ownerReferences", [])), "")


def _parse(document: Document) -> Record:
    metadata = document["metadata"]
    return Record(
        run=_run(document),
        routes=json.loads(document["data"][ROUTES_KEY]),
        version=metadata["resourceVersion"],
        story=_story(document),
        told=_told(document),
        owed=metadata.get("labels", {}).get(OWED_LABEL) == OWED,
    )


def _run(document: Document) -> Run:
    """Return the run that a record tells of.

    Whoever may write ConfigMaps in one namespace must not steer the service in another, so what the record says of
    itself has to agree with where it is and whose it is; the uid is compared with the live Deployment at every pass.
    Routes may be in other namespaces: nothing moves in them but weights between the target's Services.

    Raises:
        ValueError: it does not parse, or speaks of something else.
    """
    run, metadata = Run.model_validate_json(document["data"][RUN_KEY]), document["metadata"]
    owners = {owner["uid"] for owner in metadata.get("ownerReferences", [])}
    if (metadata["namespace"], metadata["name"]) != (run.namespace, RUN_PREFIX + run.name) or run.uid not in owners:
        raise ValueError(f"it speaks of run {run.namespace}/{run.name} of the Deployment with uid {run.uid}")
    number_of(run)  # a ValueError where it has none
    if run.target is not None and run.target.namespace != run.namespace:
        raise ValueError(f"it speaks of Services of another namespace, {run.target.namespace}")
    return run


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

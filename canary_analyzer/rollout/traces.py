"""What a run leaves in a cluster while it lasts: enough to take it all away when its record is lost."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Self

from canary_analyzer.rollout.run import Run, Value
from canary_analyzer.routing import ROUTERS, Document, Target

PREFIX = "run.canary-analyzer.io/"
_LONGEST = 63
"""Characters of an annotation's name behind its prefix."""


class Traces(Value):
    """Names of everything that was made or edited for a run."""

    run: str
    namespace: str
    deployment: str
    uid: str
    """Of the Deployment, which owns what was made."""
    target: Target
    siblings: tuple[str, ...]
    """Deployments."""
    services: tuple[str, ...]
    """Services, and DestinationRules of the same names."""

    @classmethod
    def of(cls, run: Run) -> Self:
        """Return the traces of a run."""
        fresh = [] if run.fresh is None else [run.fresh]
        made = (run.canary, run.canary_service) if not run.baseline else ("", "")  # else both are the user's
        return cls(
            run=run.name,
            namespace=run.namespace,
            deployment=run.deployment,
            uid=run.uid,
            target=target_of(run),
            siblings=tuple(name for name in (made[0], *(each.name for each in fresh)) if name),
            services=tuple(name for name in (made[1], *(each.service for each in fresh)) if name),
        )


class Mark(Value):
    """The annotation that a route carries while a run edits it: whose it is, and how it was before."""

    traces: Traces
    spec: Mapping[str, Any]
    """The user's own."""


def target_of(run: Run) -> Target:
    """Return the Services between which the run's routes choose; as older records have it where there is none."""
    if run.target is not None:
        return run.target
    return Target(namespace=run.namespace, stable=run.service, canary=run.canary_service)


def marked(document: Document, mark: Mark) -> Document:
    """Return a copy of a route that says that it is being edited for a run."""
    value = json.dumps(mark.model_dump(mode="json"), separators=(",", ":"))
    return _annotated(document, {**_annotations(document), _key(mark.traces): value})


def unmarked(document: Document, traces: Traces) -> Document:
    """Return a copy of a route without that word."""
    return _annotated(document, {k: v for k, v in _annotations(document).items() if k != _key(traces)})


def has_marks(document: Document) -> bool:
    """Whether a route says that a run edits it, be it garbled."""
    return any(key.startswith(PREFIX) for key in _annotations(document))


def marks_of(document: Document) -> list[Mark]:
    """Return what a route says of the runs that edit it.

    Raises:
        ValueError: somebody garbled it.
    """
    return [Mark.model_validate_json(value) for key, value in _annotations(document).items() if key.startswith(PREFIX)]


def given_back(document: Document, mark: Mark) -> Document:
    """Return a copy of a route as it was before the run of its mark; what others have changed since stays."""
    snapshot = document | {"spec": dict(mark.spec)}
    return unmarked(ROUTERS[document["kind"]].restored(document, snapshot, mark.traces.target), mark.traces)


def as_before(document: Document, run: Run) -> Document:
    """Return a copy of a route without what an earlier run of the same Deployment has left in it, its record lost."""
    try:
        marks = marks_of(document)
    except ValueError:
        return document  # garbled: nobody knows any more how it was
    for mark in marks:
        if (mark.traces.namespace, mark.traces.deployment) == (run.namespace, run.deployment):
            document = given_back(document, mark)
    return document


def _key(traces: Traces) -> str:
    """One VirtualService can serve several runs at a time, of several namespaces."""
    name = f"{traces.namespace}.{traces.deployment}"
    if len(name) > _LONGEST:
        digest = hashlib.sha256(name.encode()).hexdigest()[:8]
        name = f"{name[: _LONGEST - 9].rstrip('-._')}-{digest}"
    return PREFIX + name


def _annotations(document: Document) -> Mapping[str, str]:
    return document["metadata"].get("annotations") or {}


def _annotated(document: Document, annotations: Mapping[str, str]) -> Document:
    metadata = {key: value for key, value in document["metadata"].items() if key != "annotations"}
    return document | {"metadata": metadata | ({"annotations": dict(annotations)} if annotations else {})}

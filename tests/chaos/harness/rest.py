"""What must hold once every run is over: everything is as its owner left it, and all that happened has been told."""

import json
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass

from canary_analyzer.rollout.annotations import ABORT, APPROVE, IMAGE, KNOWN, PROMOTE, STATUS
from canary_analyzer.sandbox.client import (
    DEPLOYMENTS,
    DESTINATIONRULES,
    EVENTS,
    HORIZONTALPODAUTOSCALERS,
    HTTPROUTES,
    SERVICES,
    VIRTUALSERVICES,
    Resource,
)
from harness.arena import Arena
from harness.emulator import Document

KINDS = (DEPLOYMENTS, SERVICES, VIRTUALSERVICES, HTTPROUTES, DESTINATIONRULES, HORIZONTALPODAUTOSCALERS)
GIVEN_BACK = (VIRTUALSERVICES, HTTPROUTES, HORIZONTALPODAUTOSCALERS)
"""Kinds that a run edits and of which no field may be ours afterwards."""
ANSWERS = {APPROVE, PROMOTE, ABORT}
ENDED = {"Succeeded", "Aborted"}


@dataclass(frozen=True, kw_only=True)
class Belongings:
    """What users have, by kind and name."""

    documents: dict[tuple[Resource, str], Document]

    @classmethod
    def of(cls, arena: Arena) -> "Belongings":
        """Look around before anything happens."""
        found = {
            (kind, each["metadata"]["name"]): deepcopy(each) for kind in KINDS for each in arena.emulator.all(kind)
        }
        return cls(documents=found)

    def wrong(self, arena: Arena) -> Iterator[str]:
        """Say what is not as it was, images of Deployments and what the service says of its runs left out."""
        now = Belongings.of(arena).documents
        for kind, name in now.keys() - self.documents.keys():
            yield f"left behind: {kind.plural}/{name}"
        for kind, name in self.documents.keys() - now.keys():
            yield f"gone: {kind.plural}/{name}"
        for key in self.documents.keys() & now.keys():
            yield from _changed(key, self.documents[key], now[key])


def _changed(key: tuple[Resource, str], before: Document, after: Document) -> Iterator[str]:
    where = f"{key[0].plural}/{key[1]}"
    if _spec(key[0], before) != _spec(key[0], after):
        yield f"{where} changed: {_spec(key[0], before)} became {_spec(key[0], after)}"
    if _metadata(before) != _metadata(after):
        yield f"{where} changed: {_metadata(before)} became {_metadata(after)}"
    managers = {entry["manager"] for entry in after["metadata"].get("managedFields", [])}
    if key[0] in GIVEN_BACK and "canary-analyzer" in managers:
        yield f"{where}: fields are still owned by canary-analyzer"


def _spec(kind: Resource, document: Document) -> str:
    """Byte for byte, the order of fields included; but for images, which a promotion changes."""
    spec = deepcopy(document["spec"])
    if kind is DEPLOYMENTS:
        for container in spec["template"]["spec"]["containers"]:
            container["image"] = ""
    return json.dumps(spec)


def _metadata(document: Document) -> Document:
    """All that a run could leave in it; what users annotate for us is theirs."""
    annotations = document["metadata"].get("annotations") or {}
    kept = {key: value for key, value in annotations.items() if key not in KNOWN and "kubernetes.io" not in key}
    others = {key: document["metadata"].get(key) for key in ("labels", "finalizers", "ownerReferences")}
    return {**others, "annotations": kept}


def unspent(arena: Arena) -> Iterator[str]:
    """Say which answer to a run that is over is still there; one that came in its last moments would be."""
    for each in arena.emulator.all(DEPLOYMENTS):
        for key in ANSWERS & (each["metadata"].get("annotations") or {}).keys():
            yield f"deployments/{each['metadata']['name']}: {key} is still there"


def unsettled(arena: Arena) -> Iterator[str]:
    """Say which run has not ended, or not been told of, and which wish is still there."""
    told = {event["reason"] + ":" + event["message"].partition(":")[0] for event in arena.emulator.all(EVENTS)}
    for run in arena.runs():
        if run["phase"] not in ENDED:
            yield f"run {run['name']} has not ended: {run['phase']}, {run['stage']}"
        elif f"Canary{run['phase']}:{run['name']}" not in told:
            yield f"run {run['name']}: no Event tells that it is {run['phase']}"
    for each in arena.emulator.all(DEPLOYMENTS):
        found = each["metadata"].get("annotations") or {}
        if IMAGE in found:
            yield f"deployments/{each['metadata']['name']}: {IMAGE} is still there: {found[IMAGE]}"
        status = json.loads(found.get(STATUS, "{}"))
        if status and status["phase"] not in ENDED | {"Refused"}:
            yield f"deployments/{each['metadata']['name']}: the status still says {status['phase']}"

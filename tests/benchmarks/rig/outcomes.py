"""Whether rollouts ended as they should, once, and left nothing behind, and the service had no defect."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

from rig.service import Service
from rig.world import IMAGE, Document, Key, World, images_of

from canary_analyzer.cluster.client import CONFIGMAPS, DEPLOYMENTS, MANAGER, SERVICES, VIRTUAL_SERVICES
from canary_analyzer.rollout import annotations
from canary_analyzer.rollout.traces import has_marks

ENDED = ("Succeeded", "Aborted", "Refused")
DEFECT = "by a defect of ours"


def runs(world: World) -> dict[Key, list[dict[str, Any]]]:
    """Return every app's runs, oldest first, as recorded."""
    found: dict[Key, list[dict[str, Any]]] = {}
    for record in world.cluster.list(CONFIGMAPS, labels="app.kubernetes.io/managed-by=canary-analyzer").items:
        run = json.loads(record["data"]["run.json"])
        found.setdefault((run["namespace"], run["deployment"]), []).append(run)
    return {key: sorted(each, key=lambda run: run["started"]) for key, each in found.items()}


def violations(world: World, key: Key, version: str, bad: bool) -> Iterator[str]:
    """Yield what is wrong with an app that was to be rolled out to a version, once nothing is being done any more."""
    name, known = "/".join(key), runs(world).get(key, [])
    asked = [run for run in known if run["trigger"] == f"{IMAGE}:{version}"]
    if len(asked) != 1:
        yield f"{name}: {len(asked)} runs for {version}"
    wanted = "Aborted" if bad else "Succeeded"
    yield from (f"{name}: {run['name']} {run['phase']}: {run['reason']}" for run in asked if run["phase"] != wanted)
    deployment = world.cluster.get(DEPLOYMENTS, *key)
    if (f"{IMAGE}:{version}" in images_of(deployment)) is bad:
        yield f"{name}: runs {images_of(deployment)}"
    if annotations.IMAGE in annotations.of(deployment):
        yield f"{name}: the trigger is still there"
    yield from (f"{name}: {each}" for each in _on_route(world.cluster.get(VIRTUAL_SERVICES, *key)))
    for kind in (DEPLOYMENTS, SERVICES):
        if world.cluster.find(kind, key[0], f"{key[1]}-canary") is not None:
            yield f"{name}: {kind.plural} {key[1]}-canary is still there"


def _on_route(route: Document) -> Iterator[str]:
    metadata, http = route["metadata"], route["spec"]["http"]
    if http != [{"timeout": "10s", "route": [{"destination": {"host": metadata["name"]}}]}]:
        yield f"the route is {http}"
    if has_marks(route):
        yield f"the route still has a run's mark: {metadata['annotations']}"
    if MANAGER in {entry["manager"] for entry in metadata.get("managedFields", ())}:
        yield f"fields of the route are still {MANAGER}'s"


def repeated(world: World) -> Iterator[str]:
    """Yield every version of an app that had more than one run; each is asked for once."""
    for key, known in runs(world).items():
        for trigger, count in Counter(run["trigger"] for run in known).items():
            if count > 1:
                yield f"{'/'.join(key)}: {count} runs for {trigger}"


def defects(service: Service) -> Iterator[str]:
    """Yield what a service's log, and while it lives its metric, say of defects of its own."""
    for line in service.lines():
        if DEFECT in line["event"]:
            yield f"{service.name}: {line['event']}: {str(line.get('exception', '')).splitlines()[-1:]}"
    if service.lives and (count := service.metrics()["canary_analyzer_defects_total",]):
        yield f"{service.name}: canary_analyzer_defects_total is {count:g}"

"""Whether rollouts ended as they should, once, and left nothing behind."""

import json
from collections.abc import Iterator
from typing import Any

from rig.world import IMAGE, Key, World, images_of

from canary_analyzer.cluster.client import CONFIGMAPS, DEPLOYMENTS, SERVICES, VIRTUAL_SERVICES
from canary_analyzer.rollout import annotations


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
    route = world.cluster.get(VIRTUAL_SERVICES, *key)["spec"]["http"]
    if route != [{"timeout": "10s", "route": [{"destination": {"host": key[1]}}]}]:
        yield f"{name}: the route is {route}"
    for kind in (DEPLOYMENTS, SERVICES):
        if world.cluster.find(kind, key[0], f"{key[1]}-canary") is not None:
            yield f"{name}: {kind.plural} {key[1]}-canary is still there"

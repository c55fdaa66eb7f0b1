"""What a run would create and change, as a diff."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import unified_diff

import yaml

from canary_analyzer import routing
from canary_analyzer.cli.rehearsal import Rehearsed
from canary_analyzer.cluster import siblings
from canary_analyzer.cluster.client import SERVICES, Cluster
from canary_analyzer.cluster.routes import live
from canary_analyzer.rollout import sibling
from canary_analyzer.rollout.programs import goals
from canary_analyzer.rollout.ramp import NOTHING, load_of, weights_of
from canary_analyzer.rollout.run import Run
from canary_analyzer.rollout.strategy import Strategy
from canary_analyzer.rollout.traces import target_of
from canary_analyzer.routing import Document, Traffic


@dataclass(frozen=True, kw_only=True)
class Change:
    """One object before and after; None where it is not there."""

    when: str
    what: str
    before: Document | None
    after: Document

    @property
    def diff(self) -> str:
        """As `diff -u` prints it."""
        lines = unified_diff(_lines(self.before), _lines(self.after), f"{self.what} now", f"{self.what} {self.when}")
        return "".join(lines)


def changes(cluster: Cluster, deployment: Document, rehearsed: Rehearsed) -> list[Change]:
    """Return all that a run would create and change, in order; what it creates is deleted at its end."""
    run = rehearsed.run
    if run is None:
        return []
    promoted = Change(
        when="when promoted",
        what=f"Deployment {run.deployment}",
        before=_told(deployment),
        after=_told(sibling.with_images(deployment, run.images)),
    )
    made = [] if run.strategy is Strategy.ROLLING else [*_made(cluster, deployment, rehearsed), *_routed(cluster, run)]
    return [*made, promoted]


def _made(cluster: Cluster, stable: Document, rehearsed: Rehearsed) -> Iterator[Change]:
    run, around = rehearsed.run, rehearsed.around
    assert run is not None
    assert around is not None
    service = cluster.get(SERVICES, run.namespace, run.service)
    of = siblings.Originals(stable=stable, service=service, rules=around.destination_rules)
    for _, each in siblings.documents(run, of, _replicas(run)):
        what = f"{each.get('kind')} {each['metadata']['name']}"
        yield Change(when="for the time of the run", what=what, before=None, after=_told(each))


def _replicas(run: Run) -> int:
    """Return how many pods each sibling begins with."""
    if run.strategy is Strategy.BLUE_GREEN:
        return run.stable_replicas
    load = load_of(run.ramp[0], NOTHING)
    return goals.canary_replicas(run.stable_replicas, load, run.policy.sizing.headroom_percent)


def _routed(cluster: Cluster, run: Run) -> Iterator[Change]:
    for weight in weights_of(run.ramp)[:1]:
        for route in live(cluster, run):
            document = route | {"kind": route.get("kind", "VirtualService")}
            after = routing.ROUTERS[document["kind"]].with_traffic(document, target_of(run), Traffic(weight=weight))
            what = f"{document['kind']} {document['metadata']['namespace']}/{document['metadata']['name']}"
            yield Change(when=f"at {weight} %", what=what, before=_told(document), after=_told(after))


def _told(document: Document) -> Document:
    """Leave out what the API server writes."""
    metadata = {key: value for key, value in document["metadata"].items() if key in ("name", "namespace", "labels")}
    kept = {key: value for key, value in document.items() if key in ("apiVersion", "kind", "spec")}
    return {**kept, "metadata": metadata}


def _lines(document: Document | None) -> list[str]:
    if document is None:
        return []
    return yaml.safe_dump(document, sort_keys=False).splitlines(keepends=True)

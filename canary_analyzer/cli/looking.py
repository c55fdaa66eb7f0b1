"""Looking at runs: the record, and the weight that the live routes have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from canary_analyzer.cli.access import Access, plain
from canary_analyzer.cli.verb import Trouble
from canary_analyzer.cli.waits import waits_for
from canary_analyzer.cluster import observe, records, routes
from canary_analyzer.cluster.client import DEPLOYMENTS
from canary_analyzer.cluster.errors import ClusterError
from canary_analyzer.cluster.records import Record
from canary_analyzer.rollout.advice import what_now
from canary_analyzer.rollout.run import Run
from canary_analyzer.rollout.story import Figures, Story


@dataclass(frozen=True, kw_only=True)
class Look:
    """A run at one moment."""

    record: Record
    weight: int | None
    """The canary's weight in the live routes, in percent; None where it is in none, or they may not be read."""
    now: float

    @property
    def run(self) -> Run:
        """As recorded."""
        return self.record.run

    @property
    def story(self) -> Story:
        """As recorded."""
        return self.record.story

    @property
    def seen(self) -> float | None:
        """The canary's share of the requests in the newest sample, in percent."""
        newest = self.story.all_samples[-1] if self.story.all_samples else None
        total = newest.requests.canary + newest.requests.baseline if newest is not None else 0
        return 100 * newest.requests.canary / total if newest is not None and total else None

    @property
    def seconds(self) -> float:
        """How long it has taken."""
        return until(self.run, self.now) - self.run.started

    @property
    def waits_for(self) -> str:
        """What has to happen before it goes on."""
        return waits_for(self.run, self.story, self.now)


def until(run: Run, now: float) -> float:
    """Return when a run ended; now, where it goes on."""
    return run.timeline[-1].at if run.ended and run.timeline else now


def look(access: Access, record: Record, now: float) -> Look:
    """Look at a run and its routes."""
    if record.run.ended:
        return Look(record=record, weight=None, now=now)
    try:
        weight = observe.weight(routes.live(access.cluster, record.run), record.run)
    except ClusterError as error:
        if error.status != routes.FORBIDDEN:
            raise
        weight = None
    return Look(record=record, weight=weight, now=now)


def newest(access: Access, name: str) -> Record:
    """Return the record of a run by its name, or of a Deployment's newest run.

    Raises:
        Trouble: there is none.
    """
    name = plain(name)
    found = records.load(access.cluster, access.namespace, name)
    if found is None:
        found = next(iter(records.of_deployment(access.cluster, access.namespace, name)[::-1]), None)
    if found is None:
        raise Trouble(
            f"there is no run {name} in namespace {access.namespace}, nor a Deployment {name} with one; "
            "see kubectl canary list -A"
        )
    return found


def owner(access: Access, name: str) -> str:
    """Return the Deployment that a name means: its own, or that of a run.

    Raises:
        Trouble: it means neither.
    """
    name = plain(name)
    if access.cluster.find(DEPLOYMENTS, access.namespace, name) is not None:
        return name
    record = records.load(access.cluster, access.namespace, name)
    return record.run.deployment if record is not None else str(access.deployment(name)["metadata"]["name"])


def document(look: Look) -> dict[str, Any]:
    """Return a run for programs; the shape is documented in docs/reference/cli.md."""
    run, story = look.run, look.story
    return {
        "namespace": run.namespace,
        "deployment": run.deployment,
        "run": run.name,
        "strategy": run.strategy.value,
        "phase": run.phase.value,
        "stage": run.stage,
        "step": {"number": run.step + 1, "of": len(run.ramp)},
        "images": {name: {"from": run.stable_images.get(name), "to": image} for name, image in run.images.items()},
        "weight": {"wanted": run.weight, "route": look.weight, "seen": look.seen},
        "started": run.started,
        "seconds": look.seconds,
        "waits_for": look.waits_for,
        "verdict": run.verdict,
        "reason": run.reason,
        "cause": run.cause.value if run.cause is not None else None,
        "metrics": metrics(story),
        "next": what_now(run),
    }


def metrics(story: Story) -> list[dict[str, Any]]:
    """Return the newest figures of each metric."""
    newest: Sequence[Figures] = story.newest
    return [
        {"name": name, "reason": reason, **figures._asdict()}
        for name, reason, figures in zip(story.metrics, story.reasons, newest, strict=False)
    ]

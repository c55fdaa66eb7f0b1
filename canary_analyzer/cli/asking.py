"""`hold`, `resume`, `approve`, `promote` and `abort`: what a person can want of a run, as an annotation."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from canary_analyzer.cli.verb import Code, DeploymentName, Json, Trouble, on_cluster

if TYPE_CHECKING:
    from collections.abc import Mapping

    from canary_analyzer.cli.access import Access
    from canary_analyzer.rollout.run import Run
    from canary_analyzer.routing import Document


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is written, and what it means; or why it is not."""

    changes: Mapping[str, str | None]
    means: str
    refused: str = ""


@on_cluster
def hold(access: Access, deployment: DeploymentName, as_json: Json = False) -> None:
    """Freeze the ramp at its present weight; judging goes on, and a bad canary is aborted all the same."""
    from canary_analyzer.rollout import annotations

    run = _active(access, deployment)
    _write(access, run, Asked(changes={annotations.HOLD: "true"}, means=f"it stays at {run.weight} %"), as_json=as_json)


@on_cluster
def resume(access: Access, deployment: DeploymentName, as_json: Json = False) -> None:
    """Let a held ramp go on."""
    from canary_analyzer.rollout import annotations

    run = _active(access, deployment)
    _write(access, run, Asked(changes={annotations.HOLD: None}, means="it goes on"), as_json=as_json)


@on_cluster
def approve(access: Access, deployment: DeploymentName, as_json: Json = False) -> None:
    """Open the gate at which a run waits for a person."""
    from canary_analyzer.rollout import annotations
    from canary_analyzer.rollout.phases import Phase

    run = _active(access, deployment)
    waits = run.phase is Phase.AWAITING_APPROVAL
    refused = (
        "" if waits else f"it is {run.phase} and waits for no approval; see kubectl canary status {run.deployment}"
    )
    asked = Asked(changes={annotations.APPROVE: run.name}, means="it goes on", refused=refused)
    _write(access, run, asked, as_json=as_json)


@on_cluster
def promote(access: Access, deployment: DeploymentName, as_json: Json = False) -> None:
    """End the ramp now and promote, though nothing may be shown yet: a person's decision, and the story says so.

    A canary that is shown to be worse is aborted all the same. Approvals and webhooks are passed over.
    """
    from canary_analyzer.rollout import annotations
    from canary_analyzer.rollout.phases import RAMPING, Phase

    run = _active(access, deployment)
    able = run.phase in RAMPING | {Phase.STARTING}
    refused = "" if able else f"it is {run.phase}: there is no ramp to end"
    means = "it is promoted now" if run.phase in RAMPING else "it is promoted as soon as its pods are in the route"
    _write(access, run, Asked(changes={annotations.PROMOTE: run.name}, means=means, refused=refused), as_json=as_json)


def abort_one(access: Access, deployment: str, *, as_json: bool) -> None:
    """Ask the running service to abort: traffic goes back, then the canary goes."""
    from canary_analyzer.rollout import annotations
    from canary_analyzer.rollout.phases import Phase

    run = _active(access, deployment)
    refused = "it goes back already" if run.phase is Phase.ABORTING else ""
    asked = Asked(changes={annotations.ABORT: run.name}, means="traffic goes back to the old version", refused=refused)
    _write(access, run, asked, as_json=as_json)


def _active(access: Access, name: str) -> Run:
    from canary_analyzer.cli.looking import owner
    from canary_analyzer.cluster import records

    deployment = owner(access, name)
    found = records.of_deployment(access.cluster, access.namespace, deployment)
    active = next((record.run for record in found if not record.run.ended), None)
    if active is None:
        raise Trouble(f"no run of {deployment} is under way; see kubectl canary history {deployment}")
    return active


def _write(access: Access, run: Run, asked: Asked, *, as_json: bool) -> None:
    if not asked.refused:
        annotated(access, access.deployment(run.deployment), asked.changes)
    if as_json:
        told = {"namespace": run.namespace, "run": run.name, "written": not asked.refused}
        typer.echo(json.dumps({**told, "annotations": asked.changes, "refused": asked.refused}))
    elif not asked.refused:
        typer.echo(f"{run.name}: {asked.means}")
    if asked.refused:
        typer.echo(f"{run.name}: {asked.refused}", err=True)
        raise typer.Exit(Code.BAD)


ATTEMPTS = 5
"""The service writes its status into the same object now and then."""


def annotated(access: Access, deployment: Document, changes: Mapping[str, str | None]) -> None:
    """Write annotations, guarded by the version that was read; again, where only annotations came in between.

    Raises:
        Conflict: somebody else writes all the time, or has changed what was decided upon.
    """
    from canary_analyzer.cluster.errors import Conflict
    from canary_analyzer.cluster.stable import annotate

    spec, name = deployment["spec"], deployment["metadata"]["name"]
    for _ in range(ATTEMPTS - 1):
        try:
            annotate(access.cluster, deployment, changes)
        except Conflict:
            deployment = access.deployment(name)
            if deployment["spec"] != spec:
                raise
        else:
            return
    annotate(access.cluster, deployment, changes)

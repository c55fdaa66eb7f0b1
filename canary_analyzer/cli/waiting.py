"""`watch` and `wait`: a canary, until its end."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from canary_analyzer.cli.verb import DeploymentName, Json, Trouble, on_cluster

if TYPE_CHECKING:
    from canary_analyzer.cli.access import Access
    from canary_analyzer.cli.following import Followed, Seen

Timeout = Annotated[str, typer.Option(help="Such as 30m, 1h30m or 90s.")]


@on_cluster
def wait(
    access: Access,
    deployment: DeploymentName,
    until: Annotated[
        str, typer.Option("--for", metavar="verdict|end", help="Until it is decided, or all is tidied up.")
    ] = "end",
    timeout: Timeout = "30m",
    as_json: Json = False,
) -> None:
    """Wait for the end of a canary: for CI/CD.

    Exit code: 0 promoted, 1 aborted or refused, 2 ended without a verdict, 3 wrong usage or no answer from the cluster,
    124 timed out (the run goes on).
    """
    from canary_analyzer.cli.following import Followed
    from canary_analyzer.cli.looking import owner
    from canary_analyzer.cli.outcome import Until
    from canary_analyzer.cli.words import seconds_of

    if until not in (*Until,):
        raise Trouble(f"--for {until!r}: give verdict or end")
    seconds = seconds_of(timeout)
    waited(access, Followed(deployment=owner(access, deployment), until=Until(until), seconds=seconds), as_json=as_json)


@on_cluster
def watch(access: Access, deployment: DeploymentName, as_json: Json = False) -> None:
    """Watch a canary until its end: weights, evidence, what it waits for, its story.

    Where the output is no terminal, the story line by line; with --json, an object for each change. Exit code: as for
    wait.
    """
    from canary_analyzer.cli.following import Followed, follow
    from canary_analyzer.cli.looking import owner
    from canary_analyzer.cli.screen import screen

    followed = Followed(deployment=owner(access, deployment))
    with screen(as_json=as_json) as show:
        for seen in follow(access, followed):
            show(seen)
    _leave(seen, as_json=None if as_json else False)


def waited(access: Access, followed: Followed, *, as_json: bool) -> None:
    """Wait, say how it ended, and leave with the exit code for it."""
    from canary_analyzer.cli.following import follow

    for seen in follow(access, followed):
        last = seen
    _leave(last, as_json=as_json)


def _leave(seen: Seen, *, as_json: bool | None) -> None:
    """Say how it ended (None: it was said already), and leave."""
    from canary_analyzer.cli.looking import document
    from canary_analyzer.cli.words import safe

    assert seen.outcome is not None
    name = seen.look.run.name if seen.look is not None else "the request"
    reason = seen.look.run.reason if seen.look is not None else seen.state.reason or seen.state.standing.value
    if as_json:
        run = document(seen.look) if seen.look is not None else None
        told = {"outcome": seen.outcome.value, "exit_code": seen.outcome.code.value, "reason": reason, "run": run}
        typer.echo(json.dumps(told, indent=2))
    elif as_json is False:
        typer.echo(safe(f"{name} {seen.outcome.value}: {reason}"))
    raise typer.Exit(seen.outcome.code)

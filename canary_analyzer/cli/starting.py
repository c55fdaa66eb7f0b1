"""`start` and `diff`: a wish, checked before it is written."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from canary_analyzer.cli.verb import Code, DeploymentName, Json, on_cluster
from canary_analyzer.cli.waiting import Timeout

if TYPE_CHECKING:
    from canary_analyzer.cli.access import Access
    from canary_analyzer.cli.wish import Wished

Image = Annotated[
    list[str],
    typer.Option(metavar="[CONTAINER=]IMAGE", help="The new image; once for each container.", show_default=False),
]
Strategy = Annotated[str | None, typer.Option(help="canary, blue-green or rolling; else the annotation's.")]
Profile = Annotated[str | None, typer.Option(help="Such as quick, standard or careful; else the annotation's.")]
Fields = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="FIELD=VALUE", help="A field of the policy, such as tick_seconds=5; may be repeated."
    ),
]
Config = Annotated[Path | None, typer.Option(help="The service's config file; else its ConfigMap, if we may see it.")]


@on_cluster
def start(  # noqa: PLR0913, PLR0917 - one argument per option
    access: Access,
    deployment: DeploymentName,
    image: Image,
    strategy: Strategy = None,
    profile: Profile = None,
    fields: Fields = None,
    config: Config = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check, and write nothing.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for its end; exit code as for wait.")] = False,
    timeout: Timeout = "30m",
    as_json: Json = False,
) -> None:
    """Start a canary of a new image; what would be refused is told before anything is written.

    Exit code: 0 asked for, 1 it would be refused, 3 wrong usage or no answer from the cluster; with --wait as for wait.
    """
    from canary_analyzer.cli.asking import annotated
    from canary_analyzer.cli.following import Followed
    from canary_analyzer.cli.waiting import waited
    from canary_analyzer.cli.wish import Wish, wished
    from canary_analyzer.cli.words import seconds_of

    seconds = seconds_of(timeout)
    wish = Wish(images=image, strategy=strategy, profile=profile, fields=fields or ())
    found = wished(access, deployment, wish, config, time.time())
    followed = wait and not dry_run and not found.rehearsed.objections
    if not (followed and as_json):  # then its end is the one document
        _tell(found, written=not dry_run, as_json=as_json)
    if found.rehearsed.objections:
        raise typer.Exit(Code.BAD)
    if dry_run:
        return
    annotated(access, found.before, found.changes)
    if followed:
        name = found.before["metadata"]["name"]
        waited(access, Followed(deployment=name, request=found.stamp, seconds=seconds), as_json=as_json)


@on_cluster
def diff(  # noqa: PLR0913, PLR0917 - one argument per option
    access: Access,
    deployment: DeploymentName,
    image: Image,
    strategy: Strategy = None,
    profile: Profile = None,
    fields: Fields = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Show what a canary would create and change: objects, the first edit of the routes, stable when promoted.

    Exit code: 0 shown, 1 it would be refused.
    """
    from canary_analyzer.cli.changes import changes
    from canary_analyzer.cli.wish import Wish, wished

    wish = Wish(images=image, strategy=strategy, profile=profile, fields=fields or ())
    found = wished(access, deployment, wish, config, time.time())
    if found.rehearsed.run is None:
        _tell(found, written=False, as_json=as_json)
        raise typer.Exit(Code.BAD)
    shown = changes(access.cluster, found.before, found.rehearsed)
    if as_json:
        whole = [{"object": c.what, "when": c.when, "before": c.before, "after": c.after} for c in shown]
        typer.echo(json.dumps(whole, indent=2))
    else:
        _print_diff("".join(change.diff for change in shown))


def _print_diff(text: str) -> None:
    """Print a diff, in colours on a terminal."""
    from rich.console import Console
    from rich.text import Text

    colours = {"+": "green", "-": "red", "@": "cyan"}
    console = Console(highlight=False)
    for line in text.splitlines():
        console.print(Text(line, style=colours.get(line[:1], "")), soft_wrap=True)


def _tell(found: Wished, *, written: bool, as_json: bool) -> None:
    """Say what is asked for, or why not, and what could not be checked."""
    from canary_analyzer.cli.words import safe

    name, rehearsed = found.before["metadata"]["name"], found.rehearsed
    written = written and not rehearsed.objections
    if as_json:
        document = {
            "namespace": found.before["metadata"]["namespace"],
            "deployment": name,
            "written": written,
            "annotations": found.changes,
            "refused": rehearsed.objections,
            "not_checked": rehearsed.unseen,
        }
        typer.echo(json.dumps(document, indent=2))
        return
    for each in rehearsed.unseen:
        typer.echo(safe(f"not checked: {each}"), err=True)
    if rehearsed.objections:
        typer.echo(f"{name}: no canary can start, and nothing was written:", err=True)
        for objection in rehearsed.objections:
            typer.echo(safe(f"- {objection}"), err=True)
    elif written:
        typer.echo(f"{name}: a canary is asked for; follow it with: kubectl canary watch {name}")
    else:
        typer.echo(f"{name}: a canary can start; nothing was written")

"""`abort DEPLOYMENT` asks the service; `abort --all` ends every run and leaves nothing of it, service or not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from canary_analyzer.cli.completing import deployments
from canary_analyzer.cli.verb import Code, Json, Trouble, on_cluster

if TYPE_CHECKING:
    from canary_analyzer.cli.access import Access


@on_cluster
def abort(
    access: Access,
    deployment: Annotated[
        str | None, typer.Argument(metavar="DEPLOYMENT", help="Whose run.", autocompletion=deployments)
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every run of every namespace that is watched.")] = False,
    config: Annotated[
        Path | None, typer.Option(help="With --all: the service's config file, for namespaces and Prometheus.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Abort a run: traffic goes back first, then the canary goes.

    With --all no running service is needed: every run is taken to its end here. Exit code then: 1 where some have not
    ended in time.
    """
    from canary_analyzer.cli.asking import abort_one

    if everything is (deployment is not None):
        raise Trouble("name one DEPLOYMENT, or say --all to abort every run")
    if deployment is not None:
        abort_one(access, deployment, as_json=as_json)
    else:
        _abort_all(access, config)


def _abort_all(access: Access, config: Path | None) -> None:
    from canary_analyzer.service.abort import abort_all
    from canary_analyzer.service.settings import load

    left = abort_all(load(config), access.cluster, typer.echo)
    if left:
        typer.echo(f"not ended yet: {', '.join(left)}; run it again", err=True)
        raise typer.Exit(Code.BAD)

"""`canary-analyzer abort --all`: end every run and leave nothing of it, whether or not a service is there."""

from pathlib import Path
from typing import Annotated

import typer


def abort(
    everything: Annotated[bool, typer.Option("--all", help="Every run of every namespace that is watched.")] = False,
    kubeconfig: Annotated[
        Path | None, typer.Option(help="Kubeconfig file; without it, the configuration of the pod we run in.")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="The service's config file: namespaces and Prometheus.")] = None,
) -> None:
    """Abort runs and clean up after them without a running service: traffic goes back before any pod goes.

    To abort one run while the service is there, set the annotation canary-analyzer.io/abort on its Deployment.
    """
    from canary_analyzer.cluster.client import ClusterError
    from canary_analyzer.service.abort import abort_all
    from canary_analyzer.service.settings import Misconfigured, load

    if not everything:
        typer.echo("canary-analyzer abort: say --all to abort every run", err=True)
        raise typer.Exit(2)
    try:
        left = abort_all(load(config), kubeconfig, typer.echo)
    except (Misconfigured, ClusterError) as error:
        typer.echo(f"canary-analyzer abort: {error}", err=True)
        raise typer.Exit(2) from error
    if left:
        typer.echo(f"canary-analyzer abort: not ended yet: {', '.join(left)}; run it again", err=True)
        raise typer.Exit(1)

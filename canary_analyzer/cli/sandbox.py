"""`canary-analyzer sandbox`: the mesh in a box."""

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal

import typer

from canary_analyzer.cli.verb import examples

app = typer.Typer(
    help="A mesh in a box on this machine: Kubernetes API, Envoy, Prometheus and a Flask app.", no_args_is_help=True
)


_EXTRA = ("aiohttp", "envoy", "flask", "gunicorn")
"""What the extra `sandbox` of the package brings; the service's image goes without it."""


def require_extra() -> None:
    """End with what to install, where the extra was left out."""
    if missing := [name for name in _EXTRA if find_spec(name) is None]:
        typer.echo(f"sandbox: {', '.join(missing)} not installed: install canary-analyzer[sandbox]", err=True)
        raise typer.Exit(1)


@app.callback()
def sandbox() -> None:
    """Group the sandbox's commands, so that `up` stays a word of its own."""


@app.command(epilog=examples("canary-analyzer sandbox up --load 50"))
def up(  # noqa: PLR0913, PLR0917  (every option of the command is a parameter)
    json: Annotated[bool, typer.Option("--json", help="Print one line of JSON with the addresses when ready.")] = False,
    load: Annotated[float, typer.Option(min=0, help="Requests per second of a steady client at the ingress.")] = 0.0,
    images: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="File that maps images to commands; adds to the known ones."),
    ] = None,
    kubeconfig: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Use this API server instead of the sandbox's own.")
    ] = None,
    workload_controller: Annotated[
        bool,
        typer.Option(
            help="Run Deployments by the sandbox's own controller; turn it off where a kube-controller-manager runs."
        ),
    ] = True,
    metrics: Annotated[
        Literal["istio", "linkerd"], typer.Option(help="Whose metric names and labels the mesh speaks.")
    ] = "istio",
    config_delay: Annotated[
        str, typer.Option(help="Seconds by which routes are late: 2, or 0.1-10 for another delay with every change.")
    ] = "0",
    enforce_rbac: Annotated[
        bool, typer.Option("--enforce-rbac", help="Refuse ServiceAccounts what no Role allows, as a real server does.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Of what is drawn at random.")] = 0,
) -> None:
    """Bring it up and keep it up until Ctrl-C, which leaves no process and no file behind.

    From another API server Ctrl-C also deletes what `up` created there: the flask-app, unless it was there before, and
    the node. The definitions of Istio's kinds stay.
    """
    require_extra()
    from canary_analyzer.sandbox.mesh.agent import parse_delay
    from canary_analyzer.sandbox.mesh.dialects import Metrics
    from canary_analyzer.sandbox.up import SandboxOptions, up

    try:
        delay = parse_delay(config_delay, seed)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--config-delay") from error
    up(
        SandboxOptions(
            json=json,
            load=load,
            images=images,
            kubeconfig=kubeconfig,
            workload_controller=workload_controller,
            metrics=Metrics(metrics),
            delay=delay,
            enforce_rbac=enforce_rbac,
        )
    )

"""`canary-analyzer routes`: what a run would do to routes, before it does."""

from pathlib import Path
from typing import Annotated

import typer

from canary_analyzer.cli.verb import examples

app = typer.Typer(help="Look at routes: what would be edited, or why not.", no_args_is_help=True)


@app.callback()
def routes() -> None:
    """Group the commands about routes, so that `explain` stays a word of its own."""


@app.command(epilog=examples("canary-analyzer routes explain routes/*.yaml --stable flask-app --weight 10"))
def explain(  # noqa: PLR0913, PLR0917 - one argument per option
    files: Annotated[
        list[Path],
        typer.Argument(help="YAML or JSON; VirtualServices, HTTPRoutes, and what is around them.", show_default=False),
    ],
    stable: Annotated[str, typer.Option(help="Service (or Deployment, where the files have it) that is released.")],
    namespace: Annotated[str | None, typer.Option(help="Of the Service; else where the routes name it.")] = None,
    canary: Annotated[
        str | None, typer.Option(help="Service or Deployment of the canary; STABLE-canary is ours to make.")
    ] = None,
    stable_subset: Annotated[str | None, typer.Option(help="Subset of the stable host that is stable's pods.")] = None,
    canary_subset: Annotated[str | None, typer.Option(help="Subset of the canary's host that is its pods.")] = None,
    weight: Annotated[int, typer.Option(min=0, max=100, help="The canary's percentage to show.")] = 10,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say which routes a run would edit and how, or why it would not.

    Exit code: 0 all of them can be used, 1 some are refused or cannot be read, 2 there is no route to read.
    """
    from canary_analyzer.cli import explaining
    from canary_analyzer.routing.question import Question

    question = Question(
        stable=stable, canary=canary, namespace=namespace, stable_subset=stable_subset, canary_subset=canary_subset
    )
    outcome = explaining.outcome(files, question, weight)
    typer.echo(explaining.as_json(outcome) if json else explaining.as_text(outcome), nl=True)
    raise typer.Exit(outcome.code)

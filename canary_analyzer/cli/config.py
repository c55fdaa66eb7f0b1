"""`config`: what people may tune, checked, shown and described for editors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from canary_analyzer.cli.verb import Code, DeploymentName, Json, Trouble, on_cluster

if TYPE_CHECKING:
    from canary_analyzer.cli.access import Access


def check(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Config file of the service (YAML).", show_default=False)
    ],
    as_json: Json = False,
) -> None:
    """Check a config file, and name every mistake at once.

    Exit code: 0 it can be used, 1 it has mistakes.
    """
    from canary_analyzer.service.settings import Misconfigured, load

    mistakes: tuple[str, ...] = ()
    try:
        load(file)
    except Misconfigured as error:
        mistakes = error.mistakes
    if as_json:
        typer.echo(json.dumps({"file": str(file), "mistakes": mistakes}, indent=2))
    else:
        typer.echo("\n".join(f"{file}: {mistake}" for mistake in mistakes) or f"{file}: can be used")
    raise typer.Exit(Code.BAD if mistakes else Code.DONE)


@on_cluster
def show(
    access: Access,
    deployment: DeploymentName,
    config: Annotated[
        Path | None, typer.Option(help="The service's config file; else its ConfigMap, if we may see it.")
    ] = None,
    changed: Annotated[bool, typer.Option("--changed", help="Only what no built-in profile says.")] = False,
    as_json: Json = False,
) -> None:
    """Show the policy in force for a Deployment, and where each value comes from."""
    from canary_analyzer.cli.effective import effective
    from canary_analyzer.cli.service_config import service_config
    from canary_analyzer.rollout import annotations

    found, document = service_config(access.cluster, config), access.deployment(deployment)
    notes = annotations.of(document)
    profile = notes.get(annotations.PROFILE, annotations.DEFAULT_PROFILE)
    try:
        policy = annotations.policy_of(notes, found.settings.profiles)
    except annotations.Misannotated as error:
        raise Trouble("\n".join(error.mistakes)) from error
    values = effective(policy, profile, notes.get(annotations.CONFIG, ""), found)
    shown = [each for each in values if not changed or not each.source.startswith("built-in")]
    if not found.known:
        typer.echo("the service's config is not known (give it with --config): built-in profiles are shown", err=True)
    if as_json:
        whole = {each.field: {"value": each.value, "source": each.source} for each in shown}
        typer.echo(
            json.dumps({"deployment": document["metadata"]["name"], "profile": profile, "policy": whole}, indent=2)
        )
    else:
        _print(profile, [(each.field, json.dumps(each.value), each.source) for each in shown])


def schema(
    annotation: Annotated[
        bool, typer.Option("--annotation", help="Of the annotation's YAML, and of a profile.")
    ] = False,
) -> None:
    """Print the JSON Schema of the config file, for completion and checks in editors."""
    from canary_analyzer.cli.schemas import annotation_schema, config_schema

    typer.echo(json.dumps(annotation_schema() if annotation else config_schema(), indent=2))


def _print(profile: str, rows: list[tuple[str, str, str]]) -> None:
    from canary_analyzer.cli.words import columns

    typer.echo("\n".join([f"profile {profile}", "", *columns(("FIELD", "VALUE", "FROM"), rows)]))

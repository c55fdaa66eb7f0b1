"""`list`, `status`, `history`, `explain` and `report`: what is and what was, from the records alone."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from canary_analyzer.cli.verb import AllNamespaces, DeploymentName, Json, RunName, Trouble, on_cluster

if TYPE_CHECKING:
    from collections.abc import Iterable

    from canary_analyzer.cli.access import Access
    from canary_analyzer.cli.looking import Look

REASON_WIDTH = 60
"""Characters of a reason in a table; `explain` has all of it."""


@on_cluster
def list_runs(
    access: Access,
    ended: Annotated[bool, typer.Option("--ended", help="Those that have ended, too.")] = False,
    all_namespaces: AllNamespaces = False,
    as_json: Json = False,
) -> None:
    """List the canaries that are under way."""
    from canary_analyzer.cli.looking import look
    from canary_analyzer.cluster import records

    namespace = "" if all_namespaces else access.namespace
    found = (records.all_of if ended else records.active)(access.cluster, namespace)
    looks = [look(access, record, time.time()) for record in found]
    looks.sort(key=lambda each: (each.run.namespace, each.run.deployment, each.run.started))
    if as_json:
        _json(_shown(looks))
    elif not looks:
        typer.echo(f"no canary is under way in {'any namespace' if all_namespaces else f'namespace {namespace}'}")
    else:
        _print_table(looks)


@on_cluster
def status(access: Access, deployment: DeploymentName, as_json: Json = False) -> None:
    """Show a Deployment's newest canary: where it stands, what it waits for, the figures, and what to do."""
    from rich.console import Console

    from canary_analyzer.cli.following import Followed, seen_now
    from canary_analyzer.cli.looking import document, owner
    from canary_analyzer.cli.picture import picture
    from canary_analyzer.cli.words import safe

    seen = seen_now(access, Followed(deployment=owner(access, deployment)))
    standing = {"standing": seen.state.standing.value, "reason": seen.state.reason}
    if as_json:
        _json({**standing, "run": document(seen.look) if seen.look is not None else None})
    elif seen.look is None:
        typer.echo(safe(f"{deployment}: {seen.state.standing.value}: {seen.state.reason}".removesuffix(": ")))
    else:
        console = Console(highlight=False)
        console.print(picture(seen.look, (console.width, 40)))


@on_cluster
def history(
    access: Access,
    deployment: DeploymentName,
    most: Annotated[int, typer.Option("--limit", min=1, help="So many, the newest first.")] = 10,
    as_json: Json = False,
) -> None:
    """List a Deployment's last runs: how each ended, how long it took, and why."""
    from canary_analyzer.cli.access import plain
    from canary_analyzer.cli.looking import look
    from canary_analyzer.cluster import records

    name = plain(deployment)
    found = records.of_deployment(access.cluster, access.namespace, name)[::-1][:most]
    looks = [look(access, record, time.time()) for record in found]
    if as_json:
        _json(_shown(looks))
    elif looks:
        _print_history(looks)
    else:
        access.deployment(name)
        typer.echo(f"{name} has had no canary yet, or its records are gone")


@on_cluster
def explain(access: Access, run: RunName, as_json: Json = False) -> None:
    """Tell the whole story of a run: what was decided, when, on which figures, and what to do next."""
    from canary_analyzer.cli.looking import look, newest
    from canary_analyzer.report.explain import explain as told

    record = newest(access, run)
    if as_json:
        _json(_whole(look(access, record, time.time())))
    else:
        typer.echo(told(record.run, record.story))


@on_cluster
def report(
    access: Access,
    run: RunName,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="File to write; - is the standard output.", show_default=False)
    ],
    config: Annotated[
        Path | None, typer.Option(help="The service's config file, for links; else its ConfigMap, if we may see it.")
    ] = None,
) -> None:
    """Write the page of a run into one HTML file that needs nothing else."""
    from canary_analyzer.cli.looking import newest
    from canary_analyzer.cli.service_config import service_config
    from canary_analyzer.report.links import links_of
    from canary_analyzer.report.page import Setting, run_page

    record, now = newest(access, run), time.time()
    links = links_of(service_config(access.cluster, config).settings.links, record.run, now)
    page = run_page(record.run, record.story, Setting(as_of=now, links=links))
    try:
        output.write_text(page, encoding="utf-8") if str(output) != "-" else typer.echo(page)
    except OSError as error:
        raise Trouble(f"--output {output}: {error.strerror}; name a file that can be written") from error


def _whole(look: Look) -> dict[str, Any]:
    from canary_analyzer.cli.looking import document

    run, story = look.run, look.story
    samples = [each._asdict() for each in story.all_samples]
    for each in samples:
        each.update(requests=each["requests"]._asdict(), errors=each["errors"]._asdict())
        each["metrics"] = {
            name: figures._asdict() for name, figures in zip(story.metrics, each["metrics"], strict=False)
        }
    return {
        **document(look),
        "timeline": [moment.model_dump(mode="json") for moment in run.timeline],
        "samples": samples,
        "findings": [finding.model_dump(mode="json") for finding in story.findings],
        "policy": run.policy.model_dump(mode="json"),
    }


def _shown(looks: Iterable[Look]) -> list[dict[str, Any]]:
    from canary_analyzer.cli.looking import document

    return [document(each) for each in looks]


def _print_table(looks: Iterable[Look]) -> None:
    from canary_analyzer.cli.words import columns, duration

    header = ("NAMESPACE", "DEPLOYMENT", "RUN", "STRATEGY", "PHASE", "WEIGHT", "ROUTE", "TIME", "WAITS FOR")
    rows = [
        (
            *(each.run.namespace, each.run.deployment, each.run.name, each.run.strategy.value, each.run.phase.value),
            *(f"{each.run.weight} %", f"{each.weight} %" if each.weight is not None else "-"),
            *(duration(each.seconds), _short(each.waits_for or each.run.reason)),
        )
        for each in looks
    ]
    typer.echo("\n".join(columns(header, rows)))


def _print_history(looks: Iterable[Look]) -> None:
    from canary_analyzer.cli.words import columns, date, duration

    header = ("RUN", "BEGAN", "TIME", "PHASE", "VERDICT", "IMAGES", "REASON")
    rows = [
        (
            *(each.run.name, date(each.run.started), duration(each.seconds), each.run.phase.value),
            *(each.run.verdict or "-", ",".join(each.run.images.values()), _short(each.run.reason)),
        )
        for each in looks
    ]
    typer.echo("\n".join(columns(header, rows)))


def _short(text: str) -> str:
    return text if len(text) <= REASON_WIDTH else text[: REASON_WIDTH - 1] + "…"


def _json(value: object) -> None:
    typer.echo(json.dumps(value, indent=2))

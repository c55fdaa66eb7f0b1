"""All verbs with their examples, for `kubectl canary` and `canary-analyzer` alike."""

from collections.abc import Callable

import typer

from canary_analyzer.cli import asking, config, seeing, starting, waiting
from canary_analyzer.cli.abort import abort
from canary_analyzer.cli.verb import Verb, Verbs, examples

VERBS: dict[str, tuple[Callable[..., None], str]] = {
    "start": (
        starting.start,
        """
        kubectl canary start flask-app --image registry.example/flask-app:v2
        kubectl canary start flask-app --image app=app:v2 --image proxy=proxy:v5 --profile careful
        kubectl canary start flask-app --image app:v2 --set tick_seconds=5 --wait --timeout 30m
        """,
    ),
    "diff": (starting.diff, "kubectl canary diff flask-app --image registry.example/flask-app:v2"),
    "list": (seeing.list_runs, "kubectl canary list -A"),
    "status": (seeing.status, "kubectl canary status flask-app -n shop"),
    "watch": (waiting.watch, "kubectl canary watch flask-app"),
    "wait": (waiting.wait, "kubectl canary wait flask-app --for verdict --timeout 30m"),
    "hold": (asking.hold, "kubectl canary hold flask-app"),
    "resume": (asking.resume, "kubectl canary resume flask-app"),
    "approve": (asking.approve, "kubectl canary approve flask-app"),
    "promote": (asking.promote, "kubectl canary promote flask-app"),
    "abort": (
        abort,
        """
        kubectl canary abort flask-app
        canary-analyzer abort --all --config config.yaml
        """,
    ),
    "history": (seeing.history, "kubectl canary history flask-app --limit 3"),
    "explain": (seeing.explain, "kubectl canary explain flask-app-3"),
    "report": (seeing.report, "kubectl canary report flask-app-3 -o flask-app-3.html"),
}

CONFIG: dict[str, tuple[Callable[..., None], str]] = {
    "check": (config.check, "canary-analyzer config check config.yaml"),
    "show": (config.show, "kubectl canary config show flask-app --changed"),
    "schema": (config.schema, "canary-analyzer config schema --annotation > policy.schema.json"),
}


def add(app: typer.Typer) -> None:
    """Add all verbs to an app."""
    for name, (verb, lines) in VERBS.items():
        _add(app, name, verb, lines)
    group = typer.Typer(cls=Verbs, help="Look at what can be tuned, and check it.", no_args_is_help=True)
    for name, (verb, lines) in CONFIG.items():
        _add(group, name, verb, lines)
    app.add_typer(group, name="config")


def _add(app: typer.Typer, name: str, verb: Callable[..., None], lines: str) -> None:
    app.command(name, cls=Verb, epilog=examples(lines))(verb)

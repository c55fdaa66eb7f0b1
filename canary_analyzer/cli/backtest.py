"""`canary-analyzer backtest`: what would these policies have decided on my past data, and when?"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from canary_analyzer.analysis import Policy
    from canary_analyzer.analysis.policy import JudgeName
    from canary_analyzer.analysis.saved import Past
    from canary_analyzer.metrics.past import Window
    from canary_analyzer.rollout.policy import RolloutPolicy
    from canary_analyzer.rollout.run import Run
    from canary_analyzer.service.settings import ServiceSettings

_POLICIES = "Policies"
_FILE = "Data from a file"
_PROMETHEUS = "Data from Prometheus"
_FOREIGN: tuple[JudgeName, ...] = ("mann-whitney", "threshold")
HELP = """
What would these policies have decided on past data, and when?

\b
Run 3 of a Deployment, judged again by three policies, and kept in a file:
  canary-analyzer backtest --prometheus-url http://localhost:9090 \\
    --kubeconfig kubeconfig --namespace shop --deployment web --run 3 \\
    --profile standard --profile careful --profile threshold \\
    --save run-3.json
\b
The same data again, by a policy under construction:
  canary-analyzer backtest --file run-3.json --policy mine.yaml
\b
A/A: two pods of a Deployment beside its others; no policy should abort:
  canary-analyzer backtest --prometheus-url http://localhost:9090 \\
    --namespace shop --deployment web --a-a --canary-pods 2 \\
    --from 2026-01-20T09:00 --to 2026-01-20T10:00
"""


def backtest(  # noqa: PLR0913, PLR0917  (every option of the command is a parameter)
    profile: Annotated[
        list[str] | None,
        typer.Option(
            help="A profile by name, or mann-whitney or threshold: standard with that judge. Repeatable; without any "
            "policy, all of these.",
            rich_help_panel=_POLICIES,
        ),
    ] = None,
    policy: Annotated[
        list[Path] | None,
        typer.Option(
            help="File (YAML) with fields of a policy, laid upon standard. Repeatable.", rich_help_panel=_POLICIES
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            help="Config file (YAML) of the service, for its profiles and Prometheus.", rich_help_panel=_POLICIES
        ),
    ] = None,
    file: Annotated[Path | None, typer.Option(help="What --save wrote.", rich_help_panel=_FILE)] = None,
    prometheus_url: Annotated[
        str | None, typer.Option(help="Overrides prometheus.url of the config.", rich_help_panel=_PROMETHEUS)
    ] = None,
    namespace: Annotated[str, typer.Option(help="Of the Deployment.", rich_help_panel=_PROMETHEUS)] = "default",
    deployment: Annotated[str | None, typer.Option(help="Whose past is judged.", rich_help_panel=_PROMETHEUS)] = None,
    run: Annotated[
        int | None,
        typer.Option(min=1, help="Number of a run: its windows, by its record.", rich_help_panel=_PROMETHEUS),
    ] = None,
    kubeconfig: Annotated[
        Path | None, typer.Option(help="To read the run's record.", rich_help_panel=_PROMETHEUS)
    ] = None,
    a_a: Annotated[
        bool,
        typer.Option("--a-a", help="Compare pods of the Deployment with its other pods.", rich_help_panel=_PROMETHEUS),
    ] = False,
    since: Annotated[datetime | None, typer.Option("--from", help="Begin, UTC.", rich_help_panel=_PROMETHEUS)] = None,
    until: Annotated[datetime | None, typer.Option("--to", help="End, UTC.", rich_help_panel=_PROMETHEUS)] = None,
    tick: Annotated[float, typer.Option(min=1, help="Seconds between two looks.", rich_help_panel=_PROMETHEUS)] = 10.0,
    canary_pods: Annotated[
        int, typer.Option(min=1, help="How many pods play the canary.", rich_help_panel=_PROMETHEUS)
    ] = 1,
    seed: Annotated[
        int, typer.Option(min=0, help="Which: another seed draws others.", rich_help_panel=_PROMETHEUS)
    ] = 0,
    save: Annotated[Path | None, typer.Option(help="Write the data to this file, for --file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Replay policies over past data; `HELP` is what --help shows."""
    from rich.console import Console

    from canary_analyzer.analysis.backtest import replay
    from canary_analyzer.report import backtest as report

    settings = _settings(config, prometheus_url)
    policies = _policies(settings, profile or [], policy or [])
    if (file is not None) + (run is not None) + a_a != 1:
        _fail(
            "where are the data? Give one of --file FILE, --run NUMBER (with --deployment), --a-a (with --deployment)"
        )
    if file is not None:
        past = _saved(file)
    elif deployment is None:
        _fail("--deployment is missing: whose past is to be judged?")
    elif run is not None:
        past = _of_run(settings, kubeconfig, namespace, f"{deployment}-{run}")
    else:
        past = _split(settings, (namespace, deployment), _window(since, until), tick, (canary_pods, seed))
    if save is not None:
        _save(past, save)
    outcomes = [replay(name, judged, past.history) for name, judged in policies.items()]
    if as_json:
        typer.echo(report.document(outcomes, past))
        return
    console = Console()
    console.print(report.summary(past), highlight=False)
    console.print(report.decisions(outcomes, past))
    console.print(f"\n{report.reasons(outcomes)}\n", highlight=False, markup=False)
    console.print(report.effects(outcomes))


def _settings(config: Path | None, prometheus_url: str | None) -> ServiceSettings:
    from canary_analyzer.service.settings import Misconfigured, load

    try:
        return load(config, {"prometheus": {"url": prometheus_url}} if prometheus_url is not None else {})
    except Misconfigured as error:
        _fail(str(error))


def _policies(settings: ServiceSettings, profiles: Sequence[str], files: Sequence[Path]) -> Mapping[str, Policy]:
    """Return what is asked for by name, in its order; all there is when nothing is asked for."""
    standard = settings.profiles["standard"]
    known = {name: policy.judgement for name, policy in settings.profiles.items()}
    known |= {judge: replace(standard.judgement, judge=judge) for judge in _FOREIGN if judge not in known}
    if not profiles and not files:
        return known
    if unknown := [name for name in profiles if name not in known]:
        _fail(f"there is no profile {', '.join(unknown)}: take some of {', '.join(known)}")
    return {name: known[name] for name in profiles} | {path.stem: _policy(standard, path) for path in files}


def _policy(standard: RolloutPolicy, path: Path) -> Policy:
    import yaml
    from pydantic import ValidationError

    from canary_analyzer.rollout.policy import mistakes, override

    try:
        fields = yaml.safe_load(path.read_text()) or {}
        if not isinstance(fields, dict):
            _fail(
                f"--policy {path}: it holds {fields!r}: write fields of a policy, such as 'analysis: {{alpha: 0.05}}'"
            )
        return override(standard, fields).judgement
    except OSError as error:
        _fail(f"--policy {path}: it cannot be read: {error.strerror}")
    except yaml.YAMLError as error:
        _fail(f"--policy {path}: it is not YAML: {error}")
    except ValidationError as error:
        _fail("\n".join([f"--policy {path}:", *mistakes(error)]))


def _saved(path: Path) -> Past:
    from canary_analyzer.analysis.saved import read

    try:
        return read(json.loads(path.read_text()))
    except OSError as error:
        _fail(f"--file {path}: it cannot be read: {error.strerror}")
    except json.JSONDecodeError as error:
        _fail(f"--file {path}: it is not JSON: {error}")
    except ValueError as error:
        _fail(f"--file {path}: {error}")


def _save(past: Past, path: Path) -> None:
    from canary_analyzer.analysis.saved import written

    try:
        path.write_text(json.dumps(written(past)))
    except OSError as error:
        _fail(f"--save {path}: it cannot be written: {error.strerror}")


def _of_run(settings: ServiceSettings, kubeconfig: Path | None, namespace: str, name: str) -> Past:
    """Return what was counted in a run's windows."""
    from canary_analyzer.cluster import records
    from canary_analyzer.cluster.client import Cluster
    from canary_analyzer.cluster.errors import ClusterError
    from canary_analyzer.metrics.past import between
    from canary_analyzer.service import samples

    try:
        record = records.load(Cluster.connect(kubeconfig), namespace, name)
    except ClusterError as error:
        _fail(str(error))
    if record is None:
        _fail(f"namespace {namespace} has no run {name}: only the last {records.KEPT} of a Deployment are kept")
    windows = _closed(record.run)
    if not windows:
        _fail(f"run {name} never came to compare anything: {record.run.reason or 'it has just begun'}")
    reader, pair = samples.reader(settings.prometheus), samples.pair(record.run)
    return _read(lambda: between(reader, pair, windows, record.run.policy.tick_seconds))


def _closed(run: Run) -> list[Window]:
    """Return the windows of which the end is known; the open one of a running canary is left out."""
    return [(window.since, window.until) for window in run.windows if window.until is not None]


def _window(since: datetime | None, until: datetime | None) -> Window:
    if since is None or until is None or not since < until:
        _fail("--a-a needs --from and a later --to, such as --from 2026-01-20T09:00 --to 2026-01-20T10:00 (UTC)")
    return since.replace(tzinfo=UTC).timestamp(), until.replace(tzinfo=UTC).timestamp()


def _split(
    settings: ServiceSettings, workload: tuple[str, str], window: Window, tick: float, draw: tuple[int, int]
) -> Past:
    """Return what some pods of a workload, number and seed given, counted beside the others."""
    from canary_analyzer.metrics import Workload
    from canary_analyzer.metrics.past import between, split
    from canary_analyzer.service import samples

    if settings.prometheus.dialect != "istio":
        _fail(f"--a-a reads Istio's metrics of single pods, not {settings.prometheus.dialect}'s: give --run or --file")
    namespace, name = workload
    few, seed = draw

    def read() -> Past:
        prometheus = samples.prometheus(settings.prometheus)
        pair = split(prometheus, Workload(namespace=namespace, name=name), window, few, seed)
        return between(samples.reader(settings.prometheus), pair, [window], tick)

    return _read(read)


def _read(read: Callable[[], Past]) -> Past:
    from canary_analyzer.metrics import MetricsUnavailable
    from canary_analyzer.metrics.past import NoPastError

    try:
        return read()
    except (MetricsUnavailable, NoPastError) as error:
        _fail(str(error))


def _fail(message: str) -> NoReturn:
    typer.echo(f"canary-analyzer backtest: {message}", err=True)
    raise typer.Exit(2)

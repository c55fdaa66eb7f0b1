"""`canary-analyzer calibrate`: what will this policy catch at my traffic?"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from time import time
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from canary_analyzer.analysis.calibrate import Row
    from canary_analyzer.analysis.scenarios import Service
    from canary_analyzer.analysis.simulate import Rehearsal
    from canary_analyzer.rollout.policy import RolloutPolicy
    from canary_analyzer.service.settings import ServiceSettings

_P99_DEVIATIONS = 2.3263
"""Standard deviations of log latency between median and 99th percentile."""
_PROMETHEUS = "Measured traffic"
_SIMULATED = "Traffic"


def calibrate(  # noqa: PLR0913, PLR0917  (every option of the command is a parameter)
    config: Annotated[
        Path | None, typer.Option(help="Config file (YAML) of the service; without it, the defaults.")
    ] = None,
    profile: Annotated[str, typer.Option(help="Name of the profile in it.")] = "standard",
    rps: Annotated[
        float, typer.Option(min=0.001, help="Requests per second, both versions together.", rich_help_panel=_SIMULATED)
    ] = 50.0,
    error_rate: Annotated[
        float, typer.Option(min=0, max=0.99, help="Share that fails: 0.002 is 0.2 %.", rich_help_panel=_SIMULATED)
    ] = 0.002,
    latency_p50_ms: Annotated[float, typer.Option(min=0.1, help="Median.", rich_help_panel=_SIMULATED)] = 40.0,
    latency_p99_ms: Annotated[
        float, typer.Option(min=0.1, help="99th percentile.", rich_help_panel=_SIMULATED)
    ] = 200.0,
    prometheus_url: Annotated[
        str | None,
        typer.Option(help="Read traffic, errors and latency from here instead.", rich_help_panel=_PROMETHEUS),
    ] = None,
    namespace: Annotated[str, typer.Option(help="Of the Deployment.", rich_help_panel=_PROMETHEUS)] = "default",
    deployment: Annotated[str | None, typer.Option(help="Whose traffic is read.", rich_help_panel=_PROMETHEUS)] = None,
    minutes: Annotated[
        float, typer.Option(min=1, max=1440, help="How far back it is read.", rich_help_panel=_PROMETHEUS)
    ] = 60.0,
    runs: Annotated[int, typer.Option(min=1, help="Simulated runs of each canary.")] = 100,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same answer.")] = 0,
    jobs: Annotated[int, typer.Option(min=1, help="Processes at work.")] = 2,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    plot: Annotated[Path | None, typer.Option(help="Draw into this file: .svg, .png or .pdf.")] = None,
) -> None:
    """Simulate a profile: how often is a good canary aborted, which bad ones are found, how soon?

    What differs from a real run: every request is independent, and metrics of your own are not simulated.
    """
    from rich.console import Console

    from canary_analyzer.report import calibration
    from canary_analyzer.rollout.rehearsal import rehearsal

    if plot is not None and not calibration.is_drawable(plot):
        _fail(f"--plot {plot}: give a file that ends in .svg, .png or .pdf")
    settings = _settings(config, prometheus_url)
    policy = _policy(settings, profile)
    if deployment is not None:
        service = _measured(settings, policy, namespace, deployment, minutes)
    elif prometheus_url is not None:
        _fail("--prometheus-url needs --deployment: whose traffic is to be read?")
    else:
        service = _assumed(policy, rps, error_rate, (latency_p50_ms, latency_p99_ms))
    rows = _simulated(rehearsal(policy, service), runs, seed, jobs)
    if plot is not None:
        _draw(rows, f"Profile {profile} at {service.requests_per_second:g} requests/s, {runs} runs each", plot)
    if as_json:
        asked = {"profile": profile, "requests_per_second": service.requests_per_second}
        typer.echo(calibration.document(rows, {**asked, "error_rate": service.error_rate, "seed": seed}))
        return
    console = Console()
    console.print(calibration.table(rows))
    console.print(calibration.answer(rows, service.requests_per_second), highlight=False)


def _settings(config: Path | None, prometheus_url: str | None) -> ServiceSettings:
    from canary_analyzer.service.settings import Misconfigured, load

    try:
        return load(config, {"prometheus": {"url": prometheus_url}} if prometheus_url is not None else {})
    except Misconfigured as error:
        _fail(str(error))


def _policy(settings: ServiceSettings, profile: str) -> RolloutPolicy:
    if profile not in settings.profiles:
        _fail(f"there is no profile {profile!r}: take one of {', '.join(settings.profiles)}")
    return settings.profiles[profile]


def _assumed(
    policy: RolloutPolicy, requests_per_second: float, error_rate: float, latency_ms: tuple[float, float]
) -> Service:
    """Return a service with a lognormal latency through its median and its 99th percentile."""
    from math import log

    from canary_analyzer.analysis.scenarios import Lognormal, Service

    median, p99 = latency_ms
    if p99 <= median:
        _fail(f"--latency-p99-ms {p99:g} is not above --latency-p50-ms {median:g}")
    latency = Lognormal(median_ms=median, sigma=log(p99 / median) / _P99_DEVIATIONS, tail=0.0)
    return Service(
        requests_per_second=requests_per_second,
        error_rate=error_rate,
        latency=latency,
        tick_seconds=policy.tick_seconds,
    )


def _measured(
    settings: ServiceSettings, policy: RolloutPolicy, namespace: str, deployment: str, minutes: float
) -> Service:
    """Return a service with the traffic, errors and latency that Prometheus saw."""
    from canary_analyzer.metrics import MetricsUnavailable, Workload
    from canary_analyzer.metrics.traffic import NoTrafficError, measured
    from canary_analyzer.service import samples

    workload = Workload(namespace=namespace, name=deployment)
    reader = samples.reader(settings.prometheus)
    try:
        return measured(reader, workload, until=time(), seconds=60 * minutes, tick_seconds=policy.tick_seconds)
    except (MetricsUnavailable, NoTrafficError) as error:
        _fail(str(error))


def _simulated(rehearsal: Rehearsal, runs: int, seed: int, jobs: int) -> list[Row]:
    """Simulate all cases, with a progress bar on a terminal."""
    from rich.console import Console
    from rich.progress import Progress

    from canary_analyzer.analysis.calibrate import CASES, row, simulated

    console, seeds, rows = Console(stderr=True), range(seed, seed + runs), []
    with (
        Progress(console=console, transient=True, disable=not console.is_terminal) as progress,
        ProcessPoolExecutor(jobs) as pool,
    ):
        task = progress.add_task("simulating", total=runs * len(CASES))
        for case in CASES:
            outcomes = []
            for outcome in pool.map(partial(simulated, rehearsal, case), seeds, chunksize=5):
                outcomes.append(outcome)
                progress.advance(task)
            rows.append(row(case, outcomes))
    return rows


def _draw(rows: Sequence[Row], title: str, path: Path) -> None:
    from canary_analyzer.report import calibration

    try:
        calibration.plot(rows, title, path)
    except OSError as error:
        _fail(f"--plot {path}: {error}")


def _fail(message: str) -> NoReturn:
    typer.echo(f"canary-analyzer calibrate: {message}", err=True)
    raise typer.Exit(2)

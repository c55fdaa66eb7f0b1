"""The commands; each parses its arguments and hands over."""

from pathlib import Path
from typing import Annotated, Any

import typer

from canary_analyzer import __version__
from canary_analyzer.cli import backtest, routes, sandbox, verbs
from canary_analyzer.cli.calibrate import calibrate
from canary_analyzer.cli.verb import examples, versioned

app = typer.Typer(
    help="Canary analysis for Istio: shift traffic step by step, judge, promote or abort.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.callback()(versioned)
app.add_typer(sandbox.app, name="sandbox")
app.add_typer(routes.app, name="routes")
verbs.add(app)
app.command(epilog=examples("canary-analyzer calibrate --config config.yaml --profile careful --rps 20"))(calibrate)
app.command(help=backtest.HELP, epilog=examples("canary-analyzer backtest --file run-3.json --policy mine.yaml"))(
    backtest.backtest
)


@app.command(epilog=examples("canary-analyzer serve --config /etc/canary-analyzer/config.yaml"))
def serve(
    kubeconfig: Annotated[
        Path | None, typer.Option(help="Kubeconfig file; without it, the configuration of the pod we run in.")
    ] = None,
    prometheus_url: Annotated[str | None, typer.Option(help="Overrides prometheus.url of the config.")] = None,
    config: Annotated[Path | None, typer.Option(help="Config file (YAML); without it, the built-in defaults.")] = None,
    http_port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Overrides http.port of the config; 0 takes a free one.")
    ] = None,
) -> None:
    """Watch Deployments and run their canaries until told to stop."""
    from canary_analyzer.cluster.errors import ClusterError
    from canary_analyzer.service import settings as service_settings
    from canary_analyzer.service.reload import ConfigFile
    from canary_analyzer.service.serve import serve

    over: dict[str, Any] = {
        "prometheus": {"url": prometheus_url} if prometheus_url is not None else {},
        "http": {"port": http_port} if http_port is not None else {},
    }
    try:
        file = ConfigFile(path=config, over=over) if config is not None else None
        serve(file.load() if file is not None else service_settings.load(None, over), kubeconfig, file)
    except (service_settings.Misconfigured, ClusterError, OSError) as error:
        typer.echo(f"canary-analyzer serve: {error}", err=True)
        raise typer.Exit(2) from error


@app.command(epilog=examples("canary-analyzer demo"))
def demo() -> None:
    """Run three canaries on the sandbox: a good one, a failing one, a slow one."""
    sandbox.require_extra()
    from rich.console import Console

    from canary_analyzer.sandbox.demo import run

    raise typer.Exit(run(Console()))


@app.command(epilog=examples("canary-analyzer version"))
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


def main() -> None:
    """Run the command line."""
    from canary_analyzer.service import logs

    logs.configure()
    app()

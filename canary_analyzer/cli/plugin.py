"""`kubectl canary`: the verbs, without what a machine that runs the service or the sandbox needs."""

import os

import typer
from typer.completion import get_completion_inspect_parameters

from canary_analyzer import __version__
from canary_analyzer.cli import verbs
from canary_analyzer.cli.verb import Verb, Verbs, examples, versioned

NAME = "kubectl canary"
ASK = "_KUBECTL_CANARY_COMPLETE"
"""The variable by which typer is asked what may follow."""
COMPLETION = f"""\
#!/bin/sh
# Completion of `kubectl canary`: put this as kubectl_complete-canary, executable, into a folder of $PATH.
COMP_WORDS="kubectl-canary $*" COMP_CWORD=$# {ASK}=complete_bash kubectl-canary
echo :4  # these names only, no files
"""

app = typer.Typer(
    cls=Verbs,
    help="Canaries of Deployments: start, watch, decide, explain. Needs your rights on the cluster and nothing else.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.callback()(versioned)
verbs.add(app)


INSTALL = """
    kubectl canary completion > ~/bin/kubectl_complete-canary
    chmod +x ~/bin/kubectl_complete-canary
"""


@app.command(cls=Verb, epilog=examples(INSTALL))
def completion() -> None:
    """Print the script by which kubectl completes our verbs and names, in every shell that completes kubectl."""
    typer.echo(COMPLETION, nl=False)


@app.command(cls=Verb, epilog=examples("kubectl canary version"))
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


def main() -> None:
    """Run the plugin."""
    from canary_analyzer.service import logs

    logs.configure()
    if ASK in os.environ:
        get_completion_inspect_parameters()  # makes typer ready to answer, without options to install anything
    app(prog_name=NAME, complete_var=ASK)

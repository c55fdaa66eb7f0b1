"""What all verbs have in common: how they reach the cluster, how they fail, and with which exit code."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import IntEnum
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, cast

import typer
from typer.core import TyperCommand, TyperGroup

from canary_analyzer import __version__
from canary_analyzer.cli.completing import deployments, namespaces, runs
from canary_analyzer.rollout.texts import plain

UsageError = cast(type[Exception], typer.BadParameter.__mro__[1])  # typer gives this class no name of its own


class Code(IntEnum):
    """Exit codes of all verbs; documented in docs/reference/cli.md."""

    DONE = 0
    """Done; where a run is waited for: promoted."""
    BAD = 1
    """Refused, or the run was aborted."""
    INCONCLUSIVE = 2
    """The run ended without a verdict."""
    TROUBLE = 3
    """Wrong usage, or the cluster did not answer: nothing is known of the run."""
    TIMED_OUT = 124
    """As timeout(1) has it."""


class Trouble(Exception):
    """What keeps a verb from being carried out, in a sentence with its remedy."""


class Verb(TyperCommand):
    """A command that fails with one sentence."""

    def make_context(self, *args: Any, **extra: Any) -> Any:
        """Give mistakes of usage our exit code: theirs is the one of a run without a verdict."""
        with _usage():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: Any) -> Any:
        """Carry the verb out."""
        from canary_analyzer.cluster.errors import ClusterError
        from canary_analyzer.service.settings import Misconfigured

        try:
            with _usage():
                return super().invoke(ctx)
        except ClusterError as error:
            _fail(ctx, f"{error}; {_remedy(error.status)}")
        except (Trouble, Misconfigured) as error:
            _fail(ctx, str(error))


class Verbs(TyperGroup):
    """A group of them: an unknown verb is a mistake of usage too."""

    def make_context(self, *args: Any, **extra: Any) -> Any:
        """As for one verb."""
        with _usage():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: Any) -> Any:
        """As for one verb."""
        with _usage():
            return super().invoke(ctx)


@contextmanager
def _usage() -> Iterator[None]:
    try:
        yield
    except UsageError as error:
        error.exit_code = Code.TROUBLE  # type: ignore[attr-defined]  # it has one
        raise


def _fail(ctx: typer.Context, message: str) -> None:
    typer.echo(f"{ctx.command_path}: {plain(message)}", err=True)
    raise typer.Exit(Code.TROUBLE)


def _remedy(status: int) -> str:
    """Say what helps against an answer of the API server, by its HTTP code (0: none)."""
    return {
        0: "is the cluster reachable, and the context right? (kubectl config current-context; --context)",
        401: "log in to the cluster again",
        403: "ask for this right, or use another --context",
        404: "check the name and the namespace (-n)",
        409: "somebody else wrote at the same time: try again",
    }.get(status, "try again, or ask kubectl the same")


Kubeconfig = Annotated[
    Path | None,
    typer.Option(
        help="Kubeconfig file; else $KUBECONFIG, ~/.kube/config or the pod we run in.", rich_help_panel="Cluster"
    ),
]
Context = Annotated[str | None, typer.Option(help="Context of the kubeconfig.", rich_help_panel="Cluster")]
Namespace = Annotated[
    str | None,
    typer.Option("--namespace", "-n", help="Else the context's.", rich_help_panel="Cluster", autocompletion=namespaces),
]
AllNamespaces = Annotated[bool, typer.Option("--all-namespaces", "-A", help="Those of all namespaces.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
DeploymentName = Annotated[
    str, typer.Argument(metavar="DEPLOYMENT", help="Name of the Deployment.", autocompletion=deployments)
]
RunName = Annotated[
    str,
    typer.Argument(
        metavar="RUN", help="Name of a run, or of a Deployment for its newest.", autocompletion=runs, show_default=False
    ),
]


def _tell_version(asked: bool) -> None:
    if asked:
        typer.echo(__version__)
        raise typer.Exit


def versioned(
    version: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Give a whole program the option that everybody tries first; what its callback does ends the program."""


def examples(lines: str) -> str:
    """Return what stands at the end of a command's help: one example a line."""
    return "\n\n".join(["Examples:", *(line.strip() for line in lines.strip().splitlines())])


def on_cluster(function: Callable[..., None]) -> Callable[..., None]:
    """Give a verb the options by which a cluster is found, and the connection as its argument `access`."""

    @wraps(function)
    def verb(*, kubeconfig: Path | None, context: str | None, namespace: str | None, **given: Any) -> None:
        from canary_analyzer.cli.access import Access

        function(access=Access.connect(kubeconfig, context, namespace), **given)

    options = {"namespace": Namespace, "context": Context, "kubeconfig": Kubeconfig}
    # `Access` is imported where a verb is carried out: --help has no need of the Kubernetes client.
    signature = inspect.signature(function, eval_str=True, locals={"Access": object})
    own = {name: each for name, each in signature.parameters.items() if name != "access"}
    added = {
        name: inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)
        for name, kind in options.items()
    }
    parameters = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in own.values()]
    verb.__signature__ = inspect.Signature([*parameters, *added.values()])  # type: ignore[attr-defined]
    verb.__annotations__ = {name: each.annotation for name, each in (own | added).items()}
    return verb

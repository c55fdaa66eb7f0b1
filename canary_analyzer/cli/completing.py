"""What the shell offers behind a verb: names from the cluster, or nothing where it does not answer at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from canary_analyzer.cli.access import Access


def deployments(ctx: typer.Context, incomplete: str) -> list[str]:
    """Offer the Deployments of the namespace."""
    from canary_analyzer.cluster.client import DEPLOYMENTS

    with _quietly():
        access = _access(ctx)
        found = access.cluster.list(DEPLOYMENTS, access.namespace).items
        return _beginning(incomplete, (each["metadata"]["name"] for each in found))
    return []


def runs(ctx: typer.Context, incomplete: str) -> list[str]:
    """Offer the runs whose records are kept."""
    from canary_analyzer.cluster import records

    with _quietly():
        access = _access(ctx)
        return _beginning(incomplete, (run.name for run in records.all_runs(access.cluster, access.namespace)))
    return []


def namespaces(ctx: typer.Context, incomplete: str) -> list[str]:
    """Offer the namespaces that have a Deployment with a run."""
    from canary_analyzer.cluster import records

    with _quietly():
        found = records.all_runs(_access(ctx).cluster, "")
        return _beginning(incomplete, {run.namespace for run in found})
    return []


def _access(ctx: typer.Context) -> Access:
    from canary_analyzer.cli.access import Access

    given = ctx.params
    return Access.connect(given.get("kubeconfig"), given.get("context"), given.get("namespace"))


@contextmanager
def _quietly() -> Iterator[None]:
    """Offer nothing where the cluster cannot be asked: the user is typing, this is no place for messages."""
    from canary_analyzer.cli.verb import Trouble
    from canary_analyzer.cluster.errors import ClusterError

    try:
        yield
    except (ClusterError, Trouble):
        return


def _beginning(incomplete: str, names: Iterable[str]) -> list[str]:
    return sorted(name for name in names if name.startswith(incomplete))

"""The ServiceAccount `default` of every namespace: where there is none, an API server refuses pods.

Source: https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/
"""

from collections.abc import Collection, Iterable

from canary_analyzer.sandbox.client import SERVICEACCOUNTS, Document, Key
from canary_analyzer.sandbox.workloads.objects import terminating
from canary_analyzer.sandbox.workloads.writes import Create, Write

NAME = "default"


def plan(namespaces: Iterable[Document], known: Collection[Key]) -> list[Write]:
    """Creations of what is missing."""
    names = (each["metadata"]["name"] for each in namespaces if not terminating(each))
    return [Create(resource=SERVICEACCOUNTS, document=_account(name)) for name in names if (name, NAME) not in known]


def _account(namespace: str) -> Document:
    metadata = {"name": NAME, "namespace": namespace}
    # A sandbox node mounts no volumes, so no tokens either.
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata, "automountServiceAccountToken": False}

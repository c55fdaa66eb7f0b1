"""The connection that a verb works with, found as kubectl finds it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import kubernetes
from kubernetes.config.kube_config import KUBE_CONFIG_DEFAULT_LOCATION

from canary_analyzer.cli.verb import Trouble
from canary_analyzer.cluster.client import DEPLOYMENTS, Cluster, api_client

if TYPE_CHECKING:
    from canary_analyzer.routing import Document

_IN_POD = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


@dataclass(frozen=True, kw_only=True)
class Access:
    """A cluster, and the namespace that names are looked up in."""

    api: kubernetes.client.ApiClient
    namespace: str

    @property
    def cluster(self) -> Cluster:
        """The cluster, as the service talks to it."""
        return Cluster(self.api)

    @classmethod
    def connect(cls, kubeconfig: Path | None, context: str | None, namespace: str | None) -> Self:
        """Connect by a kubeconfig (else $KUBECONFIG, else ~/.kube/config), or from inside a pod where there is none.

        Raises:
            Trouble: none of them can be used.
        """
        configuration = kubernetes.client.Configuration()
        found = str(kubeconfig) if kubeconfig is not None else os.environ.get("KUBECONFIG") or None
        if found is None and context is None and _IN_POD.exists() and not _default().exists():
            kubernetes.config.load_incluster_config(client_configuration=configuration)
            usual = _IN_POD.read_text().strip()
        else:
            usual = _by_kubeconfig(found, context, configuration)
        return cls(api=api_client(configuration), namespace=namespace or usual)

    def deployment(self, name: str) -> Document:
        """Return a Deployment; `deployment/NAME` is understood as well.

        Raises:
            Trouble: there is none.
        """
        name = plain(name)
        found = self.cluster.find(DEPLOYMENTS, self.namespace, name)
        if found is None:
            raise Trouble(
                f"there is no Deployment {name} in namespace {self.namespace}; "
                f"see kubectl get deployments -n {self.namespace}, or give -n"
            )
        return found


def plain(name: str) -> str:
    """Take the kind away from a name that is written as kubectl does."""
    kind, slash, rest = name.partition("/")
    return rest if slash and kind in ("deploy", "deployment", "deployments", "deployment.apps") else name


def _default() -> Path:
    # Path.expanduser raises where there is no home.
    return Path(os.path.expanduser(KUBE_CONFIG_DEFAULT_LOCATION))


def _by_kubeconfig(found: str | None, context: str | None, configuration: kubernetes.client.Configuration) -> str:
    """Load it and return the namespace of its context."""
    try:
        contexts, current = kubernetes.config.list_kube_config_contexts(found)
        kubernetes.config.load_kube_config(found, context=context, client_configuration=configuration)
    except (kubernetes.config.ConfigException, OSError, ValueError) as error:
        remedy = "give --kubeconfig FILE and --context NAME, or set KUBECONFIG"
        raise Trouble(f"kubeconfig {found or KUBE_CONFIG_DEFAULT_LOCATION}: {error}; {remedy}") from error
    chosen = next((each for each in contexts if each["name"] == context), current)
    return str(chosen["context"].get("namespace") or "default")

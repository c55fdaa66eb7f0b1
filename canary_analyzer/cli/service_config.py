"""The service's config, as far as somebody who does not talk to the service can know it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from canary_analyzer.cluster.client import CONFIGMAPS, Cluster
from canary_analyzer.cluster.errors import ClusterError
from canary_analyzer.rollout.policy import mistakes
from canary_analyzer.service.settings import Misconfigured, ServiceSettings, load

LABEL = "app.kubernetes.io/name=canary-analyzer"
"""Of the ConfigMap that the chart makes."""
KEY = "config.yaml"


@dataclass(frozen=True, kw_only=True)
class ServiceConfig:
    """What is in force in the service, and how we know."""

    settings: ServiceSettings = field(default_factory=ServiceSettings)
    written: Mapping[str, Any] = field(default_factory=dict)
    """The fields as they were written."""
    source: str = ""
    """Where it was found; empty where it was not, and the defaults stand in for it."""

    @property
    def known(self) -> bool:
        """Whether it was found."""
        return bool(self.source)


def service_config(cluster: Cluster, path: Path | None) -> ServiceConfig:
    """Read the config from a file, else from the ConfigMap of the chart, where there is exactly one and we may see it.

    Raises:
        Misconfigured: with every mistake.
    """
    if path is not None:
        settings = load(path)
        return ServiceConfig(settings=settings, written=yaml.safe_load(path.read_text()) or {}, source=str(path))
    try:
        found = [each for each in cluster.list(CONFIGMAPS, "", LABEL).items if KEY in (each.get("data") or {})]
    except ClusterError as error:
        if error.status != 403:
            raise
        return ServiceConfig()
    return _of_configmap(found[0]) if len(found) == 1 else ServiceConfig()


def _of_configmap(document: Mapping[str, Any]) -> ServiceConfig:
    source = f"ConfigMap {document['metadata']['namespace']}/{document['metadata']['name']}"
    try:
        written = yaml.safe_load(document["data"][KEY]) or {}
        return ServiceConfig(settings=ServiceSettings.model_validate(written), written=written, source=source)
    except yaml.YAMLError as error:
        raise Misconfigured(source, (f"it is not YAML: {error}",)) from error
    except ValidationError as error:
        raise Misconfigured(source, mistakes(error)) from error

"""JSON Schemas of what people write, so that editors complete and check it."""

from typing import Any

from canary_analyzer.rollout.policy import RolloutPolicy
from canary_analyzer.service.settings import ServiceSettings

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def config_schema() -> dict[str, Any]:
    """Return the schema of the service's config file."""
    return _titled(ServiceSettings.model_json_schema(), "Config file of canary-analyzer")


def annotation_schema() -> dict[str, Any]:
    """Return the schema of the YAML in the annotation canary-analyzer.io/config, and of a profile."""
    return _titled(RolloutPolicy.model_json_schema(), "Annotation canary-analyzer.io/config")


def _titled(schema: dict[str, Any], title: str) -> dict[str, Any]:
    return {"$schema": _DIALECT, **schema, "title": title}

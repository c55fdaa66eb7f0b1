"""JSON Schemas of what people write, so that editors complete and check it."""

import re
from collections.abc import Iterator
from typing import Any

from canary_analyzer.rollout.policy import RolloutPolicy
from canary_analyzer.service.settings import ServiceSettings

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_ARGUMENT = re.compile(r"^    (\w+): ", re.MULTILINE)


def config_schema() -> dict[str, Any]:
    """Return the schema of the service's config file."""
    return _for_editors(ServiceSettings.model_json_schema(), "Config file of canary-analyzer")


def annotation_schema() -> dict[str, Any]:
    """Return the schema of the YAML in the annotation canary-analyzer.io/config, and of a profile."""
    return _for_editors(RolloutPolicy.model_json_schema(), "Annotation canary-analyzer.io/config")


def _for_editors(schema: dict[str, Any], title: str) -> dict[str, Any]:
    kinds = schema["$defs"]
    # Metrics of one's own come with their queries, beside `analysis`; these are what the judge makes of them.
    del kinds["Policy"]["properties"]["metrics"], kinds["MetricRule"]
    for kind in (schema, *kinds.values()):
        _describe(kind)
    return {"$schema": _DIALECT, **schema, "title": title}


def _describe(kind: dict[str, Any]) -> None:
    """Give the fields of a dataclass what its docstring says of them, and keep the rest as its own description."""
    text, _, arguments = kind.get("description", "").partition("\n\nArgs:\n")
    if text:
        kind["description"] = " ".join(text.partition("\n\nRaises:\n")[0].split())
    properties = kind.get("properties", {})
    for name, said in _arguments(arguments):
        if name in properties:
            properties[name].setdefault("description", said)
    for each in properties.values():
        if "description" in each:
            each["description"] = " ".join(each["description"].split())


def _arguments(text: str) -> Iterator[tuple[str, str]]:
    """Yield each argument with what is said of it."""
    parts = _ARGUMENT.split(text.partition("\n\n")[0])
    yield from zip(parts[1::2], parts[2::2], strict=True)

"""Which policy is in force for a Deployment, and where each value comes from."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from canary_analyzer.cli.service_config import ServiceConfig
from canary_analyzer.rollout import annotations
from canary_analyzer.rollout.policy import PROFILES, RolloutPolicy


@dataclass(frozen=True, kw_only=True)
class Value:
    """One field of the policy."""

    field: str
    """Its path, with dots."""
    value: object
    source: str


def effective(policy: RolloutPolicy, profile: str, annotation: str, config: ServiceConfig) -> list[Value]:
    """Return every field of a policy with where it was given.

    Args:
        policy: in force.
        profile: the name of the profile it is made from.
        annotation: the YAML of the annotation `config`.
        config: of the service.
    """
    built_in = profile if profile in PROFILES else annotations.DEFAULT_PROFILE
    in_file = (config.written.get("profiles") or {}).get(profile) or {}
    layers = (
        ("annotation config", yaml.safe_load(annotation) or {}),
        (f"{config.source}: profiles.{profile}", in_file),
    )
    return [
        Value(
            field=".".join(path),
            value=value,
            source=next((name for name, fields in layers if _gives(fields, path)), f"built-in profile {built_in}"),
        )
        for path, value in _leaves(policy.model_dump(mode="json", exclude={"analysis": {"metrics"}}))
    ]


def _leaves(fields: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    for name, value in fields.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, (*path, name))
        else:
            yield (*path, name), value


def _gives(fields: object, path: tuple[str, ...]) -> bool:
    """Whether a layer has a value at the path, or one that stands for all below."""
    for name in path:
        if not isinstance(fields, Mapping):
            return True
        if name not in fields:
            return False
        fields = fields[name]
    return True

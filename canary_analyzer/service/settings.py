"""The config file: where things are, and the policies by name."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import Field, ValidationError, field_validator

from canary_analyzer.rollout.fields import Seconds, Settings
from canary_analyzer.rollout.policy import PROFILES, RolloutPolicy, merged, mistakes


class Misconfigured(ValueError):
    """A config that cannot be used; `mistakes` holds one sentence for each."""

    def __init__(self, source: str, found: tuple[str, ...]) -> None:
        super().__init__("\n".join([f"{source}: {len(found)} mistake(s), nothing was started", *found]))
        self.mistakes = found


class PrometheusSettings(Settings):
    """Where the samples come from."""

    url: Annotated[str, Field(pattern=r"^https?://")] = "http://prometheus.istio-system:9090"
    timeout_seconds: Seconds = 10.0
    staleness_seconds: Seconds = 15.0
    """A newest sample older than this, than three ticks and than 2.5 scrape intervals as seen, counts as no metrics."""


class HttpSettings(Settings):
    """Where the service's own metrics and health are served; read-only."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8080
    """0 lets the system choose a free one."""


class ServiceSettings(Settings):
    """Everything the service is told at its start."""

    namespaces: tuple[str, ...] = ()
    """Namespaces that are watched; none means all."""
    prometheus: PrometheusSettings = PrometheusSettings()
    http: HttpSettings = HttpSettings()
    workers: Annotated[int, Field(ge=1, le=256)] = 16
    """Runs that may be taken forward at the same moment."""
    profiles: Mapping[str, RolloutPolicy] = PROFILES

    @field_validator("profiles", mode="before")
    @classmethod
    def _upon_built_in(cls, given: Any) -> Any:
        """Lay each given profile upon the built-in one of that name, or upon `standard`."""
        if not isinstance(given, Mapping) or not all(isinstance(fields, Mapping) for fields in given.values()):
            return given  # pydantic says what is wrong with it
        built_in = {name: policy.model_dump(mode="json") for name, policy in PROFILES.items()}
        laid = {name: merged(built_in.get(name, built_in["standard"]), fields) for name, fields in given.items()}
        return {**built_in, **laid}


def load(path: Path | None, over: Mapping[str, Any] | None = None) -> ServiceSettings:
    """Read a config file; without one, the defaults hold.

    Args:
        path: of the file.
        over: fields that the command line replaces.

    Raises:
        Misconfigured: with every mistake, each with its field.
    """
    source = str(path) if path is not None else "command line"
    try:
        fields = (yaml.safe_load(path.read_text()) or {}) if path is not None else {}
        if not isinstance(fields, Mapping):
            raise Misconfigured(source, (f"it holds {fields!r}: write fields, such as 'prometheus: {{url: ...}}'",))
        return ServiceSettings.model_validate(merged(fields, over or {}))
    except OSError as error:
        raise Misconfigured(source, (f"it cannot be read: {error.strerror}",)) from error
    except yaml.YAMLError as error:
        raise Misconfigured(source, (f"it is not YAML: {error}",)) from error
    except ValidationError as error:
        raise Misconfigured(source, mistakes(error)) from error

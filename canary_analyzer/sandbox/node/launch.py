"""From a container's spec and an image to the process to start; pure."""

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from canary_analyzer.sandbox.images import Image

Document = dict[str, Any]
DEFAULT_PORT = 8080
REFERENCE = re.compile(r"\$(\$|\([A-Za-z_][A-Za-z0-9_.-]*\))")


class ConfigurationError(Exception):
    """The container's spec asks for something that a sandbox node cannot give."""


@dataclass(frozen=True, kw_only=True)
class Launch:
    """A process to be started: command line and the variables that the pod adds to the node's environment."""

    command: tuple[str, ...]
    environment: Mapping[str, str]


def launch(pod: Document, container: Document, image: Image, address: str) -> Launch:
    """Lay the container's command, args and env over those of the image.

    Raises:
        ConfigurationError: an environment variable comes from where a sandbox node cannot look.
    """
    environment = {"HOST": address, "PORT": str(first_port(container)), "HOSTNAME": pod["metadata"]["name"]}
    # In order: a value may refer to those before it.
    for name, value in image.environment.items():
        environment[name] = expand(value, environment)
    for each in container.get("env") or ():
        environment[each["name"]] = expand(_value(each, pod, address), environment)
    if container.get("envFrom"):
        raise ConfigurationError("envFrom is not supported in the sandbox: write the variables under env")
    command = tuple(container.get("command") or image.command) + tuple(container.get("args") or ())
    return Launch(command=_interpreted([expand(part, environment) for part in command]), environment=environment)


def first_port(container: Document) -> int:
    """The port that a container says it listens on."""
    ports: Sequence[Document] = container.get("ports") or ()
    return int(ports[0]["containerPort"]) if ports else DEFAULT_PORT


def expand(text: str, environment: Mapping[str, str]) -> str:
    """Replace `$(NAME)` where NAME is known; `$$` is one dollar sign (Kubernetes' rule for command, args and env)."""

    def replacement(match: re.Match[str]) -> str:
        name = match[1].strip("()")
        return environment.get(name, match[0]) if name != "$" else "$"

    return REFERENCE.sub(replacement, text)


def _interpreted(command: Sequence[str]) -> tuple[str, ...]:
    # The interpreter that has the application's libraries, whatever PATH says.
    return (sys.executable, *command[1:]) if command[0] == "python" else tuple(command)


def _value(variable: Document, pod: Document, address: str) -> str:
    if "valueFrom" not in variable:
        return str(variable.get("value", ""))
    path = (variable["valueFrom"].get("fieldRef") or {}).get("fieldPath")
    fields = {
        "metadata.name": pod["metadata"]["name"],
        "metadata.namespace": pod["metadata"]["namespace"],
        "metadata.uid": pod["metadata"]["uid"],
        "spec.nodeName": pod["spec"].get("nodeName", ""),
        # Not as in the API: this is the one that a process here can listen on.
        "status.podIP": address,
        "status.hostIP": "127.0.0.1",
    }
    if path not in fields:
        name = variable["name"]
        raise ConfigurationError(f"env {name}: only value and fieldRef of {', '.join(fields)} work in the sandbox")
    return str(fields[path])

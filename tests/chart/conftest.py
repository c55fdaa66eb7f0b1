"""helm as a user runs it, and the tools that check what it makes."""

import json
import os
import runpy
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "chart"
KUBERNETES = "1.33"
"""What the charts are rendered for and checked against; helm's own idea of it depends on how it was built."""
RELEASE, NAMESPACE = "canary-analyzer", "shop"
PATH = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])


def needed(tool: str) -> str:
    """Return the tool's path; where it is missing the test fails in CI, and is skipped with a message elsewhere."""
    if found := shutil.which(tool, path=PATH):
        return found
    reason = f"{tool} is not on PATH: make setup installs it, where it can"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


class Helm:
    """The helm command."""

    def __init__(self, path: str) -> None:
        self._path = path

    def run(self, *arguments: str | Path, given: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run([self._path, *arguments], input=given, capture_output=True, text=True, timeout=60)

    def template(self, values: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the rendered objects."""
        answer = self.attempt(json.dumps(values))
        assert answer.returncode == 0, answer.stderr
        return [document for document in yaml.load_all(answer.stdout, Loader=yaml.CSafeLoader) if document]

    @cache  # noqa: B019  (lives as long as the tests)
    def attempt(self, values: str) -> subprocess.CompletedProcess[str]:
        """Render from values in JSON, which is YAML too; what helm answers may be a refusal."""
        place = ("--namespace", NAMESPACE, "--kube-version", KUBERNETES)
        return self.run("template", RELEASE, CHART, *place, "--values", "-", given=values)


@pytest.fixture(scope="session")
def helm() -> Helm:
    return Helm(needed("helm"))


@pytest.fixture(scope="session")
def chart() -> Path:
    return CHART


@pytest.fixture(scope="session")
def kubernetes_version() -> str:
    return KUBERNETES


@pytest.fixture(scope="session")
def generate() -> dict[str, Any]:
    """What chart/generate.py defines."""
    return runpy.run_path(str(CHART / "generate.py"))


@pytest.fixture(scope="session")
def need() -> Callable[[str], str]:
    """Find a tool, or end the test."""
    return needed


@pytest.fixture(scope="session")
def dockerfiles() -> SimpleNamespace:
    """What dockerfiles.py defines."""
    return SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("dockerfiles.py"))))


@pytest.fixture
def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port


@pytest.fixture
def render(helm) -> Callable[..., list[dict[str, Any]]]:
    """Render the chart with some values."""
    return lambda **values: helm.template(values)

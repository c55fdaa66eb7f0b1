"""Dockerfiles read, and their steps done in a folder instead of an image."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOTED = re.compile(r"(?<![\w.}$/-])/(opt|src)\b")
"""Paths of the image that its steps write to."""


@dataclass(frozen=True, kw_only=True)
class Instruction:
    """One line of a Dockerfile, continuations joined; `stage` counts from 0."""

    stage: int
    name: str
    text: str


def parse(path: Path) -> list[Instruction]:
    """Read a Dockerfile."""
    return list(_instructions(re.sub(r"\\\n", " ", path.read_text())))


def _instructions(text: str) -> Iterator[Instruction]:
    stage = -1
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            name, _, rest = line.partition(" ")
            stage += name == "FROM"
            yield Instruction(stage=stage, name=name, text=" ".join(rest.split()))


def build(path: Path, root: Path, python: str) -> dict[str, str]:
    """Do what a Dockerfile says with `root` for the image's own folders; return the environment of its last stage.

    All stages share the folder, so that a copy from one to another has nothing to do. Base images are this machine.
    """
    tools = root / "bin"
    tools.mkdir(parents=True)
    (tools / "python").symlink_to(python)
    usual = {name: os.environ[name] for name in os.environ if name.startswith(("PIP_", "SSL_"))}
    usual["PATH"] = os.pathsep.join([str(tools), "/usr/bin", "/bin"])
    environment, place = usual, root
    for each in parse(path):
        text = ROOTED.sub(rf"{root}/\1", each.text)
        match each.name:
            case "FROM":
                environment = dict(usual)
            case "ENV":
                environment |= _assigned(text, environment)
            case "WORKDIR":
                place = Path(text)
                place.mkdir(parents=True)
            case "COPY" if not text.startswith("--from"):
                *sources, target = text.split()
                _copy(path.parent, sources, place / target)
            case "RUN":
                subprocess.run(text, shell=True, check=True, cwd=place, env=environment, timeout=900)
    return environment


def _assigned(text: str, environment: dict[str, str]) -> dict[str, str]:
    pairs = (pair.split("=", 1) for pair in text.split())
    return {name: re.sub(r"\$(\w+)", lambda found: environment.get(found[1], ""), value) for name, value in pairs}


def _copy(context: Path, sources: list[str], target: Path) -> None:
    for source in (found for pattern in sources for found in context.glob(pattern)):
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            target.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)

"""The file that says which process stands for which image; its format is explained in `images.yaml`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import yaml
from pydantic import ConfigDict, TypeAdapter, ValidationError

DEFAULT = Path(__file__).with_name("images.yaml")


@dataclass(frozen=True, kw_only=True)
class Image:
    """A process: its command line, and the environment on which a container's `env` is laid."""

    __pydantic_config__: ClassVar[ConfigDict] = {"extra": "forbid"}

    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """An image without a command cannot run."""
        if not self.command:
            raise ValueError("is empty: name the process to start")


Images = Mapping[str, Image]
_FORMAT: TypeAdapter[dict[str, Image]] = TypeAdapter(dict[str, Image])


def load(path: Path = DEFAULT) -> Images:
    """Read a file of images.

    Raises:
        OSError: the file cannot be read.
        ValueError: lists every mistake with the field that holds it.
    """
    try:
        content = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        raise ValueError(f"{path}: not YAML: {error}") from error
    if not isinstance(content, dict) or "images" not in content:
        raise ValueError(f"{path}: images: missing: list the images under this key, as in {DEFAULT.name}")
    try:
        return _FORMAT.validate_python(content["images"])
    except ValidationError as error:
        mistakes = (f"images.{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        raise ValueError(f"{path}: " + "; ".join(mistakes)) from error

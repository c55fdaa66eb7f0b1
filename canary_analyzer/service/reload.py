"""The config file, read again while the service runs: when it changes, or on SIGHUP.

A ConfigMap that is mounted changes by the swap of a symbolic link, of which no watch on the file itself would hear; so
the content is looked at every few seconds. A config with mistakes changes nothing: the one before stays in force.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

import structlog
from prometheus_client import CollectorRegistry, Gauge

from canary_analyzer.service.settings import Misconfigured, ServiceSettings, load

log = structlog.get_logger()

POLL_SECONDS = 5.0
AT_START = frozenset({"namespaces", "http", "replicas", "workers"})
"""Fields that wait for the next start; all others are taken over at once.

The chart starts its pods anew when one of these changes, and only then: chart/templates/deployment.yaml names them too.
"""


@dataclass(frozen=True, kw_only=True)
class ConfigFile:
    """Where the config is, and what the command line puts in its place."""

    path: Path
    over: Mapping[str, Any] = field(default_factory=dict)

    def load(self) -> ServiceSettings:
        """Read it.

        Raises:
            Misconfigured: with every mistake.
        """
        return load(self.path, self.over)

    @property
    def content(self) -> str:
        """A hash of what it holds; empty where it cannot be read."""
        try:
            return hashlib.sha256(self.path.read_bytes()).hexdigest()
        except OSError:
            return ""


class Reloader:
    """Keeps the settings in force up to date with their file."""

    def __init__(
        self,
        file: ConfigFile,
        settings: ServiceSettings,
        apply: Callable[[ServiceSettings], None],
        registry: CollectorRegistry,
        on_defect: Callable[[], None],
    ) -> None:
        self._file, self._settings, self._apply, self._on_defect = file, settings, apply, on_defect
        self._content = ""  # unknown: what was read at the start may have changed since
        self._asked = Event()
        self._success = Gauge(
            "canary_analyzer_config_reload_success",
            "1 where the config file's newest content is in force, 0 where it has mistakes and the one before stays.",
            registry=registry,
        )
        self._success.set(1)

    def ask(self) -> None:
        """Read the file now, changed or not; may be called from a signal handler."""
        self._asked.set()

    def follow(self) -> None:
        """Look at the file for ever; meant for a daemon thread."""
        while True:
            asked = self._asked.wait(POLL_SECONDS)
            self._asked.clear()
            self.look(anyway=asked)

    def look(self, *, anyway: bool = False) -> None:
        """Take the file's content over where it has changed."""
        content = self._file.content
        if content == self._content and not anyway:
            return
        self._content = content
        try:
            self._read()
        except Exception:
            self._success.set(0)
            log.exception("the config file could not be taken over by a defect of ours", file=str(self._file.path))
            self._on_defect()

    def _read(self) -> None:
        try:
            settings = self._file.load()
        except Misconfigured as error:
            self._success.set(0)
            log.error(
                "the config file has mistakes; the config before stays in force",
                file=str(self._file.path),
                mistakes=error.mistakes,
            )
        else:
            self._success.set(1)
            self._take_over(settings)

    def _take_over(self, settings: ServiceSettings) -> None:
        changed = {name for name in ServiceSettings.model_fields if _differs(name, settings, self._settings)}
        if at_once := sorted(changed - AT_START):
            self._apply(settings)
            log.info("config taken over; runs under way keep the policy they began with", changed=at_once)
        if later := sorted(changed & AT_START):
            log.warning("changed in the config file, and in force from the next start only", fields=later)
        self._settings = settings


def _differs(name: str, one: ServiceSettings, other: ServiceSettings) -> bool:
    return bool(getattr(one, name) != getattr(other, name))

"""Where the demo shows itself: a live picture in a terminal, plain lines elsewhere."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live

from canary_analyzer.sandbox.demo.view import Scene, line, picture

SECONDS_BETWEEN_LINES = 3


class Screen:
    """Shows scenes on a console; use it as a context manager."""

    def __init__(self, console: Console):
        self._console = console
        self._live = Live(console=console, transient=True, auto_refresh=False) if console.is_terminal else None
        self._last: Scene | None = None

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def say(self, text: str) -> None:
        """Print a line that stays."""
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def show(self, scene: Scene) -> None:
        """Show how things are now; where nothing can be drawn, at each change of phase and every few seconds."""
        if self._live:
            self._live.update(picture(scene), refresh=True)
        elif self._is_news(scene):
            self._last = scene
            self.say(line(scene))

    def _is_news(self, scene: Scene) -> bool:
        last = self._last
        if last is None or (last.image, last.phase) != (scene.image, scene.phase):
            return True
        return scene.seconds - last.seconds >= SECONDS_BETWEEN_LINES

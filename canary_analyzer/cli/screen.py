"""Where a run that is watched shows itself: a live picture in a terminal, lines elsewhere, objects for programs."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer
from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

from canary_analyzer.cli.following import Seen
from canary_analyzer.cli.looking import Look, document
from canary_analyzer.cli.outcome import Standing
from canary_analyzer.cli.picture import line, picture
from canary_analyzer.cli.words import clock, safe

Show = Callable[[Seen], None]

SECONDS_BETWEEN_LINES = 30.0
UNTAKEN_SECONDS = 15.0
"""A service that is there takes a wish up sooner."""
UNTAKEN = "nobody has taken the request up yet: does canary-analyzer run, and watch this namespace?"


@contextmanager
def screen(*, as_json: bool) -> Iterator[Show]:
    """Give what a look is shown with; colours only where they can be seen, and not where NO_COLOR is set."""
    console = Console(highlight=False)
    if as_json:
        yield _Objects().show
    elif console.is_terminal:
        with Live(console=console, auto_refresh=False, vertical_overflow="crop") as live:
            yield lambda seen: live.update(_picture(seen, console), refresh=True)
    else:
        yield Lines().show


def _picture(seen: Seen, console: Console) -> RenderableType:
    if seen.look is None:
        return Text(_without_run(seen))
    return picture(seen.look, (console.width, console.height))


def _without_run(seen: Seen) -> str:
    return safe(f"{seen.state.standing.value}: {seen.state.reason}".removesuffix(": "))


class _Objects:
    """An object a line, whenever something has changed."""

    def __init__(self) -> None:
        self._last: object = None

    def show(self, seen: Seen) -> None:
        """Print what is new."""
        look = seen.look
        now = (look.record.version, look.run.name, look.weight) if look is not None else seen.state.standing
        if now != self._last:
            self._last = now
            typer.echo(json.dumps(document(look) if look is not None else {"standing": seen.state.standing.value}))


class Lines:
    """The story as it goes on, and now and then how things are."""

    def __init__(self) -> None:
        self._told = 0.0
        self._began = self._last = time.monotonic()
        self._warned = False

    def show(self, seen: Seen) -> None:
        """Print what is new."""
        if seen.look is not None:
            self._tell(seen.look)
        elif seen.state.standing is Standing.ASKED and time.monotonic() - self._began > UNTAKEN_SECONDS:
            self._warn()

    def _tell(self, look: Look) -> None:
        for moment in look.run.timeline:
            if moment.at > self._told:
                typer.echo(safe(f"{clock(moment.at)}  {moment.phase:<16}  {moment.weight:3} %  {moment.text}"))
        self._told = max((moment.at for moment in look.run.timeline), default=self._told)
        if not look.run.ended and time.monotonic() - self._last >= SECONDS_BETWEEN_LINES:
            self._last = time.monotonic()
            typer.echo(f"{clock(look.now)}  {line(look)}")

    def _warn(self) -> None:
        if not self._warned:
            self._warned = True
            typer.echo(UNTAKEN, err=True)

"""Numbers and times as people read them, and foreign text made safe for a terminal."""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime

from canary_analyzer.cli.verb import Trouble

_DURATION = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?")


def seconds_of(text: str) -> float:
    """Read a duration as Kubernetes' tools do: `30m`, `1h30m`, `90s`; a bare number is seconds.

    Raises:
        Trouble: it is none.
    """
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    found = _DURATION.fullmatch(text)
    if not text or found is None:
        raise Trouble(f"{text!r} is no duration; write 30m, 1h30m or 90s")
    hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return 3600 * hours + 60 * minutes + seconds


def duration(seconds: float) -> str:
    """Return 75 as `1m15s`."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02}m" if hours else f"{minutes}m{rest:02}s" if minutes else f"{rest}s"


def clock(at: float) -> str:
    """Return the local time of day."""
    return datetime.fromtimestamp(at).astimezone().strftime("%H:%M:%S")


def date(at: float) -> str:
    """Return the local date and time of day."""
    return datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%d %H:%M")


def safe(text: str) -> str:
    """Take away what could steer a terminal: others wrote it."""
    return "".join(each if each.isprintable() else " " for each in text)


def effect(value: float | None, *, is_share: bool) -> str:
    """Say an effect: of shares in percentage points, of times as a factor."""
    if value is None:
        return "?"
    return f"{100 * value:+.2f}" if is_share else f"x{value:.2f}"


def columns(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return lines with their columns below each other, as kubectl prints them."""
    table = [list(header), *([safe(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return ["   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table]

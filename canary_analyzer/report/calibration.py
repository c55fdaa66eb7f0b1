"""What a policy will catch, as a table, as JSON and as a picture."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rich.table import Table

from canary_analyzer.analysis.calibrate import IDENTICAL, Row

_SURE = 0.8
"""A regression found in fewer runs than this is one that the policy does not catch."""
_GOOD, _BAD = "#7f7f7f", "#c44e52"


def table(rows: Sequence[Row]) -> Table:
    """Return the rows for a terminal: how many were aborted and after how long (median), bad requests served (mean)."""
    made = Table(box=None, pad_edge=False, padding=(0, 1))
    made.add_column("canary", no_wrap=True)
    for title in ("aborted", "95 % range", "after", "promoted", "bad reqs"):
        made.add_column(title, justify="right", no_wrap=True)
    for row in rows:
        made.add_row(
            row.name,
            f"{100 * row.aborted / row.runs:.0f} %",
            f"{100 * row.low:.1f}-{100 * row.high:.1f}",
            duration(row.seconds_to_abort),
            f"{100 * row.promoted / row.runs:.0f} %",
            f"{row.bad_requests:.0f}",
        )
    return made


def answer(rows: Sequence[Row], requests_per_second: float) -> str:
    """Return in sentences what the policy will catch at this traffic."""
    found = [row.name for row in rows if row.name != IDENTICAL and row.aborted / row.runs >= _SURE]
    missed = [row.name for row in rows if row.name != IDENTICAL and row.name not in found]
    sentences = [f"At {requests_per_second:g} requests/s this policy catches: {', '.join(found) or 'nothing'}."]
    if missed:
        sentences.append(
            f"It misses at least one in five of: {', '.join(missed)}; more requests would find them (longer steps or "
            "larger weights), or a larger alpha."
        )
    for row in rows:
        if row.name == IDENTICAL:
            sentences += [
                f"It aborts an identical canary with a chance of at most {_percent(row.high)} (95 %), "
                f"and promotes one after {duration(row.seconds_to_promotion)}."
            ]
    return "\n".join(sentences)


def document(rows: Sequence[Row], asked: Mapping[str, Any]) -> str:
    """Return the rows as JSON, with what was asked; a time that no run took is null."""
    numbers = [
        {key: None if isinstance(value, float) and math.isnan(value) else value for key, value in asdict(row).items()}
        for row in rows
    ]
    return json.dumps({**asked, "rows": numbers}, indent=2)


def is_drawable(path: Path) -> bool:
    """Return whether a file of this ending can be drawn."""
    return path.suffix in (".svg", ".png", ".pdf")


def plot(rows: Sequence[Row], title: str, path: Path) -> None:
    """Draw how often and how soon each canary is aborted, into a file that `is_drawable`.

    Raises:
        OSError: The file cannot be written.
    """
    figure = Figure(figsize=(10, 1.2 + 0.4 * len(rows)), layout="constrained")
    often, soon = figure.subplots(1, 2, sharey=True)
    figure.suptitle(title)
    _often(often, rows)
    _soon(soon, rows)
    figure.savefig(path)


def _often(axes: Axes, rows: Sequence[Row]) -> None:
    shares = [100 * row.aborted / row.runs for row in rows]
    reach = [[share - 100 * row.low for share, row in zip(shares, rows, strict=True)]]
    reach.append([100 * row.high - share for share, row in zip(shares, rows, strict=True)])
    axes.barh([row.name for row in rows], shares, xerr=reach, color=_colours(rows), capsize=3)
    axes.set(xlim=(0, 105), xlabel="aborted, % of runs (95 % interval)")
    axes.invert_yaxis()


def _soon(axes: Axes, rows: Sequence[Row]) -> None:
    axes.barh([row.name for row in rows], [row.seconds_to_abort for row in rows], color=_colours(rows))
    axes.set(xlabel="median time to abort, s")


def _colours(rows: Sequence[Row]) -> list[str]:
    return [_GOOD if row.name == IDENTICAL else _BAD for row in rows]


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def duration(seconds: float) -> str:
    """Return minutes and seconds, such as 3:05 min; a dash for no time."""
    if math.isnan(seconds):
        return "-"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d} min"

"""Tables of figures: on the terminal, and in the pages that show them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import rich.table
from rich.console import Console

PAGE = Path(__file__).parents[2] / "docs/statistics.md"


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows of figures under a title; the first column names the rows."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


def printed(table: Table) -> None:
    """Print a table; a wide one is not folded."""
    shown = rich.table.Table(title=table.title, title_justify="left", box=None)
    for index, column in enumerate(table.columns):
        shown.add_column(column, justify="right" if index else "left", no_wrap=True)
    for row in table.rows:
        shown.add_row(*row)
    Console(width=160).print(shown, "")


def written(table: Table, name: str) -> None:
    """Put a table between `<!-- measured: NAME -->` and `<!-- end -->` of the page."""
    lines = [table.columns, ["---", *("---:" for _ in table.columns[1:])], *table.rows]
    rows = "\n".join(f"| {' | '.join(cell.strip() for cell in line)} |" for line in lines)
    part = re.compile(rf"(<!-- measured: {re.escape(name)} -->\n).*?(<!-- end -->)", re.DOTALL)
    made, found = part.subn(lambda at: f"{at[1]}\n{table.title}\n\n{rows}\n\n{at[2]}", PAGE.read_text())
    if not found:
        raise ValueError(f"{PAGE}: no part <!-- measured: {name} -->: write one, with <!-- end --> behind it")
    PAGE.write_text(made)

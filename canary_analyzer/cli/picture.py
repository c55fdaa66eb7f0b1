"""A run as a picture in a terminal, and as a line where there is none."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from canary_analyzer.cli.looking import Look
from canary_analyzer.cli.words import clock, duration, effect, safe
from canary_analyzer.report.words import shares
from canary_analyzer.rollout.advice import what_now
from canary_analyzer.rollout.phases import Phase
from canary_analyzer.rollout.story import Figures

WIDE = 140
"""Columns from which each metric's sentence stands beside its bars."""
_WHY, _NEXT = 4, 5
"""Lines at most for the sentence of reason, and for what to do."""
_USED = 10 + _NEXT
"""Lines that are not of the story, metrics and reason not counted."""
COLOURS = {
    Phase.SUCCEEDED: "green",
    Phase.PROMOTING: "green",
    Phase.ABORTED: "red",
    Phase.ABORTING: "red",
    Phase.REFUSED: "red",
    Phase.HOLDING: "yellow",
    Phase.AWAITING_APPROVAL: "yellow",
}


def phase(of: Phase) -> Text:
    """Return a phase in its colour."""
    return Text(of, style=COLOURS.get(of, "cyan"))


def line(look: Look) -> str:
    """Return a run in one line, for logs."""
    worst = max((figures.against or 0.0 for figures in look.story.newest), default=None)
    evidence = f"  against {worst:.2f}" if worst is not None else ""
    goal = look.waits_for or look.run.reason
    return safe(
        f"{look.run.name}  {look.run.phase}  {_weights(look)}{evidence}  {duration(look.seconds)}"
        + (f"  waits for {goal}" if look.waits_for else f"  {goal}")
    )


def picture(look: Look, size: tuple[int, int]) -> RenderableType:
    """Return all that is known of a run, fitted to so many columns and lines."""
    columns, lines = size
    parts: list[RenderableType] = [_head(look), Text()]
    if look.story.metrics:
        parts += [_metrics(look, columns), _requests(look), Text()]
    why = [_cut(f"Why: {look.run.reason}", _WHY * columns), Text()] if look.run.reason else []
    room = max(3, lines - _USED - len(look.story.metrics) - (_WHY + 1 if why else 0))
    parts += [*_story(look, room, columns), Text(), *why, _cut(f"Next: {what_now(look.run)}", _NEXT * columns)]
    return Group(*parts)


def _head(look: Look) -> RenderableType:
    run = look.run
    title = Text.assemble((run.name, "bold"), "  ", phase(run.phase), f"  {run.strategy}  {duration(look.seconds)}")
    images = ", ".join(f"{run.stable_images.get(name, '?')} -> {image}" for name, image in run.images.items())
    facts = Table.grid(padding=(0, 2))
    facts.add_row("version", Text(safe(images)))
    facts.add_row("weight", Text.assemble(_weights(look), "  ", *_bar(run.weight / 100, 20, "cyan")))
    if look.waits_for:
        facts.add_row("waits for", Text(safe(look.waits_for)))
    return Group(title, facts)


def _weights(look: Look) -> str:
    """Return the weight that is wanted, that of the routes, and the share of the requests that the canary got."""
    route = f"{look.weight} %" if look.weight is not None else "-"
    seen = f"{look.seen:.1f} %" if look.seen is not None else "-"
    return f"wanted {look.run.weight} %  route {route}  seen {seen}"


def _metrics(look: Look, columns: int) -> Table:
    wide = columns >= WIDE
    table = Table(box=None, pad_edge=False, header_style="bold", expand=wide)
    for title in ("metric", "worse", "good", "effect (interval)"):
        table.add_column(title, no_wrap=True)
    if wide:
        table.add_column("in words", ratio=1)
    of_shares = shares(look.run.policy)
    for name, reason, figures in zip(look.story.metrics, look.story.reasons, look.story.newest, strict=False):
        bars = _evidence(figures, 24 if wide else 10)
        effects = _effect(figures, is_share=name in of_shares)
        table.add_row(Text(safe(name)), *bars, effects, *([Text(safe(reason))] if wide else []))
    return table


def _evidence(figures: Figures, width: int) -> Iterator[RenderableType]:
    for value, colour in ((figures.against, "red"), (figures.favour, "green")):
        said = f" {value:5.2f}" if value is not None else "     -"
        yield Text.assemble(*_bar(value or 0.0, width, colour), said)


def _effect(figures: Figures, *, is_share: bool) -> Text:
    value, low, high = (effect(each, is_share=is_share) for each in (figures.effect, figures.low, figures.high))
    return Text(f"{value} ({low} to {high}){' pp' if is_share else ''}")


def _requests(look: Look) -> Text:
    samples = look.story.all_samples
    arms = [
        f"{arm} {sum(getattr(s.requests, arm) for s in samples):,} requests, "
        f"{sum(getattr(s.errors, arm) for s in samples):,} failed"
        for arm in ("canary", "baseline")
    ]
    as_of = f"; as of {clock(samples[-1].at)}" if samples else ""
    return Text("; ".join(arms) + as_of, style="dim")


def _story(look: Look, most: int, columns: int) -> Iterator[RenderableType]:
    for moment in look.run.timeline[-most:]:
        yield _cut(f"{clock(moment.at)}  {moment.weight:3} %  {moment.text}", columns)


def _bar(share: float, width: int, colour: str) -> tuple[tuple[str, str], tuple[str, str]]:
    full = round(min(max(share, 0.0), 1.0) * width)
    return ("█" * full, colour), ("░" * (width - full), "dim")


def _cut(text: str, length: int) -> Text:
    shown = Text(safe(text))
    shown.truncate(length, overflow="ellipsis")
    return shown

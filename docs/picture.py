"""The picture of a verdict for README: two plots of a run's page and its sentence, as one SVG for light and dark."""

import re
import textwrap
from html import escape
from pathlib import Path

from canary_analyzer.report import plots, words
from canary_analyzer.rollout.run import Run
from canary_analyzer.rollout.story import Story

STYLE = Path(plots.__file__).parent / "templates/style.css"
ROOTS = re.compile(r"^:root \{.*?^\}$|^@media \(prefers-color-scheme: dark\) \{.*?^\}$", re.DOTALL | re.MULTILINE)
WIDTH, PLOT_WIDTH, PLOT_HEIGHT, LINE, MARGIN = 960, 450, 225, 19, 20
LETTERS = 125
"""Letters of the sentence that fit into a line."""
REASON_LENGTH = 620


def draw(run: Run, story: Story) -> str:
    """Return an SVG of what a run's verdict was, and by what it was reached."""
    sentence = textwrap.wrap(textwrap.shorten(run.reason, REASON_LENGTH, placeholder=" …"), LETTERS)
    top = 80
    below = top + PLOT_HEIGHT + 35
    height = below + LINE * len(sentence) + MARGIN // 2
    title = f"{run.name}: {words.versions(run)}"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" aria-labelledby="title">',
        f'<title id="title">{escape(title)}: {escape(run.phase)}. {escape(run.reason)}</title>',
        f"<style>{_colours()} text {{ font-family: system-ui, sans-serif; fill: var(--ink); }}</style>",
        f'<rect width="{WIDTH}" height="{height}" rx="8" style="fill: var(--paper)"/>',
        _text(MARGIN, 32, title, "font-size: 18px; font-weight: 600"),
        _text(WIDTH - MARGIN, 32, run.phase, "font-size: 16px; font-weight: 600; text-anchor: end; fill: var(--bad)"),
        _text(MARGIN, 65, "Requests failed, with 95 % intervals", "font-size: 14px"),
        _text(WIDTH // 2 + 10, 65, "Evidence that the canary is worse", "font-size: 14px"),
        _placed(plots.error_rates(story), MARGIN // 2, top),
        _placed(plots.evidence(story, "against"), WIDTH // 2, top),
        *(_text(MARGIN, below + LINE * row, text, "font-size: 14px") for row, text in enumerate(sentence)),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _colours() -> str:
    """Return the variables of the status page, which know light from dark."""
    return "\n".join(ROOTS.findall(STYLE.read_text()))


def _text(x: int, y: int, text: str, style: str) -> str:
    return f'<text x="{x}" y="{y}" style="{style}">{escape(text)}</text>'


def _placed(plot: str, x: int, y: int) -> str:
    """Return a plot as a part of a larger picture; its width and height are in points of its own."""
    return re.sub(
        r'^<svg ([^>]*?)width="[^"]*"([^>]*?)height="[^"]*"|^<svg ([^>]*?)height="[^"]*"([^>]*?)width="[^"]*"',
        lambda found: (
            f'<svg x="{x}" y="{y}" width="{PLOT_WIDTH}" height="{PLOT_HEIGHT}" {"".join(filter(None, found.groups()))}'
        ),
        plot,
        count=1,
    )

"""The pictures of a run as SVG, coloured by the page's own style, so that they follow light and dark."""

import io
from collections.abc import Callable, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.stats import beta

from canary_analyzer.rollout.story import Arms, Latency, Sample, Story

Floats = NDArray[np.float64]

INK, FAINT, CANARY, BASELINE, LIMIT = "#010101", "#020202", "#030303", "#040404", "#050505"
SERIES = ("#060606", "#070707", "#080808", "#090909", "#0a0a0a", "#0b0b0b")
VARIABLES = {
    INK: "--ink",
    FAINT: "--faint",
    CANARY: "--canary",
    BASELINE: "--baseline",
    LIMIT: "--limit",
    **{colour: f"--series-{i}" for i, colour in enumerate(SERIES)},
}
"""matplotlib draws with these colours; in the SVG each becomes a variable of the page's style sheet."""

STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": FAINT,
    "grid.alpha": 0.35,
    "grid.linewidth": 0.6,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "text.parse_math": False,
}

LABEL_LENGTH = 24
"""Characters of a metric's name in a legend."""
MARGINS = {"left": 0.115, "right": 0.965, "top": 0.88, "bottom": 0.2}
"""Shares of the picture; a layout that measures its texts would take as long as all the drawing."""
Draw = Callable[[Axes], None]


def weight(story: Story) -> Markup:
    """Return the weight that was wanted and the share of requests that was observed, over time."""
    samples = story.all_samples
    return _svg("weight", lambda axes: _weight(axes, samples))


def error_rates(story: Story) -> Markup:
    """Return both arms' error rate per sample with its 95 % interval (Clopper & Pearson), over time."""
    samples = story.all_samples
    return _svg("errors", lambda axes: _error_rates(axes, samples))


def latencies(latency: Latency) -> Markup:
    """Return the share of requests that were answered within a time, for both arms."""
    return _svg("latency", lambda axes: _latencies(axes, latency))


def evidence(story: Story, side: str) -> Markup:
    """Return the evidence per metric over time with its threshold; `side` is `against` or `favour`."""
    return _svg(f"evidence-{side}", lambda axes: _evidence(axes, story, side))


def _svg(name: str, draw: Draw) -> Markup:
    with mpl.rc_context({**STYLE, "svg.hashsalt": name}):
        figure = Figure(figsize=(5.4, 2.7))
        figure.subplots_adjust(**MARGINS)
        axes = figure.subplots()
        draw(axes)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(
                loc="upper left",
                fontsize=9,
                ncols=4,
                columnspacing=1.2,
                handlelength=1.4,
                bbox_to_anchor=(0, 1.16),
                borderaxespad=0,
            )
        text = io.StringIO()
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    drawing = text.getvalue()
    for colour, variable in VARIABLES.items():
        drawing = drawing.replace(colour, f"var({variable})")
    # matplotlib has escaped what came from outside: the names of metrics.
    return Markup(drawing[drawing.index("<svg") :])  # noqa: S704


def _weight(axes: Axes, samples: Sequence[Sample]) -> None:
    times = _times(samples)
    axes.step(times, [s.weight for s in samples], where="pre", color=INK, label="weight wanted")
    seen = [
        (t, 100 * s.requests.canary / _total(s.requests))
        for t, s in zip(times, samples, strict=True)
        if _total(s.requests)
    ]
    axes.plot([t for t, _ in seen], [share for _, share in seen], ".", color=CANARY, label="share observed")
    axes.set_ylim(0, None)
    axes.set_ylabel("% of requests")
    _time_axis(axes, samples)


def _error_rates(axes: Axes, samples: Sequence[Sample]) -> None:
    curves = []
    for arm, colour in (("baseline", BASELINE), ("canary", CANARY)):
        seen = [s for s in samples if getattr(s.requests, arm)]
        trials = np.array([getattr(s.requests, arm) for s in seen], dtype=float)
        errors = np.array([getattr(s.errors, arm) for s in seen], dtype=float)
        low, high = _clopper_pearson(errors, trials)
        times = _times(seen)
        curves.append(100 * errors / trials)
        axes.fill_between(times, 100 * low, 100 * high, color=colour, alpha=0.18, linewidth=0)
        axes.plot(times, curves[-1], color=colour, label=arm)
    # The intervals of thin samples are wide; scaled to them, the curves would lie flat on the axis.
    axes.set_ylim(0, 1.5 * max([1.0, *(float(line.max()) for line in curves if line.size)]))
    axes.set_ylabel("% of requests failed")
    _time_axis(axes, samples)


def _latencies(axes: Axes, latency: Latency) -> None:
    edges = np.array(latency.edges_ms)
    for arm, counts, colour in (("baseline", latency.baseline, BASELINE), ("canary", latency.canary, CANARY)):
        total = sum(counts)
        if total:
            axes.plot(edges, 100 * np.cumsum(counts)[:-1] / total, marker=".", color=colour, label=arm)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    seen = np.flatnonzero(np.array(latency.canary) + np.array(latency.baseline))
    axes.set_xlim(edges[max(seen[0] - 1, 0)], edges[min(seen[-1] + 1, edges.size - 1)])
    axes.set_ylim(0, 102)
    axes.set_xlabel("milliseconds")
    axes.set_ylabel("% answered within")


def _evidence(axes: Axes, story: Story, side: str) -> None:
    samples = [s for s in story.all_samples if s.metrics]
    times = _times(samples)
    for i, name in enumerate(story.metrics):
        values = [getattr(s.metrics[i], side) if i < len(s.metrics) else None for s in samples]
        clipped = [np.nan if value is None else max(value, -0.5) for value in values]
        axes.plot(times, clipped, color=SERIES[i % len(SERIES)], label=name.replace("_", " ")[:LABEL_LENGTH])
    axes.axhline(1, color=LIMIT, linestyle="--", linewidth=1.4)
    axes.annotate("threshold", (1, 1), xycoords=("axes fraction", "data"), ha="right", va="bottom", color=LIMIT)
    axes.set_ylim(-0.5, None)
    axes.set_ylabel("evidence")
    _time_axis(axes, story.all_samples)


def _times(samples: Sequence[Sample]) -> NDArray[np.datetime64]:
    return np.array([round(sample.at) for sample in samples], dtype="datetime64[s]")


def _time_axis(axes: Axes, samples: Sequence[Sample]) -> None:
    """Let all pictures of a run span the same time, so that one can look from one to the other."""
    times = _times(samples)
    if times.size > 1:
        axes.set_xlim(times[0], times[-1])
    locator = AutoDateLocator()  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]


def _total(requests: Arms) -> int:
    return requests.canary + requests.baseline


def _clopper_pearson(hits: Floats, trials: Floats) -> tuple[Floats, Floats]:
    low = np.where(hits > 0, beta.ppf(0.025, hits, trials - hits + 1), 0.0)
    high = np.where(hits < trials, beta.ppf(0.975, hits + 1, trials - hits), 1.0)
    return np.nan_to_num(low), np.nan_to_num(high, nan=1.0)

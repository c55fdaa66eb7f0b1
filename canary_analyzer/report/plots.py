"""The pictures of a run as SVG, coloured by the page's own style, so that they follow light and dark."""

import io
import math
from collections.abc import Callable, Iterator, Sequence
from functools import reduce
from typing import Any

import matplotlib as mpl
import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, DateFormatter
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.special import betaincinv

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
    "font.size": 11,
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

ARMS: dict[str, Any] = {
    "baseline": {"color": BASELINE, "linewidth": 4.0, "alpha": 0.6},
    "canary": {"color": CANARY, "linewidth": 1.6},
}
"""The canary's curve is thin upon a broad one: where they are the same, both are seen."""
TIMES = {240: "%H:%M:%S", 86_400: "%H:%M", math.inf: "%d %b %H:%M"}
"""How times on an axis are written, by the most seconds that it spans."""
LABEL_LENGTH = 24
"""Characters of a metric's name in a legend."""
MOST_RATES = 24
"""Points of a curve of error rates: neighbouring samples are added up, as thin ones tell little."""
LEAST_EVIDENCE = -1.0
"""Lower is drawn as this: what is far from deciding would press the rest together."""
MARGINS = {"left": 0.135, "right": 0.965, "top": 0.87, "bottom": 0.22}
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


def difference(story: Story) -> Markup:
    """Return how much more often the canary's requests failed, with its anytime-valid interval, over time."""
    return _svg("difference", lambda axes: _difference(axes, story))


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
                bbox_to_anchor=(0, 1.18),
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
    curves, pooled = [], list(_pooled(samples))
    for arm, style in ARMS.items():
        seen = [s for s in pooled if getattr(s.requests, arm)]
        trials = np.array([getattr(s.requests, arm) for s in seen], dtype=float)
        errors = np.array([getattr(s.errors, arm) for s in seen], dtype=float)
        low, high = _clopper_pearson(errors, trials)
        times = _times(seen)
        curves.append(100 * errors / trials)
        axes.fill_between(times, 100 * low, 100 * high, color=style["color"], alpha=0.15, linewidth=0)
        axes.plot(times, curves[-1], **style, label=arm)
    # The intervals of thin samples are wide; scaled to them, the curves would lie flat on the axis.
    axes.set_ylim(0, 1.5 * max([1.0, *(float(line.max()) for line in curves if line.size)]))
    axes.set_ylabel("% of requests failed")
    _time_axis(axes, samples)


def _pooled(samples: Sequence[Sample]) -> Iterator[Sample]:
    each = math.ceil(len(samples) / MOST_RATES)
    for start in range(0, len(samples), each):
        yield reduce(Sample.then, samples[start : start + each])


def _difference(axes: Axes, story: Story) -> None:
    number = story.metrics.index("errors")
    samples = [s for s in story.all_samples if len(s.metrics) > number]
    times = _times(samples)
    low, value, high = (
        np.array([_percent(getattr(s.metrics[number], name)) for s in samples]) for name in ("low", "effect", "high")
    )
    axes.axhline(0, color=FAINT, linewidth=1.4)
    axes.fill_between(times, low, high, color=CANARY, alpha=0.15, linewidth=0)
    axes.plot(times, value, color=CANARY, label="canary less baseline")
    # The first intervals are wide; scaled to them, what is known in the end would lie flat on the axis.
    known = np.concatenate([value, low[-1:], high[-1:]])
    least, most = np.nanmin(known, initial=0.0), np.nanmax(known, initial=0.0)
    spare = 0.2 * max(0.5, most - least)
    axes.set_ylim(least - spare, most + spare)
    axes.set_ylabel("points")
    _time_axis(axes, story.all_samples)


def _percent(share: float | None) -> float:
    return np.nan if share is None else 100 * share


def _latencies(axes: Axes, latency: Latency) -> None:
    edges = np.array(latency.edges_ms)
    for arm, style in ARMS.items():
        counts = getattr(latency, arm)
        if total := sum(counts):
            axes.plot(edges, 100 * np.cumsum(counts)[:-1] / total, marker=".", **style, label=arm)
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
        clipped = [np.nan if value is None else max(value, LEAST_EVIDENCE) for value in values]
        axes.plot(times, clipped, color=SERIES[i % len(SERIES)], label=name.replace("_", " ")[:LABEL_LENGTH])
    axes.axhline(1, color=LIMIT, linestyle="--", linewidth=1.4)
    axes.annotate("threshold", (0.01, 1), xycoords=("axes fraction", "data"), va="bottom", color=LIMIT)
    axes.set_ylim(LEAST_EVIDENCE, max(1.25, axes.get_ylim()[1]))
    axes.set_ylabel("evidence")
    _time_axis(axes, story.all_samples)


def _times(samples: Sequence[Sample]) -> NDArray[np.datetime64]:
    return np.array([round(sample.at) for sample in samples], dtype="datetime64[s]")


def _time_axis(axes: Axes, samples: Sequence[Sample]) -> None:
    """Let all pictures of a run span the same time, so that one can look from one to the other."""
    times = _times(samples)
    if times.size > 1:
        axes.set_xlim(times[0], times[-1])
    seconds = samples[-1].at - samples[0].at if samples else 0.0
    form = next(form for most, form in TIMES.items() if seconds <= most)
    axes.xaxis.set_major_locator(AutoDateLocator(minticks=3, maxticks=6))  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_formatter(DateFormatter(form))  # type: ignore[no-untyped-call]
    if times.size:
        axes.set_xlabel(f"{times[-1].item():%d %B %Y}, UTC", loc="right", color=INK, fontsize=10)


def _total(requests: Arms) -> int:
    return requests.canary + requests.baseline


def _clopper_pearson(hits: Floats, trials: Floats) -> tuple[Floats, Floats]:
    low = np.where(hits > 0, betaincinv(hits, trials - hits + 1, 0.025), 0.0)
    high = np.where(hits < trials, betaincinv(hits + 1, trials - hits, 0.975), 1.0)
    return np.nan_to_num(low), np.nan_to_num(high, nan=1.0)

"""Pages from values: the list of runs, and one run with its pictures. Everything that others wrote is escaped."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from canary_analyzer.report import plots
from canary_analyzer.rollout.phases import Phase
from canary_analyzer.rollout.run import Run
from canary_analyzer.rollout.story import Figures, Story

TONES = {
    Phase.SUCCEEDED: "good",
    Phase.PROMOTING: "good",
    Phase.ABORTED: "bad",
    Phase.ABORTING: "bad",
    Phase.REFUSED: "bad",
    Phase.HOLDING: "wait",
    Phase.AWAITING_APPROVAL: "wait",
}
"""How a phase is coloured; the others are busy."""


@dataclass(frozen=True, kw_only=True)
class Link:
    """Where to look further."""

    title: str
    url: str


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What a page is told of where it stands."""

    as_of: float
    """Seconds since the epoch."""
    home: str = ""
    """URL of the list; none in a report that stands alone."""
    live: str = ""
    """URL of the script that keeps the page up to date; none in a report."""
    links: Sequence[Link] = ()


@dataclass(frozen=True, kw_only=True)
class Plot:
    """One picture with its words."""

    title: str
    caption: str
    summary: str
    """What the picture shows, for who cannot see it."""
    svg: Markup


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One line of the table of metrics, in words."""

    name: str
    effect: str
    interval: str
    against: str
    against_bar: float
    favour: str
    favour_bar: float
    reason: str


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the list of runs."""

    run: Run
    url: str
    tone: str


@dataclass(frozen=True, kw_only=True)
class Group:
    """A part of the list of runs."""

    title: str
    rows: Sequence[Row]
    empty: str


def run_page(run: Run, story: Story, setting: Setting) -> str:
    """Return the page of a run as one HTML document that loads nothing from elsewhere."""
    return _render(
        "run.html",
        setting,
        run=run,
        tone=tone(run.phase),
        ended=run.timeline[-1].at if run.ended and run.timeline else None,
        metrics=metrics(story),
        plots=_plots(story),
        samples=story.all_samples,
        findings=story.findings,
        policy=yaml.safe_dump(run.policy.model_dump(mode="json"), sort_keys=False),
    )


def list_page(runs: Sequence[tuple[Run, str]], setting: Setting) -> str:
    """Return the list of runs, each with the URL of its page: those under way first, then the newest ended."""
    rows = [Row(run=run, url=url, tone=tone(run.phase)) for run, url in runs]
    under_way = sorted((row for row in rows if not row.run.ended), key=lambda row: (row.run.namespace, row.run.name))
    ended = sorted((row for row in rows if row.run.ended), key=lambda row: row.run.started, reverse=True)
    groups = (
        Group(title="Under way", rows=under_way, empty="No canary is under way. Annotate a Deployment to start one."),
        Group(title="History", rows=ended, empty="No run has ended yet."),
    )
    return _render("index.html", setting, groups=groups)


def tone(phase: Phase) -> str:
    """Return the class that colours a phase."""
    return TONES.get(phase, "busy")


def metrics(story: Story) -> list[Metric]:
    """Return the newest figures of each metric, in words."""
    newest = next((sample.metrics for sample in reversed(story.all_samples) if sample.metrics), ())
    return [
        _metric(name, figures, reason)
        for name, figures, reason in zip(story.metrics, newest, story.reasons, strict=False)
    ]


def _metric(name: str, figures: Figures, reason: str) -> Metric:
    say = _ratio if name.startswith("latency") else _points
    return Metric(
        name=name,
        effect=say(figures.effect),
        interval=f"{say(figures.low)} to {say(figures.high)}",
        against=_evidence(figures.against),
        against_bar=max(figures.against or 0.0, 0.0),
        favour=_evidence(figures.favour),
        favour_bar=max(figures.favour or 0.0, 0.0),
        reason=reason,
    )


def _plots(story: Story) -> list[Plot]:
    if not story.all_samples:
        return []
    drawn = [
        Plot(
            title="Weight",
            caption="What the run wanted, and the canary's share of the requests that the mesh counted.",
            summary=f"Weight over time, {story.all_samples[-1].weight} % at the end; the table below has the numbers.",
            svg=plots.weight(story),
        ),
        Plot(
            title="Error rates",
            caption="Per sample, each with its 95 % interval.",
            summary=_said(story, "errors"),
            svg=plots.error_rates(story),
        ),
    ]
    if story.latency.edges_ms:
        drawn.append(
            Plot(
                title="Latency",
                caption="Share of requests answered within a time, all samples that counted together.",
                summary=_said(story, "latency"),
                svg=plots.latencies(story.latency),
            )
        )
    if story.metrics:
        drawn += [
            _evidence_plot(story, "against", "aborts the run"),
            _evidence_plot(story, "favour", "shows it healthy"),
        ]
    return drawn


def _evidence_plot(story: Story, side: str, means: str) -> Plot:
    name = {"against": "Evidence against the canary", "favour": "Evidence for the canary"}[side]
    return Plot(
        title=name,
        caption=f"Per metric; at the threshold it {means}. A bet's log wealth, which cannot grow by chance for long.",
        summary=f"{name} over time; the newest figures are in the table of metrics.",
        svg=plots.evidence(story, side),
    )


def _said(story: Story, prefix: str) -> str:
    said = [reason for name, reason in zip(story.metrics, story.reasons, strict=False) if name.startswith(prefix)]
    return "; ".join(said) or "Not judged yet; the numbers are in the table below."


def _points(value: float | None) -> str:
    return "unknown" if value is None else f"{100 * value:+.3g} points"


def _ratio(value: float | None) -> str:
    return "unbounded" if value is None else f"{value:.3g} times"


def _evidence(value: float | None) -> str:
    return "-" if value is None else f"{value:z.2f}"


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()


def _duration(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))


def _render(template: str, setting: Setting, **values: object) -> str:
    where = {"as_of": setting.as_of, "home": setting.home, "live": setting.live, "links": setting.links}
    return PAGES.get_template(template).render(**where, **values)


PAGES = Environment(
    loader=PackageLoader("canary_analyzer.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
)
PAGES.filters.update(time=_time, iso=_iso, duration=_duration)

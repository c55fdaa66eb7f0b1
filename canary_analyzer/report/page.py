"""Pages from values: the list of runs, and one run with its pictures. Everything that others wrote is escaped."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from canary_analyzer.report import words
from canary_analyzer.report.links import Link
from canary_analyzer.rollout.advice import what_now
from canary_analyzer.rollout.phases import Phase
from canary_analyzer.rollout.run import Run
from canary_analyzer.rollout.story import Story

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
NONE_UNDER_WAY = (
    "No canary is under way. To start one: `kubectl annotate deployment/NAME canary-analyzer.io/image=IMAGE`, or "
    "`kubectl canary start NAME --image IMAGE`, which checks first."
)


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
    trouble: str = ""
    """Why what is shown may be old; empty where it is not."""


@dataclass(frozen=True, kw_only=True)
class Plot:
    """One picture with its words."""

    title: str
    caption: str
    summary: str
    """What the picture shows, for who cannot see it."""
    svg: Markup


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the list of runs."""

    run: Run
    url: str
    tone: str
    versions: str


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
        versions=words.versions(run),
        ended=words.ended(run),
        what_now=what_now(run),
        metrics=words.metrics(run, story),
        figures_at=story.all_samples[-1].at if story.all_samples else None,
        plots=_plots(story),
        samples=story.all_samples,
        findings=story.findings,
        policy=yaml.safe_dump(run.policy.model_dump(mode="json"), sort_keys=False),
    )


def list_page(runs: Sequence[tuple[Run, str]], setting: Setting) -> str:
    """Return the list of runs, each with the URL of its page: those under way first, then the newest ended."""
    rows = [Row(run=run, url=url, tone=tone(run.phase), versions=words.versions(run)) for run, url in runs]
    under_way = sorted((row for row in rows if not row.run.ended), key=lambda row: (row.run.namespace, row.run.name))
    ended = sorted((row for row in rows if row.run.ended), key=lambda row: row.run.started, reverse=True)
    groups = (
        Group(title="Under way", rows=under_way, empty=NONE_UNDER_WAY),
        Group(title="History", rows=ended, empty="No run has ended yet."),
    )
    return _render("index.html", setting, groups=groups)


def trouble_page(setting: Setting) -> str:
    """Return what is shown in place of a run that cannot be read just now."""
    return _render("base.html", setting)


def tone(phase: Phase) -> str:
    """Return the class that colours a phase."""
    return TONES.get(phase, "busy")


def _plots(story: Story) -> list[Plot]:
    if not story.all_samples:
        return []
    from canary_analyzer.report import plots  # noqa: PLC0415  (slow to import, and most services never draw)

    drawn = [
        Plot(
            title="Weight",
            caption="What the run wanted, and the canary's share of the requests that the mesh counted.",
            summary=f"Weight over time, {story.all_samples[-1].weight} % at the end; the table below has the numbers.",
            svg=plots.weight(story),
        ),
        Plot(
            title="Error rates",
            caption="Of all requests in a stretch of time, each with its 95 % interval.",
            summary=_said(story, "errors"),
            svg=plots.error_rates(story),
        ),
    ]
    if "errors" in story.metrics:
        drawn.append(
            Plot(
                title="Error rates: canary less baseline",
                caption="Over the whole run so far, with its 95 % interval, which holds at all times together.",
                summary=_said(story, "errors"),
                svg=plots.difference(story),
            )
        )
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
            _evidence_plot(story, "against", "aborts the run", plots.evidence),
            _evidence_plot(story, "favour", "shows it healthy", plots.evidence),
        ]
    return drawn


def _evidence_plot(story: Story, side: str, means: str, drawn: Callable[[Story, str], Markup]) -> Plot:
    name = {"against": "Evidence against the canary", "favour": "Evidence for the canary"}[side]
    return Plot(
        title=name,
        caption=f"Per metric, drawn down to -1; at 1 it {means}. The log wealth of a bet, which chance seldom feeds.",
        summary=f"{name} over time; the newest figures are in the table of metrics.",
        svg=drawn(story, side),
    )


def _said(story: Story, prefix: str) -> str:
    said = [reason for name, reason in zip(story.metrics, story.reasons, strict=False) if name.startswith(prefix)]
    return "; ".join(said) or "Not judged yet; the numbers are in the table below."


def _coded(text: str) -> Markup:
    """Mark what stands between backticks as code."""
    outside, inside = Markup("{}"), Markup("<code>{}</code>")
    return Markup("").join((inside if odd % 2 else outside).format(part) for odd, part in enumerate(text.split("`")))


def _render(template: str, setting: Setting, **values: object) -> str:
    return PAGES.get_template(template).render(setting=setting, **values)


PAGES = Environment(
    loader=PackageLoader("canary_analyzer.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
)
PAGES.filters.update(
    time=words.time,
    minute=words.minute,
    clock=words.clock,
    iso=words.iso,
    duration=words.duration,
    ended=words.ended,
    coded=_coded,
    tone=tone,
)

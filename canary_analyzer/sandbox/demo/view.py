"""How the demo looks: numbers in, text or a picture out; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from canary_analyzer.sandbox.demo.outcome import Load

BAR_WIDTH = 40
COLOURS = {"Succeeded": "green", "Aborted": "red", "Aborting": "red", "Refused": "red", "Promoting": "green"}


@dataclass(frozen=True, kw_only=True)
class Arm:
    """How one arm does right now; None where Prometheus does not know.

    Attributes:
        rate: Requests per second.
        error_rate: Errors per second.
        p50_ms: Median latency.
        p99_ms: 99th percentile of the latency.
    """

    rate: float | None = None
    error_rate: float | None = None
    p50_ms: float | None = None
    p99_ms: float | None = None

    @property
    def errors(self) -> float | None:
        """Share of requests that failed; None without requests."""
        return (self.error_rate or 0) / self.rate if self.rate else None


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What has been shown about one metric; 1 is the threshold, on either side."""

    metric: str
    against: float = 0.0
    in_favour: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Scene:
    """All that is shown at one moment.

    Attributes:
        image: What is being rolled out.
        phase: Phase of the run, empty before it begins.
        reason: The service's sentence about it.
        seconds: Since the annotation.
        wanted: Weight that the service wants for the canary, percent; None where no run is active.
        baseline: The stable version.
        canary: The new version.
        evidence: One entry per metric.
        load: What the client at the ingress has seen; None before it answers.
    """

    image: str
    phase: str = ""
    reason: str = ""
    seconds: float = 0.0
    wanted: float | None = None
    baseline: Arm = field(default_factory=Arm)
    canary: Arm = field(default_factory=Arm)
    evidence: Sequence[Evidence] = ()
    load: Load | None = None

    @property
    def share(self) -> float | None:
        """Share of requests that reach the canary, percent; None without requests."""
        rates = [self.baseline.rate or 0, self.canary.rate or 0]
        return 100 * rates[1] / sum(rates) if sum(rates) else None


def line(scene: Scene) -> str:
    """Return the scene as one line, for logs."""
    evidence = ", ".join(f"{one.metric} {one.against:+.2f}/{one.in_favour:+.2f}" for one in scene.evidence)
    return (
        f"{scene.image} {scene.seconds:3.0f} s {scene.phase or 'waiting'}: "
        f"weight {_number(scene.wanted)} %, observed {_number(scene.share)} % | "
        f"baseline {_arm(scene.baseline)} | canary {_arm(scene.canary)} | "
        f"evidence against/for: {evidence or '-'} | {_load(scene.load)}"
    )


def picture(scene: Scene) -> RenderableType:
    """Return the scene as a panel, for terminals."""
    title = Text(f"{scene.image}  {scene.phase or 'waiting'}  {scene.seconds:.0f} s")
    colour = COLOURS.get(scene.phase, "cyan")
    parts = (_weights(scene), _arms(scene), _evidence(scene.evidence), Text(scene.reason), Text(_load(scene.load)))
    return Panel(Group(*parts), title=title, border_style=colour, padding=(1, 2))


def _weights(scene: Scene) -> Table:
    table = Table.grid(padding=(0, 2))
    for name, value, colour in (("weight wanted", scene.wanted, "cyan"), ("observed", scene.share, "magenta")):
        table.add_row(name, _bar(value, 100, colour), f"{_number(value)} %")
    return table


def _arms(scene: Scene) -> Table:
    table = Table("arm", "requests/s", "errors", "p50", "p99", box=None, padding=(1, 2, 0, 0))
    for name, arm in (("baseline", scene.baseline), ("canary", scene.canary)):
        errors = None if arm.errors is None else 100 * arm.errors
        figures = (f"{_number(errors, 1)} %", f"{_number(arm.p50_ms)} ms", f"{_number(arm.p99_ms)} ms")
        table.add_row(name, _number(arm.rate, 1), *figures)
    return table


def _evidence(evidence: Sequence[Evidence]) -> Table:
    table = Table("evidence", "worse", "", "not worse", "", box=None, padding=(1, 2, 0, 0))
    for one in evidence:
        against, in_favour = _bar(one.against, 1, "red"), _bar(one.in_favour, 1, "green")
        table.add_row(one.metric, against, f"{one.against:+.2f}", in_favour, f"{one.in_favour:+.2f}")
    return table


def _bar(value: float | None, full: float, colour: str) -> ProgressBar:
    shown = min(max(value or 0.0, 0.0), full)
    width = BAR_WIDTH if full > 1 else BAR_WIDTH // 2
    return ProgressBar(total=full, completed=shown, width=width, complete_style=colour, finished_style=f"bold {colour}")


def _arm(arm: Arm) -> str:
    errors = None if arm.errors is None else 100 * arm.errors
    return (
        f"{_number(arm.rate, 1)}/s, {_number(errors, 1)} % errors, "
        f"p50 {_number(arm.p50_ms)} ms, p99 {_number(arm.p99_ms)} ms"
    )


def _load(load: Load | None) -> str:
    return "no load yet" if load is None else f"{load.lost:,} of {load.sent:,} requests lost"


def _number(value: float | None, digits: int = 0) -> str:
    return "-" if value is None else f"{value:.{digits}f}"

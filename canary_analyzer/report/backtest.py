"""What policies would have decided on past data, as tables and as JSON."""

import json
import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from rich.table import Table

from canary_analyzer.analysis import MetricVerdict
from canary_analyzer.analysis.backtest import Outcome
from canary_analyzer.analysis.saved import Past


def summary(past: Past) -> str:
    """Return in one line what the data are."""
    history = past.history
    begin = f", from {_clock(past.times[0])}" if past.times else ""
    return (
        f"{history.canary.requests.size} ticks of {history.tick_seconds:g} s{begin}: "
        f"{history.canary.requests.sum()} requests of the canary ({history.canary.errors.sum()} failed), "
        f"{history.baseline.requests.sum()} of the baseline ({history.baseline.errors.sum()} failed)"
    )


def decisions(outcomes: Sequence[Outcome], past: Past) -> Table:
    """Return one line per policy: what it would have decided, and when."""
    made = _table(("policy", "decision", "tick", "after", "at"), right=("tick", "after"))
    for outcome in outcomes:
        tick = outcome.verdict.tick
        after = f"{(tick + 1) * past.history.tick_seconds:g} s"
        made.add_row(outcome.policy, outcome.verdict.decision.value.upper(), str(tick), after, _clock(_end(past, tick)))
    return made


def reasons(outcomes: Sequence[Outcome]) -> str:
    """Return one paragraph per policy: why."""
    return "\n".join(f"{outcome.policy} ({outcome.judge}): {outcome.verdict.reason}" for outcome in outcomes)


def effects(outcomes: Sequence[Outcome]) -> Table:
    """Return one line per policy and metric: its state, the effect with its interval, and the requests behind it."""
    made = _table(("policy", "metric", "state", "effect", "95 % interval", "requests"), right=("effect", "requests"))
    for outcome in outcomes:
        for index, metric in enumerate(outcome.verdict.metrics):
            made.add_row(
                "" if index else outcome.policy,
                metric.name,
                metric.state.value,
                f"{metric.effect:.3g}",
                f"{metric.low:.3g} to {metric.high:.3g}",
                f"{metric.n_canary}/{metric.n_baseline}",
            )
    return made


def _table(titles: Sequence[str], right: Sequence[str]) -> Table:
    made = Table(box=None, pad_edge=False, padding=(0, 1))
    for title in titles:
        made.add_column(title, no_wrap=True, justify="right" if title in right else "left")
    return made


def document(outcomes: Sequence[Outcome], past: Past) -> str:
    """Return the same as JSON; what is not known or not bounded is null, times are unix seconds."""
    history = past.history
    return json.dumps(
        {
            "tick_seconds": history.tick_seconds,
            "ticks": int(history.canary.requests.size),
            "policies": [_outcome(outcome, past) for outcome in outcomes],
        },
        indent=2,
    )


def _outcome(outcome: Outcome, past: Past) -> dict[str, Any]:
    verdict = outcome.verdict
    return {
        "policy": outcome.policy,
        "judge": outcome.judge,
        "decision": verdict.decision.value,
        "tick": verdict.tick,
        "seconds": (verdict.tick + 1) * past.history.tick_seconds,
        "at": _end(past, verdict.tick),
        "reason": verdict.reason,
        "changes": [{"tick": change.tick, "decision": change.decision.value} for change in outcome.changes],
        "metrics": [_metric(metric) for metric in verdict.metrics],
    }


def _metric(metric: MetricVerdict) -> dict[str, Any]:
    return {
        "name": metric.name,
        "state": metric.state.value,
        "effect": _number(metric.effect),
        "low": _number(metric.low),
        "high": _number(metric.high),
        "evidence_against": _number(metric.evidence_against),
        "evidence_for": _number(metric.evidence_for),
        "n_canary": metric.n_canary,
        "n_baseline": metric.n_baseline,
        "reason": metric.reason,
    }


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _end(past: Past, tick: int) -> float | None:
    """Return when a tick ended."""
    return past.times[tick] + past.history.tick_seconds if past.times and tick >= 0 else None


def _clock(at: float | None) -> str:
    return "" if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%SZ")

"""From what a judge for those who come from elsewhere found to a verdict as all judges give it.

Effects and their intervals say what the data are worth, whichever judge looks at them; they come from the counts of the
whole run, as the sequential judge's do.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from canary_analyzer.analysis import words
from canary_analyzer.analysis.effects import Effect
from canary_analyzer.analysis.observed import Measure, Observed, measures
from canary_analyzer.analysis.types import Decision, MetricState, MetricVerdict, Verdict


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What a judge found of one measure.

    Args:
        state: What it holds to be shown.
        against: In units of what makes it abort; 1 does.
        favour: In units of what makes it call the measure healthy; 1 does.
        reason: The same in a sentence.
    """

    state: MetricState
    against: float
    favour: float
    reason: str


@dataclass(frozen=True, kw_only=True)
class Opinion:
    """What a judge thinks, and the tick since which it does."""

    decision: Decision
    tick: int
    reason: str

    def now(self, decision: Decision, tick: int, reason: str) -> "Opinion":
        """Return the opinion at a tick: the same decision keeps the tick at which it was reached."""
        return Opinion(decision=decision, tick=self.tick if decision is self.decision else tick, reason=reason)


UNDECIDED = Opinion(decision=Decision.CONTINUE, tick=-1, reason="nothing has been judged yet")


def report(observed: Observed, findings: Mapping[str, Finding], opinion: Opinion) -> Verdict:
    """Return the verdict; a canary that is not to be aborted but has too few requests is INCONCLUSIVE.

    Args:
        observed: What has been counted.
        findings: By the name of the measure; one that is not there was not judged.
        opinion: What the judge thinks.
    """
    effects = observed.effects()
    metrics = tuple(
        _metric(observed, measure, findings.get(measure.name), effects[measure.name])
        for measure in measures(observed.policy)
    )
    latest = observed.ticks - 1
    if opinion.decision is not Decision.ABORT and observed.is_thin():
        return Verdict(decision=Decision.INCONCLUSIVE, metrics=metrics, reason=_thin(observed), tick=latest)
    settled = opinion.decision in (Decision.ABORT, Decision.HEALTHY)
    blamed = (metric.reason for metric in metrics if metric.state is MetricState.DEGRADED)
    return Verdict(
        decision=opinion.decision,
        metrics=metrics,
        reason="; ".join((opinion.reason, *blamed)) if opinion.decision is Decision.ABORT else opinion.reason,
        tick=opinion.tick if settled else latest,
    )


def _thin(observed: Observed) -> str:
    canary, baseline = observed.requests()
    return (
        f"too few requests to judge: {canary} of the canary and {baseline} of the baseline counted, "
        f"at least {observed.policy.minimum_requests} of each are needed"
    )


def _metric(observed: Observed, measure: Measure, found: Finding | None, effect: Effect) -> MetricVerdict:
    matched = observed.run.get(measure.source)
    requests = (matched.n_canary, matched.n_baseline) if matched is not None else (0, 0)
    if 0 in requests:
        found = Finding(state=MetricState.NO_DATA, against=0.0, favour=0.0, reason="no data on an arm")
    elif found is None:
        found = Finding(state=MetricState.UNDECIDED, against=0.0, favour=0.0, reason="not judged")
    return MetricVerdict(
        name=measure.name,
        state=found.state,
        effect=effect.value,
        low=effect.low,
        high=effect.high,
        evidence_against=found.against,
        evidence_for=found.favour,
        n_canary=requests[0],
        n_baseline=requests[1],
        reason=f"{measure.name.replace('_', ' ')}: {found.reason}{_figures(measure, effect, requests)}",
    )


def _figures(measure: Measure, effect: Effect, requests: tuple[int, int]) -> str:
    if math.isnan(effect.value):
        return ""
    of_run = words.rates(effect, requests) if measure.rank is None else words.latencies(effect, requests)
    return f"; over the run {of_run}"

"""What Kayenta decides: every minute or so a Mann-Whitney test on each metric's points, and a score from 0 to 100.

A point is a metric's value over `step_seconds`: the error rate in percent, a latency quantile in milliseconds. The
latest `points` of them are compared (Kayenta's sliding lookback), so that memory does not grow. Errors are one group,
latency quantiles another, and each metric of the user's own one more; the score is the weighted share of metrics
without a finding, group by group, weighted by the user's `share` and 1 for errors and latency (Kayenta's
`WeightedSumScorer`). Below the marginal score the canary is aborted, from the pass score on it is healthy for now.

Two things differ. Where half of the metrics have no data, Kayenta fails the canary; here no data is not held against
anybody, and a canary with a metric that lacks data is never healthy. And nothing is judged before both arms have had
the policy's `minimum_requests`.

What it cannot do: each test holds its confidence for one look at independent points. Judged every minute from the
third on, an identical canary is aborted in 1-3 % of rollouts with independent requests, drift or bursts, in 9 % where
it begins cold, and in 12 % where pods differ by 5 % in speed; nothing at all is found before the end of the third
minute (ten minutes from 5 % to 50 % of 50 requests a second, 300 simulated rollouts each).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

import numpy as np

from canary_analyzer.analysis.histogram import quantiles
from canary_analyzer.analysis.mann_whitney import Classification, Label, classify
from canary_analyzer.analysis.observed import Measure, Observed, measures, nothing, ticks_in
from canary_analyzer.analysis.policy import Policy
from canary_analyzer.analysis.reported import UNDECIDED, Finding, Opinion, report
from canary_analyzer.analysis.types import Decision, Floats, MetricState, Tick, Verdict


@dataclass(frozen=True, kw_only=True, eq=False)
class ScoreState:
    """What the judge remembers; its size does not depend on the number of ticks.

    Args:
        observed: What has been counted.
        step_ticks: Ticks in a point.
        interval_ticks: Ticks from one judgement to the next.
        points: [P, M, 2] the latest points of M measures, canary and baseline; NaN without data.
        found: By measure, what the latest test said.
        opinion: What is thought; an ABORT stands.
    """

    observed: Observed
    step_ticks: int
    interval_ticks: int
    points: Floats
    found: Mapping[str, Classification] = field(default_factory=dict)
    opinion: Opinion = UNDECIDED


def start(
    policy: Policy, edges_ms: Floats, tick_seconds: float, extra_edges_ms: Mapping[str, Floats] | None = None
) -> ScoreState:
    """Return the state before the first tick; arguments as for `judges.start`."""
    rule = policy.mann_whitney
    return ScoreState(
        observed=nothing(policy, edges_ms, tick_seconds, extra_edges_ms),
        step_ticks=ticks_in(rule.step_seconds, tick_seconds),
        interval_ticks=ticks_in(rule.interval_seconds, tick_seconds),
        points=np.empty((0, len(measures(policy)), 2)),
    )


def advance(state: ScoreState, tick: Tick) -> ScoreState:
    """Return the state after one more tick, which may complete a point or be one of judgement."""
    if state.opinion.decision is Decision.ABORT:
        return state
    state = replace(state, observed=state.observed.after(tick))
    if state.observed.ticks % state.step_ticks == 0:
        state = _with_point(state)
    return _judged(state) if state.observed.ticks % state.interval_ticks == 0 else state


def verdict(state: ScoreState) -> Verdict:
    """Return what the judge thinks after the ticks seen so far."""
    findings = {name: _finding(state, found) for name, found in state.found.items()}
    return report(state.observed, findings, state.opinion)


def _with_point(state: ScoreState) -> ScoreState:
    observed = state.observed
    point = [[_value(observed, measure, arm) for arm in (0, 1)] for measure in measures(observed.policy)]
    points = np.concatenate((state.points, [point]))[-observed.policy.mann_whitney.points :]
    return replace(state, observed=observed.next_interval(), points=points)


def _value(observed: Observed, measure: Measure, arm: int) -> float:
    """Return the measure's value over the interval: percent or milliseconds, NaN without data."""
    if measure.source not in observed.interval:
        return float("nan")
    counts = observed.interval[measure.source][arm]
    total = float(counts.sum())
    if measure.rank is None:
        return 100 * float(counts[1]) / total if total else float("nan")
    edges = observed.edges_ms.get(measure.source)
    if not total or edges is None or not edges.size:
        return float("nan")
    return float(quantiles(counts, edges, np.array([min(measure.rank, 1 - 0.5 / total)]))[0])


def _judged(state: ScoreState) -> ScoreState:
    if state.observed.is_thin():
        return state
    compared = measures(state.observed.policy)
    found = {measure.name: _classified(state, index, measure) for index, measure in enumerate(compared)}
    decisive = [one for one in compared if not one.advisory and found[one.name].label is not Label.Nodata]
    if not decisive:
        return replace(state, found=found)
    rule, latest = state.observed.policy.mann_whitney, state.observed.ticks - 1
    score = _score(decisive, found)
    blind = any(found[one.name].label is Label.Nodata for one in compared if one.rule is None or one.rule.critical)
    if score < rule.marginal_score:
        decision = Decision.ABORT
    else:
        decision = Decision.HEALTHY if score >= rule.pass_score and not blind else Decision.CONTINUE
    return replace(state, found=found, opinion=state.opinion.now(decision, latest, _reason(score, decisive, found)))


def _classified(state: ScoreState, index: int, measure: Measure) -> Classification:
    """Return what Kayenta says of a measure; fewer points than the rule asks for are no data."""
    rule = state.observed.policy.mann_whitney
    canary, baseline = (points[~np.isnan(points)] for points in state.points[:, index].T)
    enough = min(canary.size, baseline.size) >= rule.least_points
    neutral = 0.5 if rule.effect_size == "cles" else 1.0
    return classify(
        baseline if enough else (),
        canary if enough else (),
        tolerance=rule.tolerance,
        confidence=rule.confidence,
        direction="increase",
        critical=measure.rule is not None and measure.rule.critical,
        allowed_increase=neutral if rule.allowed_increase is None else rule.allowed_increase,
        critical_increase=neutral,
        effect_size=rule.effect_size,
    )


def _score(decisive: Sequence[Measure], found: Mapping[str, Classification]) -> float:
    """Return the weighted share of metrics without a finding, 0 to 100; a critical finding makes it 0."""
    if any(found[one.name].critical for one in decisive):
        return 0.0
    groups = [tuple(group) for _, group in groupby(decisive, key=lambda measure: measure.source)]
    weights = [1.0 if group[0].rule is None else group[0].rule.share for group in groups]
    passed = [np.mean([found[one.name].label is Label.Pass for one in group]) for group in groups]
    return round(100 * float(np.average(passed, weights=weights)), 2)


def _reason(score: float, decisive: Sequence[Measure], found: Mapping[str, Classification]) -> str:
    high = [one.name.replace("_", " ") for one in decisive if found[one.name].label is not Label.Pass]
    return f"score {score:g} of 100" + (f"; high: {', '.join(high)}" if high else "; no metric is high")


def _finding(state: ScoreState, found: Classification) -> Finding:
    is_high, is_pass = found.label is Label.High, found.label is Label.Pass
    if is_high:
        condition = MetricState.DEGRADED
    else:
        shown = is_pass and not state.observed.is_thin()
        condition = MetricState.HEALTHY if shown else MetricState.UNDECIDED
    tolerance = state.observed.policy.mann_whitney.tolerance
    beyond = f", tolerated within {tolerance:.0%} of it" if is_high else ""
    return Finding(state=condition, against=float(is_high), favour=float(is_pass), reason=found.reason + beyond)

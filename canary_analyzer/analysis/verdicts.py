"""From the judge's state to its answer."""

import math
from collections.abc import Sequence
from itertools import chain

import numpy as np

from canary_analyzer.analysis import words
from canary_analyzer.analysis.effects import Effect, error_effects, quantile_effects
from canary_analyzer.analysis.sequential import JudgeState, is_thin
from canary_analyzer.analysis.streams import Ratio
from canary_analyzer.analysis.totals import Matched
from canary_analyzer.analysis.types import Decision, MetricState, MetricVerdict, Verdict
from canary_analyzer.analysis.watched import Watched, joint


def verdict(state: JudgeState) -> Verdict:
    """Return what the judge thinks after the ticks seen so far."""
    return verdict_abreast([state])[0]


def verdict_abreast(states: Sequence[JudgeState]) -> list[Verdict]:
    """Return what the judge thinks of each: what `verdict` gives one by one, sooner.

    Args:
        states: At least one, all of one layout, and so of one policy.
    """
    by_metric = [
        _effects(metric, [state.totals[index] for state in states])
        for index, metric in enumerate(states[0].layout.metrics)
    ]
    effects = [list(chain.from_iterable(of_one)) for of_one in zip(*by_metric, strict=True)]
    return [_verdict(*each) for each in zip(states, effects, _evidence(states), strict=True)]


def _verdict(state: JudgeState, effects: list[Effect], evidence: list[tuple[float, float]]) -> Verdict:
    metrics = tuple(_figure(state, index, *each) for index, each in enumerate(zip(effects, evidence, strict=True)))
    decision = _decision(state)
    return Verdict(
        decision=decision,
        metrics=metrics,
        reason=_reason(state, decision, metrics, effects),
        tick=_tick(state, decision),
    )


def _effects(metric: Watched, many: list[Matched]) -> list[tuple[Effect, ...]]:
    if isinstance(metric.kind, Ratio):
        return [(effect,) for effect in error_effects(many)]
    return quantile_effects(many, metric.kind.edges, metric.kind.tolerance.quantiles)


def _decision(state: JudgeState) -> Decision:
    if state.alarm is not None:
        return Decision.ABORT
    if is_thin(state) or _blind(state):
        return Decision.INCONCLUSIVE
    return Decision.CONTINUE if state.healthy_tick is None else Decision.HEALTHY


def _blind(state: JudgeState) -> list[str]:
    """Return the names of critical metrics without data."""
    pairs = zip(state.layout.metrics, state.totals, strict=True)
    return [metric.name for metric, matched in pairs if metric.critical and not matched.requests]


def _tick(state: JudgeState, decision: Decision) -> int:
    if state.alarm is not None:
        return state.alarm.tick
    if decision is Decision.HEALTHY and state.healthy_tick is not None:
        return state.healthy_tick
    return state.tick - 1


def _figure(state: JudgeState, index: int, effect: Effect, evidence: tuple[float, float]) -> MetricVerdict:
    """Return what is reported of a figure, given its effect and the evidence against it and for it."""
    owner = int(state.layout.owner[index])
    metric, matched = state.layout.metrics[owner], state.totals[owner]
    requests = (matched.n_canary, matched.n_baseline)
    name = state.layout.names[index]
    condition = _condition(state, index, requests, evidence[0])
    if isinstance(metric.kind, Ratio):
        reason = words.about_ratio(name, effect, condition, metric.kind.tolerance, requests)
    else:
        reason = words.about_quantile(name, effect, condition, metric.kind.tolerance.relative, requests)
    return MetricVerdict(
        name=name,
        state=condition,
        effect=effect.value,
        low=effect.low,
        high=effect.high,
        evidence_against=evidence[0],
        evidence_for=evidence[1],
        n_canary=requests[0],
        n_baseline=requests[1],
        reason=reason if metric.decides else f"{reason} (advisory, does not decide)",
        ratio=effect.ratio,
    )


def _condition(state: JudgeState, index: int, requests: tuple[int, int], evidence: float) -> MetricState:
    if state.alarm is not None and state.alarm.figure == index:
        return MetricState.DEGRADED
    if 0 in requests:
        return MetricState.NO_DATA
    if not state.layout.deciding[index] and evidence >= 1:
        return MetricState.DEGRADED
    shown = state.best_within[index] >= -math.log(state.policy.beta) and not is_thin(state)
    return MetricState.HEALTHY if shown else MetricState.UNDECIDED


def _evidence(states: Sequence[JudgeState]) -> list[list[tuple[float, float]]]:
    """Return of each state, per figure, the log wealth against it, in units of what aborts, and for it, of what shows.

    That of a figure that never decides is measured as if all capital were its own; the leader of those that do is
    credited with what all hold.
    """
    layout, policy = states[0].layout, states[0].policy
    aborts, shows = -math.log(policy.alpha), -math.log(policy.beta)
    wealth, start = np.array([state.log_wealth for state in states]), layout.figure_capital
    capital = layout.per_figure(wealth[:, 0] + layout.log_capital)
    alone, favour = wealth[:, 0, layout.answering], wealth[:, 1, layout.answering]
    against = np.where(layout.deciding, (capital - start) / (aborts - start), alone / aborts)
    leading = np.arange(start.size) == capital.argmax(axis=-1, keepdims=True)
    against = np.where(leading, np.maximum(against, joint(capital)[:, None] / aborts), against)
    both = zip(against.tolist(), (favour / shows).tolist(), strict=True)
    return [list(zip(*of_one, strict=True)) for of_one in both]


def _reason(state: JudgeState, decision: Decision, metrics: tuple[MetricVerdict, ...], effects: list[Effect]) -> str:
    if state.alarm is not None:
        blamed = metrics[state.alarm.figure].reason
        return f"{state.alarm.breach}; over the run {blamed}" if state.alarm.breach else blamed
    if decision is Decision.INCONCLUSIVE:
        return _too_little(state, metrics[0])
    if decision is Decision.HEALTHY:
        return "every metric is within tolerance: " + "; ".join(metric.reason for metric in metrics)
    return _undecided(state, metrics, effects)


def _too_little(state: JudgeState, errors: MetricVerdict) -> str:
    if not is_thin(state):
        return f"no data for {', '.join(_blind(state))}, without which the policy gives no answer"
    return (
        f"too few requests to judge: {errors.n_canary} of the canary and {errors.n_baseline} of the baseline "
        f"counted, at least {state.policy.minimum_requests} of each are needed"
    )


def _undecided(state: JudgeState, metrics: tuple[MetricVerdict, ...], effects: list[Effect]) -> str:
    kinds = [state.layout.metrics[owner].kind for owner in state.layout.owner]
    bounds = ", ".join(
        words.still_possible(metric.name, effect, is_ratio=isinstance(kind, Ratio))
        for metric, effect, kind in zip(metrics, effects, kinds, strict=True)
        if metric.state is not MetricState.NO_DATA
    )
    missing = [metric.name for metric in metrics if metric.state is MetricState.NO_DATA]
    return f"not decided; it could still be as bad as: {bounds}" + (
        f"; no data for {', '.join(missing)}" if missing else ""
    )

"""From the judge's state to its answer."""

import math

import numpy as np

from canary_analyzer.analysis import words
from canary_analyzer.analysis.policy import Policy
from canary_analyzer.analysis.sequential import (
    JudgeState,
    advance,
    is_thin,
    joint,
    log_capital,
    metric_capital,
    start,
)
from canary_analyzer.analysis.totals import Effect, error_effect, quantile_effects
from canary_analyzer.analysis.types import Decision, Floats, History, MetricState, MetricVerdict, Verdict


def judge(history: History, policy: Policy) -> Verdict:
    """Return the verdict on a whole history: the fold of `advance` over its ticks."""
    state = start(policy, history.edges_ms, history.tick_seconds)
    for tick in history.ticks():
        state = advance(state, tick)
    return verdict(state)


def verdict(state: JudgeState) -> Verdict:
    """Return what the judge thinks after the ticks seen so far."""
    decision = _decision(state)
    effects = _effects(state)
    metrics = tuple(_metric(state, i, effect) for i, effect in enumerate(effects))
    return Verdict(
        decision=decision,
        metrics=metrics,
        reason=_reason(state, decision, metrics, effects),
        tick=_tick(state, decision),
    )


def _decision(state: JudgeState) -> Decision:
    if state.alarm is not None:
        return Decision.ABORT
    if is_thin(state):
        return Decision.INCONCLUSIVE
    return Decision.CONTINUE if state.healthy_tick is None else Decision.HEALTHY


def _tick(state: JudgeState, decision: Decision) -> int:
    if state.alarm is not None:
        return state.alarm.tick
    if decision is Decision.HEALTHY and state.healthy_tick is not None:
        return state.healthy_tick
    return state.tick - 1


def _effects(state: JudgeState) -> tuple[Effect, ...]:
    totals = state.totals
    return (
        error_effect(totals.errors),
        *quantile_effects(totals.latency, state.edges_ms, state.policy.latency.quantiles),
    )


def _metric(state: JudgeState, index: int, effect: Effect) -> MetricVerdict:
    policy, matched = state.policy, state.totals.latency if index else state.totals.errors
    requests = (matched.n_canary, matched.n_baseline)
    condition = _condition(state, index, requests)
    name = words.metric_names(policy)[index]
    if index:
        rank = words.quantile_name(policy.latency.quantiles[index - 1])
        reason = words.about_latency(rank, effect, condition, policy, requests)
    else:
        reason = words.about_errors(effect, condition, policy, requests)
    return MetricVerdict(
        name=name,
        state=condition,
        effect=effect.value,
        low=effect.low,
        high=effect.high,
        evidence_against=_evidence_against(state)[index],
        evidence_for=float(state.log_wealth[1, index] / -math.log(policy.beta)),
        n_canary=requests[0],
        n_baseline=requests[1],
        reason=reason,
    )


def _condition(state: JudgeState, index: int, requests: tuple[int, int]) -> MetricState:
    if state.alarm is not None and state.alarm.metric == index:
        return MetricState.DEGRADED
    if 0 in requests:
        return MetricState.NO_DATA
    shown = state.best_within[index] >= -math.log(state.policy.beta) and not is_thin(state)
    return MetricState.HEALTHY if shown else MetricState.UNDECIDED


def _evidence_against(state: JudgeState) -> list[float]:
    """Return log wealth per metric in units of what aborts by itself; the leader is credited with what all hold."""
    capital, aborts = log_capital(state), -math.log(state.policy.alpha)
    shares = np.log(metric_capital(state.policy))
    evidence: Floats = (capital - shares) / (aborts - shares)
    leader = int(np.argmax(capital))
    evidence[leader] = max(evidence[leader], joint(capital) / aborts)
    return [float(value) for value in evidence]


def _reason(
    state: JudgeState, decision: Decision, metrics: tuple[MetricVerdict, ...], effects: tuple[Effect, ...]
) -> str:
    policy = state.policy
    if state.alarm is not None:
        return state.alarm.breach or metrics[state.alarm.metric].reason
    if decision is Decision.INCONCLUSIVE:
        errors = metrics[0]
        return (
            f"too few requests to judge: {errors.n_canary} of the canary and {errors.n_baseline} of the baseline "
            f"counted, at least {policy.minimum_requests} of each are needed"
        )
    if decision is Decision.HEALTHY:
        return "every metric is within tolerance: " + "; ".join(metric.reason for metric in metrics)
    bounds = ", ".join(
        words.still_possible(metric.name, effect)
        for metric, effect in zip(metrics, effects, strict=True)
        if metric.state is not MetricState.NO_DATA
    )
    missing = [metric.name for metric in metrics if metric.state is MetricState.NO_DATA]
    return f"not decided; it could still be as bad as: {bounds}" + (
        f"; no data for {', '.join(missing)}" if missing else ""
    )

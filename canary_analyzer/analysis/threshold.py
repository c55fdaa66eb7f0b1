"""What Flagger decides: absolute limits on the canary alone, checked once an interval; so many failed checks abort.

A check fails when the canary's share of good answers in the interval is below its limit, when its 99th percentile is
above its limit, and also when there is nothing to see: Flagger halts where it finds no values and counts that as a
failed check (https://docs.flagger.app/usage/how-it-works, "Canary Analysis"). Warm-up ticks are not checked.

What it cannot do: it never looks at the baseline. With Flagger's defaults (99 %, 500 ms, five checks) an identical
canary is aborted in 0-9 % of rollouts, in 29 % when the service itself has 0.9 % errors, and in 57 % at 0.05 requests a
second, where intervals without traffic fail; a canary twice as slow passes as long as it stays below the limit (ten
minutes from 5 % to 50 % of 50 requests a second, 300 simulated rollouts each).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from canary_analyzer.analysis.histogram import quantiles
from canary_analyzer.analysis.observed import Observed, measures, nothing, ticks_in
from canary_analyzer.analysis.policy import Policy
from canary_analyzer.analysis.reported import UNDECIDED, Finding, Opinion, report
from canary_analyzer.analysis.types import Decision, Floats, MetricState, Tick, Verdict

_P99 = 0.99


@dataclass(frozen=True, kw_only=True, eq=False)
class ThresholdState:
    """What the judge remembers; its size does not depend on the number of ticks.

    Args:
        observed: What has been counted.
        check_ticks: Ticks from one check to the next.
        failed_checks: Checks that failed, for whatever reason.
        failed: How many of them failed by errors, and by latency.
        problems: What the latest check found wrong.
        opinion: What is thought; an ABORT stands.
    """

    observed: Observed
    check_ticks: int
    failed_checks: int = 0
    failed: Mapping[str, int] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)
    opinion: Opinion = UNDECIDED


def start(
    policy: Policy, edges_ms: Floats, tick_seconds: float, extra_edges_ms: Mapping[str, Floats] | None = None
) -> ThresholdState:
    """Return the state before the first tick; arguments as for `judges.start`."""
    observed = nothing(policy, edges_ms, tick_seconds, extra_edges_ms)
    return ThresholdState(observed=observed, check_ticks=ticks_in(policy.threshold.interval_seconds, tick_seconds))


def advance(state: ThresholdState, tick: Tick) -> ThresholdState:
    """Return the state after one more tick, which may be one of a check."""
    if state.opinion.decision is Decision.ABORT:
        return state
    observed = state.observed.after(tick)
    state = replace(state, observed=observed)
    return _checked(state) if observed.ticks % state.check_ticks == 0 and not observed.cold_ticks else state


def verdict(state: ThresholdState) -> Verdict:
    """Return what the judge thinks after the ticks seen so far."""
    return report(state.observed, dict(_findings(state)), state.opinion)


def _checked(state: ThresholdState) -> ThresholdState:
    problems = dict(_problems(state.observed))
    rule, latest = state.observed.policy.threshold, state.observed.ticks - 1
    failed_checks = state.failed_checks + bool(problems)
    wrong = "; ".join(problems.values())
    if failed_checks >= rule.failed_checks:
        reason = f"{failed_checks} checks failed, {rule.failed_checks} abort; the latest: {wrong}"
        opinion = state.opinion.now(Decision.ABORT, latest, reason)
    elif problems:
        reason = f"the latest check failed, {failed_checks} of the {rule.failed_checks} that abort: {wrong}"
        opinion = state.opinion.now(Decision.CONTINUE, latest, reason)
    else:
        reason = f"the latest check passed; {failed_checks} failed, {rule.failed_checks} abort"
        opinion = state.opinion.now(Decision.HEALTHY, latest, reason)
    return replace(
        state,
        observed=state.observed.next_interval(),
        failed_checks=failed_checks,
        failed={source: state.failed.get(source, 0) + (source in problems) for source in ("errors", "latency")},
        problems=problems,
        opinion=opinion,
    )


def _problems(observed: Observed) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with the canary's interval, by source."""
    rule = observed.policy.threshold
    good, bad = _of_canary(observed, "errors", 2)
    if rule.success_rate is not None and not good + bad:
        yield "errors", "the canary had no requests"
    elif rule.success_rate is not None and (share := good / (good + bad)) < rule.success_rate:
        yield "errors", f"{share:.2%} of {good + bad:.0f} requests succeeded, below {rule.success_rate:.2%}"
    edges = observed.edges_ms["latency"]
    counts = _of_canary(observed, "latency", edges.size + 1)
    if rule.p99_ms is None or not edges.size:
        return
    if not counts.any():
        yield "latency", "the canary had no latencies"
    elif (p99 := _quantile(counts, edges)) > rule.p99_ms:
        yield "latency", f"p99 was {p99:.0f} ms, above {rule.p99_ms:.0f} ms"


def _of_canary(observed: Observed, source: str, size: int) -> Floats:
    return observed.interval[source][0] if source in observed.interval else np.zeros(size)


def _quantile(counts: Floats, edges_ms: Floats) -> float:
    """Return p99, or the highest quantile that so few requests can show."""
    rank = min(_P99, 1 - 0.5 / float(counts.sum()))
    return float(quantiles(counts, edges_ms, np.array([rank]))[0])


def _findings(state: ThresholdState) -> Iterator[tuple[str, Finding]]:
    """Yield what was found of the measures that have a limit: errors, and p99 or what is nearest to it."""
    rule, compared = state.observed.policy.threshold, measures(state.observed.policy)
    latency = [measure for measure in compared if measure.source == "latency"]
    nearest = min(latency, key=lambda measure: abs((measure.rank or 0) - _P99))
    limits = (("errors", "errors", rule.success_rate), (nearest.name, "latency", rule.p99_ms))
    for name, source, limit in limits:
        if limit is None or not state.failed:
            continue
        failed, passes = state.failed[source], source not in state.problems
        yield (
            name,
            Finding(
                state=_state(state, failed=failed, passes=passes),
                against=failed / rule.failed_checks,
                favour=float(passes),
                reason=f"{failed} checks failed, {rule.failed_checks} abort; the latest: "
                f"{state.problems.get(source, 'passed')}",
            ),
        )


def _state(state: ThresholdState, *, failed: int, passes: bool) -> MetricState:
    if state.opinion.decision is Decision.ABORT and failed:
        return MetricState.DEGRADED
    return MetricState.HEALTHY if passes and not state.observed.is_thin() else MetricState.UNDECIDED

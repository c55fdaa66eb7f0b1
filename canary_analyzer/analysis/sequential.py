"""The sequential judge: look after every tick, abort a good canary with chance at most alpha over the whole run.

Each metric's bettors hold a share of one capital; capital that has grown 1/alpha-fold is the alarm (Ville's
inequality), so there is nothing to correct for the number of looks, metrics or edges. HEALTHY asks every metric for the
reverse bet to have grown 1/beta-fold; since all must, a canary beyond tolerance in one of them is called healthy with
chance at most beta, and no correction is due either.

What is assumed. The bets on shares need only that, in a tick, a bad request is as likely the canary's as its tolerated
share says; bursts, traffic, time of day and changing weights are allowed. The t-test needs the ticks' excesses, in
standard errors, to be alike in spread, or more spread when they are larger; a few wild ticks only weaken it.

Source: Ramdas et al., "Game-theoretic statistics and safe anytime-valid inference" (2023); `betting` and `consistency`.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from canary_analyzer.analysis import guardrails
from canary_analyzer.analysis.evidence import Evidence
from canary_analyzer.analysis.mistakes import refuse
from canary_analyzer.analysis.policy import Policy
from canary_analyzer.analysis.streams import BESIDES, tick_bets
from canary_analyzer.analysis.totals import Totals
from canary_analyzer.analysis.types import Floats, Tick, edge_mistakes
from canary_analyzer.analysis.usual import Usual

_ERRORS_CAPITAL = 0.4
"""Part of the capital that bets on errors; the latency streams divide the rest."""
_LOWEST_PART = 0.5
"""What the lowest quantile's edge gets, others 1: the whole histogram sees the same and sees it sooner."""
_BEYOND_PART = 0.6
"""What the edge beyond the tail gets."""
_BODY_ON_SHARES = 0.02
_MOST_ON_SHARES = 0.9


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """Why and when the canary was aborted: the metric to blame, and the guardrail's sentence if one broke."""

    tick: int
    metric: int
    breach: str | None


@dataclass(frozen=True, kw_only=True, eq=False)
class JudgeState:
    """All that the judge remembers; its size does not depend on the number of ticks.

    Args:
        policy: What counts as worse.
        edges_ms: [B-1] upper edges of the latency buckets, milliseconds.
        tick: Ticks seen.
        cold_ticks: The canary's ticks with traffic still to be left out.
        evidence: Of a stream of errors, one per latency quantile, and two beside.
        log_wealth: [2, 3 + Q] what the evidence comes to, against the canary and for it.
        best_within: [1 + Q] highest log wealth so far of the bets that each metric is within tolerance.
        usual: The baseline of late.
        totals: Sums for effects.
        recent: The latest ticks, for guardrails.
        healthy_tick: When all metrics had been shown within tolerance.
        alarm: Set once aborted; then no tick changes anything.
    """

    policy: Policy
    edges_ms: Floats
    tick: int
    cold_ticks: int
    evidence: Evidence
    log_wealth: Floats
    best_within: Floats
    usual: Usual
    totals: Totals
    recent: tuple[Tick, ...]
    healthy_tick: int | None
    alarm: Alarm | None

    def mistakes(self) -> Iterator[str]:
        """Yield one sentence per mistake in what the caller gave."""
        yield from edge_mistakes(self.edges_ms)


def start(policy: Policy, edges_ms: Floats, tick_seconds: float) -> JudgeState:
    """Return the state before the first tick.

    Args:
        policy: What counts as worse.
        edges_ms: [B-1] upper edges of the latency buckets, milliseconds, ascending, without +Inf.
        tick_seconds: Length of a tick; turns `policy.warmup_seconds` into ticks.

    Raises:
        ValueError: The edges or the tick are not usable.
    """
    edges = np.asarray(edges_ms, dtype=np.float64)
    if not tick_seconds > 0:
        raise ValueError(f"tick_seconds: value {tick_seconds!r}: give seconds above 0")
    quantiles = len(policy.latency.quantiles)
    state = JudgeState(
        policy=policy,
        edges_ms=edges,
        tick=0,
        cold_ticks=math.ceil(policy.warmup_seconds / tick_seconds),
        evidence=Evidence.none(_on_shares(policy)),
        log_wealth=np.zeros((2, quantiles + 1 + BESIDES)),
        best_within=np.zeros(quantiles + 1),
        usual=Usual.nothing(edges.size + 1),
        totals=Totals.none(edges.size + 1),
        recent=(),
        healthy_tick=None,
        alarm=None,
    )
    refuse(state)
    return state


def advance(state: JudgeState, tick: Tick) -> JudgeState:
    """Return the state after one more tick; a tick without traffic on an arm only passes the time."""
    if state.alarm is not None:
        return state
    seen = replace(state, tick=state.tick + 1, usual=state.usual.after(tick.baseline))
    if not tick.canary.requests:
        return seen
    if seen.cold_ticks:
        return replace(seen, cold_ticks=seen.cold_ticks - 1)
    return _decided(_counted(seen, state.usual, tick))


def _counted(state: JudgeState, usual: Usual, tick: Tick) -> JudgeState:
    """Add a tick with traffic on the canary; `usual` is what was known before it."""
    policy, evidence = state.policy, state.evidence
    if tick.baseline.requests:
        evidence = evidence.after(tick_bets(tick, usual, state.edges_ms, policy))
    wealth = evidence.log_wealth()
    return replace(
        state,
        evidence=evidence,
        log_wealth=wealth,
        best_within=np.maximum(state.best_within, wealth[1, :-BESIDES]),
        totals=state.totals.after(tick),
        recent=(*state.recent, tick)[-policy.guardrails.ticks :],
    )


def _decided(state: JudgeState) -> JudgeState:
    """Sound the alarm, or note that health has been shown, if this tick brought either."""
    policy, latest = state.policy, state.tick - 1
    broken = guardrails.breach(state.recent, state.edges_ms, policy.guardrails)
    if broken is not None:
        metric = 0 if broken.metric == "errors" else len(policy.latency.quantiles)
        return replace(state, alarm=Alarm(tick=latest, metric=metric, breach=broken.reason))
    capital = log_capital(state)
    enough = state.totals.errors.n_canary >= policy.guardrails.minimum_requests
    if enough and joint(capital) >= -math.log(policy.alpha):
        return replace(state, alarm=Alarm(tick=latest, metric=int(np.argmax(capital)), breach=None))
    if state.healthy_tick is None and not is_thin(state) and state.best_within.min() >= -math.log(policy.beta):
        return replace(state, healthy_tick=latest)
    return state


def is_thin(state: JudgeState) -> bool:
    """Return whether an arm has served fewer requests than any answer needs."""
    errors = state.totals.errors
    return min(errors.n_canary, errors.n_baseline) < state.policy.minimum_requests


def metric_capital(policy: Policy) -> Floats:
    """Return the part of the starting capital [1 + Q] that bets on each metric."""
    capital = _stream_capital(policy)
    capital[1] += capital[-2]
    capital[-3] += capital[-1]
    return capital[:-BESIDES]


def log_capital(state: JudgeState) -> Floats:
    """Return the log of the capital [1 + Q] that bets against each metric; all start with 1 together."""
    capital = state.log_wealth[0] + np.log(_stream_capital(state.policy))
    capital[1] = np.logaddexp(capital[1], capital[-2])
    capital[-3] = np.logaddexp(capital[-3], capital[-1])
    return np.asarray(capital[:-BESIDES])


def _stream_capital(policy: Policy) -> Floats:
    """Return the part of the starting capital [3 + Q] of each stream.

    The stream over the whole histogram belongs to the lowest quantile's metric, the one beyond the tail to the highest.
    """
    parts = np.array([_LOWEST_PART, *[1.0] * len(policy.latency.quantiles), _BEYOND_PART])
    return np.concatenate(([_ERRORS_CAPITAL], (1 - _ERRORS_CAPITAL) * parts / parts.sum()))


def _on_shares(policy: Policy) -> Floats:
    """Return which part of each stream's capital [3 + Q] bets on shares: all but none where bad requests are common.

    Where only one request in a hundred is bad a tick's share of them says nearly all there is; where every second is,
    the share hardly moves and consistency between ticks decides.
    """
    ranks = np.minimum(policy.latency.quantiles, _MOST_ON_SHARES)
    return np.concatenate(([_MOST_ON_SHARES], ranks, [_BODY_ON_SHARES, _MOST_ON_SHARES]))


def joint(log_capital: Floats) -> float:
    """Return the log of the whole capital."""
    return float(np.logaddexp.reduce(log_capital))

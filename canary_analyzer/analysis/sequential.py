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
from canary_analyzer.analysis.streams import error_bets, has_latency, latency_bets, usual_error_rate
from canary_analyzer.analysis.totals import Totals
from canary_analyzer.analysis.types import Floats, Tick, edge_mistakes

_MEMORY = 0.9
"""What the baseline's usual behaviour keeps per tick: it follows the time of day within some ten ticks."""
_ERRORS_SHARE = 0.5
"""Share of the capital that bets on errors; the latency streams divide the rest."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Usual:
    """The baseline of late, older ticks fading: what bets are sized by before a tick is seen."""

    errors: float
    requests: float
    latency: Floats

    def after(self, tick: Tick) -> "Usual":
        """Return what is usual after one more tick."""
        baseline = tick.baseline
        return Usual(
            errors=_MEMORY * self.errors + baseline.errors,
            requests=_MEMORY * self.requests + baseline.requests,
            latency=_MEMORY * self.latency + baseline.latency,
        )


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
        errors: Evidence of the one error stream.
        latency: Evidence of a stream per quantile, and of one over the whole histogram.
        usual: The baseline of late.
        totals: Sums for effects.
        recent: The latest ticks, for guardrails.
        best_within: [1 + Q] highest log wealth so far of the bets that each metric is within tolerance.
        healthy_tick: When all metrics had been shown within tolerance.
        alarm: Set once aborted; then no tick changes anything.
    """

    policy: Policy
    edges_ms: Floats
    tick: int
    cold_ticks: int
    errors: Evidence
    latency: Evidence
    usual: Usual
    totals: Totals
    recent: tuple[Tick, ...]
    best_within: Floats
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
        errors=Evidence.none(1),
        latency=Evidence.none(quantiles + 1),
        usual=Usual(errors=0.0, requests=0.0, latency=np.zeros(edges.size + 1)),
        totals=Totals.none(edges.size + 1),
        recent=(),
        best_within=np.zeros(quantiles + 1),
        healthy_tick=None,
        alarm=None,
    )
    refuse(state)
    return state


def advance(state: JudgeState, tick: Tick) -> JudgeState:
    """Return the state after one more tick; a tick without traffic on an arm only passes the time."""
    if state.alarm is not None:
        return state
    seen = replace(state, tick=state.tick + 1, usual=state.usual.after(tick))
    if not tick.canary.requests:
        return seen
    if seen.cold_ticks:
        return replace(seen, cold_ticks=seen.cold_ticks - 1)
    return _decided(_counted(seen, state.usual, tick))


def _counted(state: JudgeState, usual: Usual, tick: Tick) -> JudgeState:
    """Add a tick with traffic on the canary; `usual` is what was known before it."""
    policy = state.policy
    errors, latency = state.errors, state.latency
    if tick.baseline.requests:
        errors = errors.after(error_bets(tick, usual_error_rate(usual.errors, usual.requests), policy.errors))
    if has_latency(tick.canary) and has_latency(tick.baseline) and usual.latency.any():
        latency = latency.after(latency_bets(tick, usual.latency, state.edges_ms, policy.latency))
    return replace(
        state,
        errors=errors,
        latency=latency,
        totals=state.totals.after(tick),
        recent=(*state.recent, tick)[-policy.guardrails.ticks :],
        best_within=np.maximum(state.best_within, log_within(errors, latency)),
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


def shares_of_capital(policy: Policy) -> Floats:
    """Return the share of the starting capital [1 + Q] of each metric; the stream over the whole histogram is p50's."""
    streams = len(policy.latency.quantiles) + 1
    each = (1 - _ERRORS_SHARE) / streams
    return np.array([_ERRORS_SHARE, 2 * each, *[each] * (streams - 2)])


def log_capital(state: JudgeState) -> Floats:
    """Return the log of the capital [1 + Q] that bets against each metric; all start with 1 together."""
    errors, latency = state.errors.log_against(), state.latency.log_against()
    each = math.log((1 - _ERRORS_SHARE) / latency.size)
    lowest = np.logaddexp(latency[0], latency[-1]) + each
    return np.concatenate((errors + math.log(_ERRORS_SHARE), [lowest], latency[1:-1] + each))


def joint(log_capital: Floats) -> float:
    """Return the log of the whole capital."""
    return float(np.logaddexp.reduce(log_capital))


def log_within(errors: Evidence, latency: Evidence) -> Floats:
    """Return the log wealth [1 + Q] of the bets that each metric is within tolerance."""
    return np.concatenate((errors.log_within(), latency.log_within()[:-1]))

"""The sequential judge: look after every tick, abort a good canary with chance at most alpha over the whole run.

All streams bet with parts of one capital; capital that has grown 1/alpha-fold is the alarm (Ville's inequality), so
there is nothing to correct for the number of looks, metrics or edges. HEALTHY asks every figure for the reverse bet to
have grown 1/beta-fold; since all must, a canary beyond tolerance in one of them is called healthy with chance at most
beta, and no correction is due either.

What is assumed. Given the past, requests of one tick fail or are slow independently of one another, the canary's with a
chance within tolerance of the baseline's in that tick; what that chance is, how many requests there are and which share
of them is the canary's may change from tick to tick in any way. Bursts that break the independence are no reason to
abort by themselves: `evidence` says why, and the benchmark's simulations show how seldom they lead to one.

Source: Ramdas et al., "Game-theoretic statistics and safe anytime-valid inference" (2023); `betting` and `evidence`.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from canary_analyzer.analysis import guardrails
from canary_analyzer.analysis.bets import Bets, together
from canary_analyzer.analysis.evidence import Evidence
from canary_analyzer.analysis.mistakes import refuse
from canary_analyzer.analysis.policy import Policy
from canary_analyzer.analysis.totals import Matched
from canary_analyzer.analysis.types import Floats, Tick, edge_mistakes
from canary_analyzer.analysis.usual import fading
from canary_analyzer.analysis.watched import ERRORS, Layout, joint, watched

_AT_A_TIME = 200
"""Ticks worked out together: memory is bounded by it."""


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """Why and when the canary was aborted: the figure to blame, and the guardrail's sentence if one broke."""

    tick: int
    figure: int
    breach: str | None


@dataclass(frozen=True, kw_only=True, eq=False)
class JudgeState:
    """All that the judge remembers; its size does not depend on the number of ticks.

    Args:
        policy: What counts as worse.
        edges_ms: [B-1] upper edges of the latency buckets, milliseconds.
        layout: What is watched.
        tick: Ticks seen.
        cold_ticks: The canary's ticks with traffic still to be left out.
        evidence: What all bettors hold.
        log_wealth: [2, S] what the streams' evidence comes to, against the canary and for it.
        best_within: [F] highest log wealth so far of the bets that each figure is within tolerance.
        usual: Per metric, the baseline's counts of late.
        totals: Per metric, sums for effects.
        recent: The latest ticks, for guardrails.
        healthy_tick: When all figures had been shown within tolerance.
        alarm: Set once aborted; then no tick changes anything.
    """

    policy: Policy
    edges_ms: Floats
    layout: Layout
    tick: int
    cold_ticks: int
    evidence: Evidence
    log_wealth: Floats
    best_within: Floats
    usual: tuple[Floats, ...]
    totals: tuple[Matched, ...]
    recent: tuple[Tick, ...]
    healthy_tick: int | None
    alarm: Alarm | None

    def mistakes(self) -> Iterator[str]:
        """Yield one sentence per mistake in what the caller gave."""
        yield from edge_mistakes(self.edges_ms)


def start(
    policy: Policy, edges_ms: Floats, tick_seconds: float, extra_edges_ms: Mapping[str, Floats] | None = None
) -> JudgeState:
    """Return the state before the first tick.

    Args:
        policy: What counts as worse.
        edges_ms: [B-1] upper edges of the latency buckets, milliseconds, ascending, without +Inf.
        tick_seconds: Length of a tick; turns `policy.warmup_seconds` into ticks.
        extra_edges_ms: The same for the user's own histograms, by name; one that is missing has no data.

    Raises:
        ValueError: The edges or the tick are not usable.
    """
    edges = np.asarray(edges_ms, dtype=np.float64)
    if not tick_seconds > 0:
        raise ValueError(f"tick_seconds: value {tick_seconds!r}: give seconds above 0")
    extra = tuple((name, tuple(np.asarray(each).tolist())) for name, each in (extra_edges_ms or {}).items())
    layout = _layout(policy, tuple(edges.ravel().tolist()), extra)
    state = JudgeState(
        policy=policy,
        edges_ms=edges,
        layout=layout,
        tick=0,
        cold_ticks=math.ceil(policy.warmup_seconds / tick_seconds),
        evidence=Evidence.none(layout.log_capital.size),
        log_wealth=np.zeros((2, layout.log_capital.size)),
        best_within=np.zeros(len(layout.answering)),
        usual=tuple(np.zeros(metric.kind.buckets) for metric in layout.metrics),
        totals=tuple(Matched.none(metric.kind.buckets) for metric in layout.metrics),
        recent=(),
        healthy_tick=None,
        alarm=None,
    )
    refuse(state)
    return state


@lru_cache(maxsize=100)
def _layout(policy: Policy, edges: tuple[float, ...], extra: tuple[tuple[str, tuple[float, ...]], ...]) -> Layout:
    """Return what a thousand runs of one policy have in common, and therefore hold once."""
    return Layout.of(watched(policy, np.array(edges), {name: np.array(each) for name, each in extra}))


def advance(state: JudgeState, tick: Tick) -> JudgeState:
    """Return the state after one more tick; a tick without traffic on an arm only passes the time."""
    return advance_all(state, (tick,))


def advance_all(state: JudgeState, ticks: Sequence[Tick]) -> JudgeState:
    """Return the state after some more ticks: what `advance` gives one by one, sooner."""
    for first in range(0, len(ticks), _AT_A_TIME):
        if state.alarm is not None:
            return state
        state = _advance_some(state, ticks[first : first + _AT_A_TIME])
    return state


def _advance_some(state: JudgeState, ticks: Sequence[Tick]) -> JudgeState:
    """Bets depend on counts alone, so they are worked out for all ticks at once; what becomes of them, one by one."""
    counts = [metric.counts(ticks) for metric in state.layout.metrics]
    known = [_known(late, both[1]) for late, both in zip(state.usual, counts, strict=True)]
    bets = _bets(state.layout, counts, [late[:-1] for late in known])
    for index, tick in enumerate(ticks):
        if state.alarm is not None:
            return state
        usual = tuple(late[index + 1] for late in known)
        state = _after(state, tick, usual, bets.of_tick(index), [both[:, index] for both in counts])
    return state


def advance_abreast(states: Sequence[JudgeState], ticks: Sequence[Tick]) -> list[JudgeState]:
    """Return each state after a tick of its own: what `advance` gives one by one, sooner.

    Args:
        states: At least one, all of one layout.
        ticks: As many.
    """
    layout = states[0].layout
    counts = [metric.counts(ticks) for metric in layout.metrics]
    before = [np.array(late) for late in zip(*(state.usual for state in states), strict=True)]
    after = [fading(late, both[1]) for late, both in zip(before, counts, strict=True)]
    bets = _bets(layout, counts, before)
    return [
        state
        if state.alarm is not None
        else _after(
            state,
            tick,
            tuple(late[index].copy() for late in after),  # a view would keep those of all others
            bets.of_tick(index),
            [both[:, index] for both in counts],
        )
        for index, (state, tick) in enumerate(zip(states, ticks, strict=True))
    ]


def _known(usual: Floats, baseline: Floats) -> Floats:
    """Return the baseline's counts of late [T + 1, C]: before each tick [T, C], and after the last."""
    late = np.empty((baseline.shape[0] + 1, baseline.shape[1]))
    late[0] = usual
    for index, counts in enumerate(baseline):
        late[index + 1] = fading(late[index], counts)
    return late


def _bets(layout: Layout, counts: list[Floats], known: list[Floats]) -> Bets:
    """Return ticks as bets on all streams, given per metric [2, T, C] what both arms did and [T, C] was known before.

    A metric without data on both arms in a tick pays nothing in it.
    """
    offered, seen = [], []
    for metric, both, late in zip(layout.metrics, counts, known, strict=True):
        has_data = (both.sum(axis=-1) > 0).all(axis=0, keepdims=True).T
        seen.append(metric.kind.seen(np.where(has_data, both, 1.0), late))
        offered.append(np.repeat(has_data, metric.kind.streams, axis=1))
    return together(seen).bets().where(np.concatenate(offered, axis=1))


def _after(state: JudgeState, tick: Tick, usual: tuple[Floats, ...], bets: Bets, counts: list[Floats]) -> JudgeState:
    """Return the state after a tick, given what it pays and its counts [2, C] per metric."""
    state = replace(state, tick=state.tick + 1, usual=usual)
    if not tick.canary.requests:
        return state
    if state.cold_ticks:
        return replace(state, cold_ticks=state.cold_ticks - 1)
    return _decided(_counted(state, bets, counts, tick))


def _counted(state: JudgeState, bets: Bets, counts: list[Floats], tick: Tick) -> JudgeState:
    """Add a tick with traffic on the canary."""
    evidence = state.evidence.after(bets)
    wealth = evidence.log_means(state.layout.log_opinions)
    return replace(
        state,
        evidence=evidence,
        log_wealth=wealth,
        best_within=np.maximum(state.best_within, wealth[1][state.layout.answering]),
        totals=tuple(total.after(both[0], both[1]) for total, both in zip(state.totals, counts, strict=True)),
        recent=(*state.recent, tick)[-state.policy.guardrails.ticks :],
    )


def _decided(state: JudgeState) -> JudgeState:
    """Sound the alarm, or note that health has been shown, if this tick brought either."""
    policy, latest = state.policy, state.tick - 1
    broken = guardrails.breach(state.recent, state.edges_ms, policy.guardrails)
    if broken is not None:
        figure = 0 if broken.metric == ERRORS else len(policy.latency.quantiles)
        return replace(state, alarm=Alarm(tick=latest, figure=figure, breach=broken.reason))
    capital = state.log_wealth[0] + state.layout.log_capital
    enough = state.totals[0].n_canary >= policy.guardrails.minimum_requests
    if enough and joint(capital) >= -math.log(policy.alpha):
        figure = int(np.argmax(figure_capital(state)))
        return replace(state, alarm=Alarm(tick=latest, figure=figure, breach=None))
    shown = state.best_within[state.layout.deciding].min() >= -math.log(policy.beta)
    if state.healthy_tick is None and shown and not is_thin(state):
        return replace(state, healthy_tick=latest)
    return state


def is_thin(state: JudgeState) -> bool:
    """Return whether an arm has served fewer requests than any answer needs."""
    errors = state.totals[0]
    return min(errors.n_canary, errors.n_baseline) < state.policy.minimum_requests


def figure_capital(state: JudgeState) -> Floats:
    """Return the log of the capital [F] that bets against each figure; -inf for figures that never decide."""
    return state.layout.per_figure(state.log_wealth[0] + state.layout.log_capital)

"""One interface to all judges: a frozen state, advanced tick by tick, that can be asked for its verdict at any time."""

from canary_analyzer.analysis import sequential, verdicts
from canary_analyzer.analysis.policy import Policy
from canary_analyzer.analysis.types import Floats, History, Tick, Verdict

JudgeState = sequential.JudgeState


def judge(history: History, policy: Policy) -> Verdict:
    """Return the verdict on a whole history: the fold of `advance` over its ticks."""
    state = start(policy, history.edges_ms, history.tick_seconds)
    for tick in history.ticks():
        state = advance(state, tick)
    return verdict(state)


def start(policy: Policy, edges_ms: Floats, tick_seconds: float) -> JudgeState:
    """Return the state of the policy's judge before the first tick.

    Args:
        policy: Which judge, and what it is told.
        edges_ms: [B-1] upper edges of the latency buckets, milliseconds, ascending, without +Inf.
        tick_seconds: Length of a tick.

    Raises:
        ValueError: The edges or the tick are not usable.
    """
    return sequential.start(policy, edges_ms, tick_seconds)


def advance(state: JudgeState, tick: Tick) -> JudgeState:
    """Return the state after one more tick."""
    return sequential.advance(state, tick)


def verdict(state: JudgeState) -> Verdict:
    """Return what the judge thinks after the ticks seen so far."""
    return verdicts.verdict(state)

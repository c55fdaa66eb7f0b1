"""One interface to all judges: a frozen state, advanced tick by tick, that can be asked for its verdict at any time."""

from collections.abc import Iterator, Mapping, Sequence

from canary_analyzer.analysis import scores, sequential, threshold, verdicts
from canary_analyzer.analysis.policy import Policy
from canary_analyzer.analysis.scores import ScoreState
from canary_analyzer.analysis.sequential import JudgeState as SequentialState
from canary_analyzer.analysis.threshold import ThresholdState
from canary_analyzer.analysis.types import Floats, History, Tick, Verdict

JudgeState = SequentialState | ScoreState | ThresholdState
"""What a judge remembers; its size does not depend on the number of ticks."""


def judge(history: History, policy: Policy) -> Verdict:
    """Return the verdict on a whole history: the fold of `advance` over its ticks."""
    state = start(policy, history.edges_ms, history.tick_seconds, extra_edges(history))
    if isinstance(state, SequentialState):
        return verdicts.verdict(sequential.advance_all(state, tuple(history.ticks())))
    for tick in history.ticks():
        state = advance(state, tick)
    return verdict(state)


def extra_edges(history: History) -> dict[str, Floats]:
    """Return the bucket edges of those metrics of the user's own that are histograms."""
    return {name: counts.edges_ms for name, counts in history.extra.items() if counts.edges_ms is not None}


def start(
    policy: Policy, edges_ms: Floats, tick_seconds: float, extra_edges_ms: Mapping[str, Floats] | None = None
) -> JudgeState:
    """Return the state of the policy's judge before the first tick.

    Args:
        policy: Which judge, and what it is told.
        edges_ms: [B-1] upper edges of the latency buckets, milliseconds, ascending, without +Inf.
        tick_seconds: Length of a tick.
        extra_edges_ms: By the name of a metric of the user's own that is a histogram, its edges.

    Raises:
        ValueError: Edges or the tick are not usable.
    """
    match policy.judge:
        case "sequential":
            return sequential.start(policy, edges_ms, tick_seconds, extra_edges_ms)
        case "mann-whitney":
            return scores.start(policy, edges_ms, tick_seconds, extra_edges_ms)
        case "threshold":
            return threshold.start(policy, edges_ms, tick_seconds, extra_edges_ms)


def advance(state: JudgeState, tick: Tick) -> JudgeState:
    """Return the state after one more tick; a tick without traffic only passes the time."""
    match state:
        case SequentialState():
            return sequential.advance(state, tick)
        case ScoreState():
            return scores.advance(state, tick)
        case ThresholdState():
            return threshold.advance(state, tick)


def advance_each(states: Sequence[JudgeState], ticks: Sequence[Tick]) -> list[JudgeState]:
    """Return each state after a tick of its own: what `advance` gives, sooner where many have a policy in common.

    Args:
        states: Any number, of any judges.
        ticks: As many.
    """
    after: dict[int, JudgeState] = {}
    for indices, alike in _alike(states):
        after |= zip(indices, sequential.advance_abreast(alike, [ticks[index] for index in indices]), strict=True)
    pairs = enumerate(zip(states, ticks, strict=True))
    return [after[index] if index in after else advance(state, tick) for index, (state, tick) in pairs]


def verdict(state: JudgeState) -> Verdict:
    """Return what the judge thinks after the ticks seen so far."""
    match state:
        case SequentialState():
            return verdicts.verdict(state)
        case ScoreState():
            return scores.verdict(state)
        case ThresholdState():
            return threshold.verdict(state)


def verdict_each(states: Sequence[JudgeState]) -> list[Verdict]:
    """Return what the judge thinks of each state: what `verdict` gives, sooner as in `advance_each`."""
    said: dict[int, Verdict] = {}
    for indices, alike in _alike(states):
        said |= zip(indices, verdicts.verdict_abreast(alike), strict=True)
    return [said[index] if index in said else verdict(state) for index, state in enumerate(states)]


def _alike(states: Sequence[JudgeState]) -> Iterator[tuple[list[int], list[SequentialState]]]:
    """Yield the sequential judges of one policy, and where they are: they are worked out together."""
    found: dict[int, dict[int, SequentialState]] = {}
    for index, state in enumerate(states):
        if isinstance(state, SequentialState):
            found.setdefault(id(state.layout), {})[index] = state
    for each in found.values():
        yield list(each), list(each.values())

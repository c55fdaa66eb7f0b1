"""What would a policy have decided on past data, and when?"""

from dataclasses import dataclass

from canary_analyzer.analysis.judges import advance, extra_edges, start, verdict
from canary_analyzer.analysis.policy import JudgeName, Policy
from canary_analyzer.analysis.types import Decision, History, Verdict


@dataclass(frozen=True, kw_only=True)
class Change:
    """A decision, and the tick (from 0) after which it was given where another had been before."""

    tick: int
    decision: Decision


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one policy would have decided.

    Args:
        policy: Its name.
        judge: Its judge.
        verdict: The last word: an ABORT, or what was thought after all ticks.
        changes: What was thought on the way, in order.
    """

    policy: str
    judge: JudgeName
    verdict: Verdict
    changes: tuple[Change, ...]


def replay(name: str, policy: Policy, history: History) -> Outcome:
    """Return what the policy would have decided, had it looked after every tick of the history."""
    state = start(policy, history.edges_ms, history.tick_seconds, extra_edges(history))
    latest, changes = verdict(state), list[Change]()
    for index, tick in enumerate(history.ticks()):
        state = advance(state, tick)
        latest = verdict(state)
        if not changes or changes[-1].decision is not latest.decision:
            changes.append(Change(tick=index, decision=latest.decision))
        if latest.decision is Decision.ABORT:
            break
    return Outcome(policy=name, judge=policy.judge, verdict=latest, changes=tuple(changes))

"""What judging costs: processor time of a tick and of a whole history, memory of a rollout's state."""

import pickle
import time
from collections.abc import Callable, Sequence

import numpy as np

from canary_analyzer.analysis import History, Policy, Tick, advance, judge, start, verdict
from canary_analyzer.analysis.scenarios import Service, history

REPEATS = 5


def costs(judges: Sequence[str]) -> tuple[str, list[str], list[list[str]]]:
    """Return title, columns and rows of the table."""
    columns = [
        "judge",
        "tick and verdict, ms",
        "1,000th tick, ms",
        "judge() over 60 ticks, ms",
        "state at 100 ticks, B",
    ]
    return (
        "Cost, processor time (bars: 1 ms a tick, 20 ms for 60 ticks, memory constant)",
        [*columns, "at 10,000 ticks, B"],
        [row(name) for name in judges],
    )


def row(name: str) -> list[str]:
    """Return what one judge costs."""
    policy, drawn = Policy(judge=name), history(np.random.default_rng(1), Service(requests_per_second=500))
    ticks = list(drawn.ticks())
    whole = quickest(lambda: judge(drawn, policy))
    early, late, latest = (advanced(drawn, policy, ticks, length) for length in (100, 1000, 10_000))
    return [
        name,
        f"{1000 * one_tick(early, ticks):.2f}",
        f"{1000 * one_tick(late, ticks):.2f}",
        f"{1000 * whole:.1f}",
        f"{len(pickle.dumps(early))}",
        f"{len(pickle.dumps(latest))}",
    ]


def advanced(drawn: History, policy: Policy, ticks: Sequence[Tick], length: int) -> object:
    """Return the state after so many ticks."""
    state = start(policy, drawn.edges_ms, drawn.tick_seconds)
    for index in range(length):
        state = advance(state, ticks[index % len(ticks)])
    return state


def one_tick(state: object, ticks: Sequence[Tick]) -> float:
    """Return the seconds that a tick with its verdict takes, from this state on."""

    def go_on() -> None:
        after = state
        for tick in ticks:
            after = advance(after, tick)
            verdict(after)

    return quickest(go_on) / len(ticks)


def quickest(work: Callable[[], object]) -> float:
    """Return the least processor seconds of some repeats: what others take of the machine is not the judge's."""
    taken = []
    for _ in range(REPEATS):
        began = time.process_time()
        work()
        taken.append(time.process_time() - began)
    return min(taken)

"""What is simulated in each cell of the benchmark, and how one run of it is judged."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from limit import abort_tick

from canary_analyzer.analysis import Decision, History, Policy, judge
from canary_analyzer.analysis.scenarios import NOTHING_WRONG, QUIET, Nuisance, Regression, Service, history

LIMIT = "limit"
"""Beside the judges: the test that knows both distributions."""
JUDGES = ("sequential", "mann-whitney", "threshold")


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A canary, its traffic and its world."""

    name: str
    rps: float = 50.0
    nuisance: Nuisance = QUIET
    regression: Regression = NOTHING_WRONG
    bar: str = ""


@dataclass(frozen=True, kw_only=True)
class Found:
    """What was decided, and in which tick from 0."""

    decision: Decision
    tick: int


def found(cell: Cell, judges: Sequence[str], seed: int) -> list[Found]:
    """Return what each judge says of one run of a cell; the same seed gives the same run."""
    rng = np.random.default_rng((seed, *f"{cell.name} {cell.rps}".encode()))
    service = Service(requests_per_second=cell.rps)
    drawn = history(rng, service, cell.nuisance, cell.regression)
    return [_found(cell, service, drawn, judge_name) for judge_name in judges]


def _found(cell: Cell, service: Service, drawn: History, judge_name: str) -> Found:
    policy = Policy(warmup_seconds=cell.nuisance.cold_ticks * service.tick_seconds)
    if judge_name == LIMIT:
        tick = abort_tick(drawn, service, cell.regression, policy.alpha)
        return Found(decision=Decision.CONTINUE if tick is None else Decision.ABORT, tick=-1 if tick is None else tick)
    verdict = judge(drawn, replace(policy, judge=judge_name))
    return Found(decision=verdict.decision, tick=verdict.tick)

"""What will this policy catch at my traffic? Many simulated runs, counted, with bounds on what chance may have done."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from scipy.special import betaincinv

from canary_analyzer.analysis.scenarios import NOTHING_WRONG, REGRESSIONS, Regression
from canary_analyzer.analysis.simulate import Ending, Outcome, Rehearsal, run

IDENTICAL = "identical canary"
CASES: Mapping[str, Regression] = MappingProxyType({IDENTICAL: NOTHING_WRONG, **REGRESSIONS})
"""What is simulated: a canary with which nothing is wrong, and what a judge must find."""
_CONFIDENCE = 0.95


@dataclass(frozen=True, kw_only=True)
class Row:
    """What became of the runs of one case.

    Args:
        name: Of the case.
        runs: How many.
        aborted: How many the judge called worse.
        low: Lower end of the 95 % interval of the chance of that.
        high: Its upper end.
        promoted: How many were promoted; the rest ended undecided.
        healthy: How many were shown healthy.
        seconds_to_abort: Median time of those aborted; NaN where none was.
        seconds_to_promotion: Median time of those promoted; NaN where none was.
        requests: Mean number that the canary was asked.
        bad_requests: Mean number of them that failed, or took longer than tolerated, because of the canary.
    """

    name: str
    runs: int
    aborted: int
    low: float
    high: float
    promoted: int
    healthy: int
    seconds_to_abort: float
    seconds_to_promotion: float
    requests: float
    bad_requests: float


def simulated(rehearsal: Rehearsal, case: str, seed: int) -> Outcome:
    """Simulate one run of a case of `CASES`; the same seed gives the same run."""
    return run(rehearsal, CASES[case], np.random.default_rng((seed, *case.encode())))


def row(name: str, outcomes: Sequence[Outcome]) -> Row:
    """Count what became of a case.

    Raises:
        ValueError: There are no outcomes.
    """
    if not outcomes:
        raise ValueError(f"{name}: no runs: simulate at least one")
    by_ending = {ending: [o.seconds for o in outcomes if o.ending is ending] for ending in Ending}
    aborted = len(by_ending[Ending.ABORTED])
    low, high = chance_bounds(aborted, len(outcomes))
    return Row(
        name=name,
        runs=len(outcomes),
        aborted=aborted,
        low=low,
        high=high,
        promoted=len(by_ending[Ending.PROMOTED]),
        healthy=sum(o.healthy for o in outcomes),
        seconds_to_abort=_median(by_ending[Ending.ABORTED]),
        seconds_to_promotion=_median(by_ending[Ending.PROMOTED]),
        requests=float(np.mean([o.requests for o in outcomes])),
        bad_requests=float(np.mean([o.bad_requests for o in outcomes])),
    )


def chance_bounds(hits: int, runs: int) -> tuple[float, float]:
    """Return the 95 % interval of a chance that came true `hits` times in `runs`.

    Clopper & Pearson, "The use of confidence or fiducial limits illustrated in the case of the binomial" (1934).
    """
    outside = (1 - _CONFIDENCE) / 2
    low = float(betaincinv(hits, runs - hits + 1, outside)) if hits else 0.0
    high = float(betaincinv(hits + 1, runs - hits, 1 - outside)) if hits < runs else 1.0
    return low, high


def _median(seconds: Sequence[float]) -> float:
    return float(np.median(seconds)) if seconds else math.nan

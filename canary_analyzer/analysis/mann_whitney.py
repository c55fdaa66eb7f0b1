"""What Kayenta says of one metric: two series of points compared by a Mann-Whitney test with a confidence interval.

The shift between the arms is the Hodges-Lehmann estimate; its interval holds the shifts that a two-sided test (normal
approximation, corrected for continuity and ties) does not reject: Hollander & Wolfe, "Nonparametric Statistical
Methods" (1999), chapter 4; R's `wilcox.test(conf.int = TRUE, exact = FALSE)`. The rules around it are those of
https://github.com/spinnaker/kayenta, kayenta-judge, `MannWhitneyClassifier`.

What it cannot do: its confidence holds for one look at points that are independent. Looked at every minute, with points
that share bursts and drift, it raises false alarms; `scores` has the figures.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from itertools import chain
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.special import ndtri

from canary_analyzer.analysis.mistakes import not_among, not_between, outside, refuse_all
from canary_analyzer.analysis.rules import EffectSize
from canary_analyzer.analysis.types import Floats

Direction = Literal["increase", "decrease", "either"]
NanStrategy = Literal["remove", "replace"]

_RESOLUTION = 1e-4
"""To which shifts are found: R's and Kayenta's, and part of the verdict, since at ties the test jumps across zero."""
_SPREAD = 1e-5
"""Standard deviation, relative to their value, given to the points of two arms that are constant."""


class Label(StrEnum):
    """Kayenta's words for what came of a metric."""

    Pass = "Pass"  # noqa: S105 - no password
    High = "High"
    Low = "Low"
    Nodata = "Nodata"
    NodataFailMetric = "NodataFailMetric"


@dataclass(frozen=True, kw_only=True)
class Classification:
    """What came of one metric.

    Args:
        label: The finding.
        critical: Whether it fails the whole canary.
        estimate: Hodges-Lehmann estimate of experiment less control, in the metric's unit; NaN where none was made.
        low: Lower end of its confidence interval.
        high: Upper end.
        reason: The same in a sentence.
    """

    label: Label
    critical: bool
    estimate: float
    low: float
    high: float
    reason: str


@dataclass(frozen=True, kw_only=True)
class Shift:
    """By how much the experiment's points exceed the control's: Hodges-Lehmann estimate and confidence interval."""

    estimate: float
    low: float
    high: float


def classify(  # noqa: PLR0913 - Kayenta's own settings, each with its own meaning
    control: ArrayLike,
    experiment: ArrayLike,
    *,
    tolerance: float = 0.25,
    confidence: float = 0.98,
    direction: Direction = "either",
    nan_strategy: NanStrategy = "remove",
    critical: bool = False,
    must_have_data: bool = False,
    allowed_decrease: float = 1.0,
    allowed_increase: float = 1.0,
    critical_decrease: float = 1.0,
    critical_increase: float = 1.0,
    effect_size: EffectSize = "mean_ratio",
) -> Classification:
    """Return what Kayenta's judge says of one metric.

    Args:
        control: [N] points of the baseline; NaN where there was no data.
        experiment: [M] points of the canary.
        tolerance: The interval must lie beyond this part of the estimate to be a finding.
        confidence: Of the interval.
        direction: In which direction the metric is worse.
        nan_strategy: Leave NaN out, or read it as 0; no points at all then are no data, or a Pass.
        critical: A finding in this metric, or no data, may fail the whole canary.
        must_have_data: Without data the metric counts as failed (NodataFailMetric) instead of left out (Nodata).
        allowed_decrease: Low needs an effect size of at most this.
        allowed_increase: High needs an effect size of at least this.
        critical_decrease: A critical Low needs an effect size of at most this.
        critical_increase: A critical High needs an effect size of at least this.
        effect_size: Experiment's mean over control's (where a mean is 0 there is none, and no limit), or the chance
            that a point of the experiment exceeds one of the control (Vargha & Delaney 2000). For `cles` Kayenta's
            judge passes limits of 0.5 where the user gives none.

    Raises:
        ValueError: An argument is out of range; all mistakes are listed.
    """
    refuse_all(
        "Mann-Whitney classification",
        chain(
            _point_mistakes("control", control),
            _point_mistakes("experiment", experiment),
            not_between("tolerance", tolerance, 0, 1),
            outside("confidence", confidence, 0, 1),
            not_among("direction", direction, ("increase", "decrease", "either")),
            not_among("nan_strategy", nan_strategy, ("remove", "replace")),
            not_among("effect_size", effect_size, ("mean_ratio", "cles")),
        ),
    )
    arms = _without_nan(control, nan_strategy), _without_nan(experiment, nan_strategy)
    if not all(points.size for points in arms):
        return _no_data(nan_strategy, critical=critical, must_have_data=must_have_data)
    if _alike(*arms):
        return _uncompared(Label.Pass, "both arms have the same points")
    arms = _spread_if_constant(*arms)
    if _constant(*arms):
        return _uncompared(Label.Nodata, "too few points to compare", critical=critical)
    shift, effect = hodges_lehmann(*arms, confidence), _effect(*arms, effect_size)
    found = _finding(shift, tolerance, direction)
    if not _reached(found, effect, allowed_decrease, allowed_increase):
        found = Label.Pass
    fatal = critical and found is not Label.Pass and _reached(found, effect, critical_decrease, critical_increase)
    return _compared(found, shift, f"{effect_size.replace('_', ' ')} {effect:.3g}", critical=fatal)


def hodges_lehmann(control: Floats, experiment: Floats, confidence: float) -> Shift:
    """Return the shift at which the test sees no difference, and those at which it begins to see one.

    Args:
        control: [N] points, not all of both arms equal.
        experiment: [M] points.
        confidence: Of the interval.
    """
    low, high = float(experiment.min() - control.max()), float(experiment.max() - control.min())
    statistic = _statistic_by_shift(control, experiment)
    largest, smallest = statistic(low), statistic(high)

    def root(quantile: float) -> float:
        """Return the shift in [low, high] whose statistic, which falls as the shift grows, is the quantile."""
        if largest <= quantile:
            return low
        if smallest >= quantile:
            return high
        return float(brentq(lambda shift: statistic(shift) - quantile, low, high, xtol=_RESOLUTION))

    quantile = float(ndtri((1 - confidence) / 2))
    return Shift(estimate=root(0.0), low=root(-quantile), high=root(quantile))


def _statistic_by_shift(control: Floats, experiment: Floats) -> Callable[[float], float]:
    """Return the statistic as a function of a shift of the experiment.

    The rank sum counts the pairs that the shift leaves in order (Mann & Whitney (1947)): a search among their
    differences. Ranks are needed only where a shift ties the arms.
    """
    pairs = np.sort((experiment[:, None] - control).ravel())
    deviation = _deviation(control, experiment, (_ties(control), _ties(experiment)))

    @cache  # whoever looks for a root asks for both ends again
    def statistic(shift: float) -> float:
        below = int(pairs.searchsorted(shift))
        if below < pairs.size and pairs[below] == shift:
            return _statistic(control, experiment - shift)
        return _standardised(pairs.size / 2 - below, deviation)

    return statistic


def _statistic(control: Floats, experiment: Floats) -> float:
    """Return the rank sum of the experiment, standardised, with corrections for continuity and ties."""
    n, m = experiment.size, control.size
    both = np.sort(np.concatenate((experiment, control)))
    deviation = _deviation(control, experiment, (_ties(both),))
    if not deviation:  # all tied, as when a shift swallows what tells points apart
        return 0.0
    return _standardised(_rank_sum(experiment, both) - n * (n + 1) / 2 - n * m / 2, deviation)


def _standardised(excess: float, deviation: float) -> float:
    return (excess - math.copysign(0.5, excess) * bool(excess)) / deviation


def _deviation(control: Floats, experiment: Floats, ties: Iterable[Floats]) -> float:
    """Return the rank sum's standard deviation, corrected for ties; 0 where all points are tied."""
    n, m = experiment.size, control.size
    lost = sum(float((tied**3 - tied).sum()) for tied in ties)
    return math.sqrt(max(n * m / 12 * (n + m + 1 - lost / ((n + m) * (n + m - 1))), 0.0))


def _ties(points: Floats) -> Floats:
    """Return how many points share each value."""
    changes = np.flatnonzero(np.diff(np.sort(points), prepend=-np.inf, append=np.inf))
    return np.diff(changes).astype(np.float64)


def _rank_sum(points: Floats, both: Floats) -> float:
    """Return the sum of the ranks of `points` among `both`, sorted; tied points share the average of their ranks."""
    return float((np.searchsorted(both, points, "left") + np.searchsorted(both, points, "right") + 1).sum() / 2)


def _point_mistakes(name: str, points: ArrayLike) -> Iterator[str]:
    try:
        numbers = np.asarray(points, dtype=np.float64)
    except (TypeError, ValueError):
        yield f"{name}: value {points!r}: give a list of numbers, NaN where there was no data"
        return
    if numbers.ndim != 1:
        yield f"{name}: value of shape {numbers.shape}: give one number per point"
    if np.isinf(numbers).any():
        yield f"{name}: value infinite: give finite numbers, NaN where there was no data"


def _without_nan(points: ArrayLike, strategy: NanStrategy) -> Floats:
    numbers = np.asarray(points, dtype=np.float64)
    return numbers[~np.isnan(numbers)] if strategy == "remove" else np.nan_to_num(numbers, nan=0.0)


def _alike(control: Floats, experiment: Floats) -> bool:
    both = np.concatenate((control, experiment))
    return bool(both.min() == both.max()) or np.array_equal(np.sort(control), np.sort(experiment))


def _constant(control: Floats, experiment: Floats) -> bool:
    return not (np.ptp(control) or np.ptp(experiment))


def _spread_if_constant(control: Floats, experiment: Floats) -> tuple[Floats, Floats]:
    """Return both arms, spread a little where each is constant, since the test cannot rank what is all tied.

    Kayenta draws the spread by chance; normal quantiles do as well and give the same answer every time.
    """
    if not _constant(control, experiment):
        return control, experiment
    spread = (
        points + _SPREAD * points * ndtri((np.arange(points.size) + 0.5) / points.size)
        for points in (control, experiment)
    )
    return next(spread), next(spread)


def _effect(control: Floats, experiment: Floats, measure: EffectSize) -> float:
    if measure == "cles":
        n, m = experiment.size, control.size
        ranks = _rank_sum(experiment, np.sort(np.concatenate((experiment, control))))
        return (ranks - n * (n + 1) / 2) / (n * m)
    means = float(experiment.mean()), float(control.mean())
    return means[0] / means[1] if all(means) else math.nan


def _finding(shift: Shift, tolerance: float, direction: Direction) -> Label:
    beyond = tolerance * abs(shift.estimate)
    if direction != "decrease" and shift.low > beyond:
        return Label.High
    if direction != "increase" and shift.high < -beyond:
        return Label.Low
    return Label.Pass


def _reached(found: Label, effect: float, decrease: float, increase: float) -> bool:
    """Return whether the effect is as large as the finding's limit asks; an effect that cannot be had has no limit."""
    return math.isnan(effect) or (effect >= increase if found is Label.High else effect <= decrease)


def _no_data(nan_strategy: NanStrategy, *, critical: bool, must_have_data: bool) -> Classification:
    if nan_strategy == "replace":
        return _uncompared(Label.Pass, "no data, which counts as zero")
    if must_have_data and not critical:
        return _uncompared(Label.NodataFailMetric, "no data in an arm, though the metric must have some")
    return _uncompared(Label.Nodata, "no data in an arm", critical=critical)


def _uncompared(label: Label, reason: str, *, critical: bool = False) -> Classification:
    nan = float("nan")
    return Classification(label=label, critical=critical, estimate=nan, low=nan, high=nan, reason=reason)


def _compared(label: Label, shift: Shift, effect: str, *, critical: bool) -> Classification:
    return Classification(
        label=label,
        critical=critical,
        estimate=shift.estimate,
        low=shift.low,
        high=shift.high,
        reason=f"{label}{' (critical)' if critical else ''}: shifted by {shift.estimate:.3g} "
        f"(interval {shift.low:.3g} to {shift.high:.3g}), {effect}",
    )

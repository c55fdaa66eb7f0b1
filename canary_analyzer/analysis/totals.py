"""Sums over the ticks that counted, from which `effects` are read."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from canary_analyzer.analysis.types import Floats


@dataclass(frozen=True, kw_only=True, eq=False)
class Matched:
    """Counts of both arms, the baseline's ticks weighted like the canary's.

    When the weight moves while the common rate drifts, sums over ticks compare the canary's evening with the baseline's
    morning. So each tick of the baseline counts as often as the canary's (direct standardisation), and
    `variance_weight` keeps what that costs: the weighted baseline is worth canary^2 / variance_weight requests.

    When requests come in clusters, because a pod has a bad minute, the difference between the arms varies more from
    tick to tick than independent requests would, and counts are worth less by that factor (Pearson's dispersion). What
    neither arm has shown yet, such as the first bad minute of a canary that is going to have some, no factor knows of.

    Args:
        canary: [B] requests of the canary by bucket.
        baseline: [B] baseline's requests by bucket, scaled in each tick to the canary's number.
        variance_weight: Sum of n_c^2 / n_b.
        counted: The canary's requests.
        requests: The baseline's requests, unweighted.
        compared: Ticks whose difference was compared with that of the ticks before.
        wander: [B-1] per edge, sum of squares of what it then differed by, in sigmas of independent requests.
    """

    canary: Floats
    baseline: Floats
    variance_weight: float
    counted: float
    requests: float
    compared: int
    wander: Floats

    @classmethod
    def none(cls, buckets: int) -> Self:
        """Return the sums before any tick."""
        nothing = np.zeros(buckets)
        return cls(
            canary=nothing,
            baseline=nothing,
            variance_weight=0.0,
            counted=0.0,
            requests=0.0,
            compared=0,
            wander=np.zeros(max(buckets - 1, 0)),
        )

    def after(self, canary: Floats, baseline: Floats) -> "Matched":
        """Return the sums after one more tick; a tick that one arm did not see has nothing to compare."""
        n_canary, n_baseline = float(canary.sum()), float(baseline.sum())
        if not n_canary or not n_baseline:
            return self
        matched = baseline * (n_canary / n_baseline)
        cost = n_canary * (n_canary / n_baseline)
        return Matched(
            canary=self.canary + canary,
            baseline=self.baseline + matched,
            variance_weight=self.variance_weight + cost,
            counted=self.counted + n_canary,
            requests=self.requests + n_baseline,
            compared=self.compared + (self.counted > 0),
            wander=self.wander + self._surprise(canary, matched, n_canary, cost) if self.counted else self.wander,
        )

    def _surprise(self, canary: Floats, matched: Floats, now: float, cost: float) -> Floats:
        """Return per edge [B-1] the square of what a tick's difference differs by from that of the ticks before."""
        before = self.counted
        below = np.array((canary, matched, self.canary, self.baseline)).cumsum(axis=1)[:, :-1]
        share = (below[:2] + below[2:] + 0.5) / (now + before + 1)
        difference = (below[0] - below[1]) / now - (below[2] - below[3]) / before
        of_canary, of_baseline = 1 / now + 1 / before, cost / now**2 + self.variance_weight / before**2
        variance = share * (1 - share)
        return np.asarray(difference**2 / (variance[0] * of_canary + variance[1] * of_baseline))

    @property
    def n_canary(self) -> int:
        """Requests of the canary."""
        return int(self.counted)

    @property
    def n_baseline(self) -> int:
        """Requests of the baseline."""
        return int(self.requests)

"""Wealth of the bettors: what all ticks so far say, in numbers that do not grow with time.

An average of e-processes is an e-process, so bettors of different opinions and methods are combined by averaging their
wealth; the best of them costs the logarithm of its share of the capital and no more.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from canary_analyzer.analysis import betting, consistency
from canary_analyzer.analysis.streams import Bets
from canary_analyzer.analysis.types import Floats


@dataclass(frozen=True, kw_only=True, eq=False)
class Evidence:
    """Log wealth of every bettor, for S streams.

    Args:
        against: [S, K] betting on shares, that the canary is beyond tolerance.
        within: [S, K] betting on shares, that it is within tolerance.
        ticks: [S] ticks whose excess counted.
        sums: [S] sum of their excesses over tolerance.
        squares: [S] sum of the squares.
    """

    against: Floats
    within: Floats
    ticks: Floats
    sums: Floats
    squares: Floats

    @classmethod
    def none(cls, streams: int) -> Self:
        """Return the wealth before any tick: 1 for everybody."""
        even = np.zeros((streams, betting.EFFECTS.size))
        zero = np.zeros(streams)
        return cls(against=even, within=even, ticks=zero, sums=zero, squares=zero)

    def after(self, bets: Bets) -> "Evidence":
        """Return the wealth after one more tick."""
        against = betting.stakes(bets.against_limit, bets.expected)
        # Within tolerance means fewer bad requests of the canary: the same game, played for the baseline's share.
        within = betting.stakes(1 - bets.within_limit, bets.expected)
        excess = bets.excess * bets.steady
        return Evidence(
            against=self.against + np.log1p(against * bets.against[:, None]),
            within=self.within + np.log1p(within * bets.within[:, None]),
            ticks=self.ticks + bets.steady,
            sums=self.sums + excess,
            squares=self.squares + excess**2,
        )

    def log_against(self) -> Floats:
        """Return the log wealth [S] of all who bet that the canary is beyond tolerance."""
        return _log_mean(self.against, consistency.log_ratios(self.ticks, self.sums, self.squares))

    def log_within(self) -> Floats:
        """Return the log wealth [S] of all who bet that it is within tolerance."""
        return _log_mean(self.within, consistency.log_ratios(self.ticks, -self.sums, self.squares))


_SHARES, _STEADY = 0.6, 0.4
"""Capital of those who bet on shares, and on consistency."""


def _log_mean(shares: Floats, steady: Floats) -> Floats:
    """Return the log of the mean wealth [S]; within either method all bettors begin alike."""
    return np.logaddexp(
        np.logaddexp.reduce(shares, axis=-1) + np.log(_SHARES / shares.shape[-1]),
        np.logaddexp.reduce(steady, axis=-1) + np.log(_STEADY / steady.shape[-1]),
    )

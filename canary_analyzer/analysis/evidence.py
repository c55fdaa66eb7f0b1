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
        on_shares: [S] part of the capital that began with bets on shares; the rest bets on consistency.
    """

    against: Floats
    within: Floats
    ticks: Floats
    sums: Floats
    squares: Floats
    on_shares: Floats

    @classmethod
    def none(cls, on_shares: Floats) -> Self:
        """Return the wealth before any tick, 1 in every stream, of which the part [S] `on_shares` bets on shares."""
        even = np.zeros((on_shares.size, betting.EFFECTS.size))
        zero = np.zeros(on_shares.size)
        return cls(against=even, within=even, ticks=zero, sums=zero, squares=zero, on_shares=on_shares)

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
            on_shares=self.on_shares,
        )

    def log_against(self) -> Floats:
        """Return the log wealth [S] of all who bet that the canary is beyond tolerance."""
        return self._log_total(self.against, consistency.log_ratios(self.ticks, self.sums, self.squares))

    def log_within(self) -> Floats:
        """Return the log wealth [S] of all who bet that it is within tolerance."""
        return self._log_total(self.within, consistency.log_ratios(self.ticks, -self.sums, self.squares))

    def _log_total(self, shares: Floats, steady: Floats) -> Floats:
        wealth = (
            np.logaddexp.reduce(shares + betting.LOG_CAPITAL, axis=-1) + np.log(self.on_shares),
            np.logaddexp.reduce(steady + consistency.LOG_CAPITAL, axis=-1) + np.log1p(-self.on_shares),
        )
        return np.asarray(np.logaddexp(*wealth))

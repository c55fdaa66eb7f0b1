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

_LOG_CAPITAL = np.array([[betting.LOG_CAPITAL_AGAINST], [betting.LOG_CAPITAL_WITHIN]])


@dataclass(frozen=True, kw_only=True, eq=False)
class Evidence:
    """What all bettors hold, for S streams; the first axis of 2: beyond tolerance, within tolerance.

    Args:
        shares: [2, S, K] log wealth of those who bet on shares.
        ticks: [S] ticks whose excess counted.
        sums: [2, S] sum of their excesses.
        squares: [2, S] sum of the squares.
        on_shares: [S] part of the capital that began with bets on shares; the rest bets on consistency.
    """

    shares: Floats
    ticks: Floats
    sums: Floats
    squares: Floats
    on_shares: Floats

    @classmethod
    def none(cls, on_shares: Floats) -> Self:
        """Return the wealth before any tick, 1 in every stream, of which the part [S] `on_shares` bets on shares."""
        streams = on_shares.size
        return cls(
            shares=np.zeros((2, streams, betting.EFFECTS.size)),
            ticks=np.zeros(streams),
            sums=np.zeros((2, streams)),
            squares=np.zeros((2, streams)),
            on_shares=on_shares,
        )

    def after(self, bets: Bets) -> "Evidence":
        """Return the wealth after one more tick."""
        stakes = betting.stakes(bets.limit, bets.expected)
        excess = bets.excess * bets.steady
        return Evidence(
            shares=self.shares + np.log1p(stakes * bets.payoff[..., None]),
            ticks=self.ticks + bets.steady,
            sums=self.sums + excess,
            squares=self.squares + excess**2,
            on_shares=self.on_shares,
        )

    def log_wealth(self) -> Floats:
        """Return the log wealth [2, S] of all who bet that the canary is beyond tolerance, and that it is within."""
        steady = consistency.log_ratios(self.ticks, self.sums, self.squares)
        wealth = (
            np.logaddexp.reduce(self.shares + _LOG_CAPITAL, axis=-1) + np.log(self.on_shares),
            np.logaddexp.reduce(steady + consistency.LOG_CAPITAL, axis=-1) + np.log1p(-self.on_shares),
        )
        return np.asarray(np.logaddexp(*wealth))

"""Wealth of the bettors: what all ticks so far say, in numbers that do not grow with time.

Each bettor multiplies its wealth by the tick's likelihood ratio, and an average of such wealths is an e-process: it
exceeds 1/alpha with chance at most alpha, however often one looks (Ville). That holds when requests of a tick are
independent. When they are not, because a pod has a bad minute, plain likelihood ratios cry wolf; here they are
believed only in part, and every step in that direction keeps the guarantee, since paying less than is due does:

- No tick wins more than a little (Huber's clipped likelihood ratio), and no three ticks running, which is how long a
  bad minute lasts, win more than half of what an alarm takes. One failure among few requests is paid in full, the next
  one only when some time has passed. What exceeds by far what the bettor itself predicts is another story than the one
  it bets on, and wins next to nothing.
- Only what has lasted is believed in full: more can be won once a bettor has clearly won in four ticks running.
- Ticks that differ more than independent requests would weigh less: the log ratio is divided by their variance, as far
  as known before the tick and never below 1 (by Jensen's inequality the mean of LR^(1/v) is at most 1).

Some wealth is always kept: no tick loses all. And some capital enters only later, so that what begins in the tenth hour
is not up against ten hours of good behaviour; the sum over all times of entry is an e-process again.

Sources: Huber, "A robust version of the probability ratio test" (1965); Saha & Ramdas, "Huber-robust likelihood ratio
tests for composite nulls and alternatives" (2024); Shin, Ramdas & Rinaldo, "E-detectors" (2023), section 2; Grunwald,
de Heide & Koolen, "Safe testing" (2024).
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from canary_analyzer.analysis.bets import BETTORS, Bets
from canary_analyzer.analysis.types import Floats

_MOST = np.array([1.7, 2.5, 1.2, 1.2])
"""Log wealth that each of the `BETTORS` can win in a tick; one failure is worth 2.5 to who bets on 12 times as many."""
_BURST = 3
"""Ticks that a burst lasts."""
_MOST_IN_A_BURST = np.array([3.0, 3.4, 3.3, 3.3])
"""Log wealth that each can win in that time; an alarm takes some 6."""
_MOST_OF_FEW = 4.8
"""The same where bad requests are scarce: there it is two failures that count, or a trickle would tell nothing."""
_LITTLE = 0.3
"""What is won by what exceeds the bettor's own prediction by `_FAR` sigmas."""
_FAR = 2.75
_CLEAR = 0.95
"""Log ratio from which on a tick is clearly won."""
_LASTING = 4
"""Ticks clearly won running, after which up to `_TRUSTED` can be won: a burst is over by then."""
_TRUSTED = 2.5
_KEPT = 0.03
"""Share of the wealth that is not staked."""
_AT_ONCE = 0.9
"""Share of the capital that is bet from the first tick; of the rest 1 / (t (t + 1)) enters at tick t."""
_ONE_VARIANCE = 10.0
"""Ticks that the prior is worth that requests are independent."""
_WILD = 3.0
"""An excess beyond so many sigmas is a burst, which the clipping deals with; it does not count as variance."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Evidence:
    """What all bettors hold, for S streams of K bettors; the first axis of 2: against the canary, and for it.

    Args:
        log_wealth: [2, S, K] of the capital that is in play.
        streak: [2, S, K] ticks clearly won running.
        won: [_BURST - 1, 2, S, K] won in the latest ticks, the newest first.
        ticks: Ticks so far.
        compared: [S] ticks whose excess could be compared with the one before.
        latest: [S] the latest excess, in sigmas of independent requests; NaN before any.
        wander: [S] sum of squared differences between neighbouring excesses, halved.
    """

    log_wealth: Floats
    streak: Floats
    won: Floats
    ticks: int
    compared: Floats
    latest: Floats
    wander: Floats

    @classmethod
    def none(cls, streams: int) -> Self:
        """Return the wealth before any tick."""
        return cls(
            log_wealth=np.full((2, streams, BETTORS), np.log(_AT_ONCE)),
            streak=np.zeros((2, streams, BETTORS)),
            won=np.zeros((_BURST - 1, 2, streams, BETTORS)),
            ticks=0,
            compared=np.zeros(streams),
            latest=np.full(streams, np.nan),
            wander=np.zeros(streams),
        )

    def after(self, bets: Bets) -> "Evidence":
        """Return the wealth after one more tick."""
        log_ratios = bets.log_ratios / self.variance()[:, None]
        in_a_burst = np.where(bets.scarce[:, None], _MOST_OF_FEW, _MOST_IN_A_BURST)
        left = np.minimum(_MOST, in_a_burst - self.won.sum(axis=0))
        most = np.where(bets.surprise > _FAR, np.minimum(left, _LITTLE), left)
        believed = np.minimum(log_ratios, np.where(self.streak >= _LASTING, _TRUSTED, np.maximum(most, 0.0)))
        number = self.ticks + 1
        entering = np.log((1 - _AT_ONCE) / (number * (number + 1)))
        excess = np.minimum(np.maximum(bets.excess, -_WILD), _WILD)
        comparable = bets.steady & ~np.isnan(self.latest)
        return Evidence(
            log_wealth=np.logaddexp(self.log_wealth, entering) + np.log(_KEPT + (1 - _KEPT) * np.exp(believed)),
            streak=np.where(
                log_ratios == 0, self.streak, np.minimum(self.streak + 1, _LASTING) * (log_ratios >= _CLEAR)
            ),
            won=np.concatenate((np.maximum(believed, 0.0)[None], self.won[:-1])),
            ticks=number,
            compared=self.compared + comparable,
            latest=np.where(bets.steady, excess, self.latest),
            wander=self.wander + np.where(comparable, (excess - self.latest) ** 2 / 2, 0.0),
        )

    def variance(self) -> Floats:
        """Return how much more than independent requests the ticks surely differ [S], at least 1.

        Differences between neighbours, so that a slow leak or a lasting excess is not taken for noise (von Neumann);
        less one standard deviation of what they come to when requests are independent.
        """
        ticks = _ONE_VARIANCE + self.compared
        return np.asarray(np.maximum((_ONE_VARIANCE + self.wander) / ticks * (1 - np.sqrt(2 / ticks)), 1.0))

    def log_means(self, log_opinions: Floats) -> Floats:
        """Return the log wealth [2, S] of each stream, given the log of the part that each bettor began with [S, K]."""
        unspent = np.log((1 - _AT_ONCE) / (self.ticks + 1))
        played = np.logaddexp.reduce(self.log_wealth + log_opinions, axis=-1)
        return np.asarray(np.logaddexp(played, unspent))

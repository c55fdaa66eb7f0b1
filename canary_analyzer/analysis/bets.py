"""What ticks pay to bettors of several opinions, given what both arms did and what was known before.

Every stream has four bettors a side. Two count bad requests, which is best where these are rare; two average scores,
which is best where they are common (`betting`). Their opinions are fixed before the tick is seen.
"""

from dataclasses import dataclass, fields

import numpy as np

from canary_analyzer.analysis import betting
from canary_analyzer.analysis.types import Floats

Flags = np.ndarray[tuple[int, ...], np.dtype[np.bool_]]

BETTORS = 4
"""Per stream and side: two who count bad requests, two who average scores."""
CORRECTION = 0.375
"""Anscombe's: without it the mean of the root of a count falls short of the root of its mean, with it it exceeds it."""
_ODDS = np.array([2.5, 12.0])
"""How many times what is tolerated the counting bettors think the canary's bad requests to be."""
_OUTLIER = 1.2
"""Standard deviations of the canary's sum of scores that one request can add at most where they can be averaged."""
_SCARCE = 0.05
"""Bad requests of a canary at its tolerance in a tick, fewer than which are scarce."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Bets:
    """What T ticks pay to K bettors on each of S streams; the first axis of 2: against the canary, and for it.

    Args:
        log_ratios: [2, T, S, K] log likelihood ratios, of mean at most 1 when not logged and the bet is lost.
        surprise: [2, T, S, K] by how many sigmas the excess exceeds what the bettor himself expects.
        excess: [T, S] the canary's excess over what is tolerated, in sigmas of independent requests.
        steady: [T, S] whether enough requests were there for that excess to be nearly normal.
        scarce: [T, S] whether there were so few that hardly one was expected to be bad.
    """

    log_ratios: Floats
    surprise: Floats
    excess: Floats
    steady: Flags
    scarce: Flags

    def where(self, offered: Flags) -> "Bets":
        """Return the bets of which only those flagged [T, S] are on offer; the others leave every wealth as it is."""
        return Bets(
            log_ratios=np.where(offered[..., None], self.log_ratios, 0.0),
            surprise=self.surprise,
            excess=self.excess,
            steady=self.steady & offered,
            scarce=self.scarce,
        )

    def of_tick(self, index: int) -> "Bets":
        """Return what one tick pays, without the axis T."""
        return Bets(
            log_ratios=self.log_ratios[:, index],
            surprise=self.surprise[:, index],
            excess=self.excess[index],
            steady=self.steady[index],
            scarce=self.scarce[index],
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Seen:
    """What both arms did in each of T ticks, and what was known before it, for S streams.

    Where two numbers stand side by side [2, ...], the first is by a relative tolerance and the second by an absolute
    one, unless told otherwise.

    Args:
        bad: [2, T, S] bad requests, or sums of scores, of canary and baseline.
        requests: [2, T, S] of canary and baseline.
        spread: [2, T, S] variance of a score against that of yes and no: as is usual, and as tolerated.
        usual: [T, S] mean score, or share of bad requests, of the baseline.
        tolerated: [T, S] the same of a canary at its tolerance.
        permitted: [2, T, S] what is tolerated by what the baseline did in this tick; rather too high, rather too low.
        ratio: [2, T, S] how many times the baseline's bad requests are tolerated.
        added: [2, T, S] how many more of them are.
        lenient: [T, S] whether the canary's bets must be fair under either tolerance; else the second is known to hold.
        absolute: [T, S] whether the second is the larger one.
        opposed: [2, T, S, 2] odds of the counting bettors who bet for the canary.
        slower: [T, S, 2] mean score that the averaging bettors think the canary to have.
    """

    bad: Floats
    requests: Floats
    spread: Floats
    usual: Floats
    tolerated: Floats
    permitted: Floats
    ratio: Floats
    added: Floats
    lenient: Flags
    absolute: Flags
    opposed: Floats
    slower: Floats

    def bets(self) -> Bets:
        """Return what the ticks pay."""
        sigma = self._sigma()
        expected = self._expected() / sigma[..., None]
        steady = self.requests[0] * self.tolerated * self.spread[1] * _OUTLIER**2 >= 1 - self.tolerated
        z = (self._excess() / sigma)[..., None]
        averaging = betting.excess_log_ratio(z, expected[..., 2:]) * steady[..., None]
        return Bets(
            log_ratios=np.concatenate((self._counting(), averaging), axis=-1),
            surprise=z - expected,
            excess=z[0, ..., 0],
            steady=steady,
            scarce=self.requests[0] * self.tolerated < _SCARCE,
        )

    def _counting(self) -> Floats:
        """Return the log ratios [2, T, S, 2] of those who count.

        A bet against the canary that is fair whichever tolerance applies pays the lesser of two. A canary beyond
        tolerance is beyond both, so a bet for it may pick either.
        """
        limit = self.requests[0] * self.ratio / (self.requests[0] * self.ratio + self.requests[1])
        against = odds_against(self.tolerated) * np.ones_like(self.opposed)
        odds = np.concatenate((against, self.opposed), axis=-1)
        paid = betting.share_log_ratio(self.bad[:, None, ..., None], limit[..., None], odds, self.added[..., None])
        fair = np.where(self.lenient[..., None], paid.min(axis=0), paid[1])
        larger = np.where(self.absolute[..., None], paid[1], paid[0])
        return np.array((fair[..., :2], larger[..., 2:]))

    def _expected(self) -> Floats:
        """Return the excess [2, T, S, K] that each bettor expects, on the scale of `_angle`."""
        tolerated, usual = self.tolerated[..., None], self.usual[..., None]
        against = np.concatenate((tolerated * odds_against(self.tolerated), self.slower), axis=-1)
        middle = np.sqrt(usual * tolerated)
        within = np.concatenate((usual, middle, usual, middle), axis=-1)
        here = _angle(tolerated)
        return np.array((_angle(against) - here, here - _angle(within)))

    def _excess(self) -> Floats:
        """Return [2, T, S] the canary's excess over the tolerated share, and its reverse, on the scale of `_angle`.

        Scores that spread less than yes and no count as more requests. Of the two arms the one that a bet has winning
        goes uncorrected, so that by Jensen's inequality neither bet gains from few requests.
        """
        bad, n = self.bad[0] / self.spread[1], self.requests[0] / self.spread[1]
        low, high = _angle(bad / n), _angle((bad + CORRECTION) / (n + 2 * CORRECTION))
        permitted = _angle(np.minimum(self.permitted, 1.0))
        return np.array((low - permitted[0], permitted[1] - high))

    def _sigma(self) -> Floats:
        """Return the standard error [T, S] of the excess when requests are independent."""
        times = self.tolerated / self.usual * (1 - self.usual) / (1 - self.tolerated)
        return np.asarray(np.sqrt(self.spread[1] / self.requests[0] + self.spread[0] * times / self.requests[1]))


def odds_against(tolerated: Floats) -> Floats:
    """Return the odds [..., 2] of those who count against the canary, given the share tolerated [...], all below 1."""
    return np.asarray(np.minimum(_ODDS, (1 + 1 / tolerated[..., None]) / 2))


def _angle(share: Floats) -> Floats:
    """Return 2 arcsin sqrt(share): of variance 1/n whatever the share.

    So a canary far beyond tolerance spreads no more than one within it. Source: Anscombe, "The transformation of
    Poisson, binomial and negative-binomial data" (1948).
    """
    return np.asarray(2 * np.arcsin(np.sqrt(share)))


_STREAM_AXES = {field.name: -2 if field.name in ("opposed", "slower") else -1 for field in fields(Seen)}


def together(seen: list[Seen]) -> Seen:
    """Return the streams of all as one."""
    parts = [vars(one) for one in seen]
    return Seen(**{name: np.concatenate([part[name] for part in parts], axis) for name, axis in _STREAM_AXES.items()})

"""Ticks as bets: a stream per kind of bad request, each with bettors of several opinions.

A ratio (errors) is one stream. A histogram (latency) is several, and scores every request between 0 and 1 by its
bucket. One stream per quantile asks "slower than the edge nearest to that quantile?". Two stand beside: how slow on the
whole, by rank among the baseline's requests (its ridit), and "slower than the edge beyond the highest quantile's?",
where a new tail shows first when edges are coarse. What is usual, and what a canary within tolerance may reach, comes
from the baseline's ticks before this one, so that every bet is fixed before its outcome is seen.
"""

from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np

from canary_analyzer.analysis import betting
from canary_analyzer.analysis.histogram import Slowing, nearest_edges, share_above
from canary_analyzer.analysis.policy import ErrorTolerance, LatencyTolerance
from canary_analyzer.analysis.types import Floats
from canary_analyzer.analysis.usual import bad_rate, usual_or

Flags = np.ndarray[tuple[int, ...], np.dtype[np.bool_]]

BETTORS = 4
"""Per stream: two who count bad requests, two who average scores."""
_ODDS = np.array([2.5, 12.0])
"""How many times what is tolerated the counting bettors think the canary's bad requests to be."""
_SLOWER = (2.0, 4.0)
"""By which power of the tolerated factor the averaging bettors think the canary slower: 1.1 is tolerated, they bet on
1.21 and 1.46. What lies between 1 and 2 is left to the intervals: pods differ by as much."""
_ON_ODDS = np.array([0.65, 0.35])
_ON_SLOWER = np.array([0.6, 0.4])
"""How either kind's capital is divided: the smaller effect is the harder to find."""
_COUNTING = 0.9
"""Part of a ratio's capital with those who count."""
_SLIGHT = 1e-9
"""The least share or spread that is told from none."""
BESIDES = 2
"""Streams of a histogram beside those of the quantiles: the whole of it, and beyond the tail."""
_ENOUGH = 0.4
"""Variance of the canary's bad requests in a tick from which on they can be averaged; below, one is an outlier."""
_CORRECTION = 0.375
"""Anscombe's: without it the mean of the root of a count falls short of the root of its mean, with it it exceeds it."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Bets:
    """What T ticks pay to K bettors on each of S streams; the first axis of 2: against the canary, and for it.

    Args:
        log_ratios: [2, T, S, K] log likelihood ratios, of mean at most 1 when not logged and the bet is lost.
        surprise: [2, T, S, K] by how many sigmas the excess exceeds what the bettor himself expects.
        excess: [T, S] the canary's excess over what is tolerated, in sigmas of independent requests.
        steady: [T, S] whether enough bad requests were expected for that excess to be nearly normal.
    """

    log_ratios: Floats
    surprise: Floats
    excess: Floats
    steady: Flags

    def where(self, offered: Flags) -> "Bets":
        """Return the bets of which only those flagged [T, S] are on offer; the others leave every wealth as it is."""
        return Bets(
            log_ratios=np.where(offered[..., None], self.log_ratios, 0.0),
            surprise=self.surprise,
            excess=self.excess,
            steady=self.steady & offered,
        )

    def of_tick(self, index: int) -> "Bets":
        """Return what one tick pays, without the axis T."""
        return Bets(
            log_ratios=self.log_ratios[:, index],
            surprise=self.surprise[:, index],
            excess=self.excess[index],
            steady=self.steady[index],
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
        steady = self.requests[0] * self.tolerated * (1 - self.tolerated) * self.spread[1] >= _ENOUGH
        z = (self._excess() / sigma)[..., None]
        averaging = betting.excess_log_ratio(z, expected[..., 2:]) * steady[..., None]
        return Bets(
            log_ratios=np.concatenate((self._counting(), averaging), axis=-1),
            surprise=z - expected,
            excess=z[0, ..., 0],
            steady=steady,
        )

    def _counting(self) -> Floats:
        """Return the log ratios [2, T, S, 2] of those who count.

        A bet against the canary that is fair whichever tolerance applies pays the lesser of two. A canary beyond
        tolerance is beyond both, so a bet for it may pick either.
        """
        limit = self.requests[0] * self.ratio / (self.requests[0] * self.ratio + self.requests[1])
        odds = np.concatenate((np.broadcast_to(self._odds(), self.opposed.shape), self.opposed), axis=-1)
        paid = betting.share_log_ratio(self.bad[:, None, ..., None], limit[..., None], odds, self.added[..., None])
        against = np.where(self.lenient[..., None], paid.min(axis=0), paid[1])[..., :2]
        return np.array((against, np.where(self.absolute[..., None], paid[1], paid[0])[..., 2:]))

    def _odds(self) -> Floats:
        """Return the odds [T, S, 2] of those who count against the canary: no share can exceed 1."""
        return np.asarray(np.minimum(_ODDS, (1 + 1 / self.tolerated[..., None]) / 2))

    def _expected(self) -> Floats:
        """Return the excess [2, T, S, K] that each bettor expects, on the scale of `_angle`."""
        tolerated, usual = self.tolerated[..., None], self.usual[..., None]
        against = np.concatenate((tolerated * self._odds(), self.slower), axis=-1)
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
        low, high = _angle(bad / n), _angle((bad + _CORRECTION) / (n + 2 * _CORRECTION))
        permitted = _angle(np.minimum(self.permitted, 1.0))
        return np.array((low - permitted[0], permitted[1] - high))

    def _sigma(self) -> Floats:
        """Return the standard error [T, S] of the excess when requests are independent."""
        times = self.tolerated / self.usual * (1 - self.usual) / (1 - self.tolerated)
        return np.asarray(np.sqrt(self.spread[1] / self.requests[0] + self.spread[0] * times / self.requests[1]))


def _angle(share: Floats) -> Floats:
    """Return 2 arcsin sqrt(share): of variance 1/n whatever the share.

    So a canary far beyond tolerance spreads no more than one within it. Source: Anscombe, "The transformation of
    Poisson, binomial and negative-binomial data" (1948).
    """
    return np.asarray(2 * np.arcsin(np.sqrt(share)))


def together(seen: list[Seen]) -> Seen:
    """Return the streams of all as one."""
    by_bettor = ("opposed", "slower")
    return Seen(
        **{
            field.name: np.concatenate(
                [getattr(one, field.name) for one in seen], axis=-2 if field.name in by_bettor else -1
            )
            for field in fields(Seen)
        }
    )


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """Bad events among all: one stream."""

    tolerance: ErrorTolerance
    streams: int = 1
    buckets: int = 2

    @property
    def parts(self) -> Floats:
        """What part of the metric's capital each stream [S] begins with."""
        return np.ones(1)

    @property
    def opinions(self) -> Floats:
        """What part of a stream's capital each bettor [S, K] begins with."""
        return _opinions(np.array([_COUNTING]))

    def seen(self, both: Floats, usual: Floats) -> Seen:
        """Return ticks' counts (good, bad) of canary and baseline [2, T, 2], beside those of late [T, 2].

        Tolerated is the larger of two allowances. Where errors are rare the absolute allowance alone decides, and the
        relative one only in a tick in which the baseline itself surges.
        """
        relative, absolute = self.tolerance.relative, self.tolerance.absolute
        rate, requests, bad = bad_rate(usual)[:, None], both.sum(axis=-1)[..., None], both[..., 1:]
        rare = absolute >= relative * rate
        allowance = requests[1] * absolute
        surge = relative * (bad[1] - 3 * np.sqrt(bad[1])) > allowance
        tolerated = np.minimum(self._tolerated(rate), 1 - _SLIGHT)
        opposed = np.stack((np.full_like(rate, 1 / (1 + relative)), rate / (rate + absolute)))
        return Seen(
            bad=bad,
            requests=requests,
            spread=np.ones_like(bad),
            usual=rate,
            tolerated=tolerated,
            permitted=self._tolerated((bad[1] + np.array([_CORRECTION, 0.0])[:, None, None]) / requests[1]),
            ratio=np.stack((np.full_like(rate, 1 + relative), np.ones_like(rate))),
            added=np.stack((np.zeros_like(rate), allowance)),
            lenient=~rare | surge,
            absolute=rare,
            opposed=_full_and_half(opposed),
            slower=np.minimum(tolerated[..., None] * _ODDS, (1 + tolerated[..., None]) / 2),
        )

    def _tolerated(self, rate: Floats) -> Floats:
        return np.maximum(rate * (1 + self.tolerance.relative), rate + self.tolerance.absolute)


@dataclass(frozen=True, kw_only=True, eq=False)
class Histogram:
    """Requests by bucket: a stream per quantile, the whole histogram, and beyond the tail."""

    tolerance: LatencyTolerance
    edges: Floats

    @property
    def streams(self) -> int:
        """How many there are."""
        return len(self.tolerance.quantiles) + BESIDES

    @property
    def buckets(self) -> int:
        """How many counts a tick has per arm."""
        return int(self.edges.size) + 1

    @cached_property
    def _slowing(self) -> Slowing:
        """What is tolerated, and what the averaging bettors think."""
        factor = 1 + self.tolerance.relative
        return Slowing.by(np.array([[factor], *[[factor**power] for power in _SLOWER]]), self.edges)

    @property
    def parts(self) -> Floats:
        """What part of the metric's capital each stream [S] begins with.

        The whole histogram sees what the lower quantiles see and sees it sooner; the tail is on its own.
        """
        parts = np.concatenate((0.05 + np.asarray(self.tolerance.quantiles) ** 20, [0.35, 0.2]))
        return np.asarray(parts / parts.sum())

    @property
    def opinions(self) -> Floats:
        """What part of a stream's capital each bettor [S, K] begins with.

        Where one request in a hundred is bad they are counted; where every second is, averaged.
        """
        ranks = np.asarray(self.tolerance.quantiles)
        return _opinions(np.concatenate((ranks**8, [0.01, ranks[-1] ** 8])))

    def seen(self, both: Floats, usual: Floats) -> Seen:
        """Return ticks' counts of canary and baseline [2, T, B], beside those of late [T, B]."""
        above = share_above(usual_or(both, usual))
        slower = np.clip(self._slowing.share_above(above), _SLIGHT, 1 - _SLIGHT)
        weights = np.swapaxes(self._weights(above), 1, 2)
        shares = _shares(np.concatenate((above[:, None], slower), axis=1))
        means = np.swapaxes(shares @ weights, 0, 1)
        variance = np.swapaxes(shares[:, :2] @ weights**2, 0, 1) - means[:2] ** 2
        spread = np.maximum(variance / (means[:2] * (1 - means[:2])), _SLIGHT)
        ratio = means[1] / means[0]
        requests, bad = np.broadcast_to(both.sum(axis=-1)[..., None], (2, *ratio.shape)), _scores(both, weights)
        never = np.zeros(ratio.shape, dtype=np.bool_)
        return Seen(
            bad=bad,
            requests=requests,
            spread=spread,
            usual=means[0],
            tolerated=means[1],
            permitted=ratio * (bad[1] + spread[0] * np.array([_CORRECTION, 0.0])[:, None, None]) / requests[1],
            ratio=np.stack((ratio, ratio)),
            added=np.zeros((2, *ratio.shape)),
            lenient=never,
            absolute=never,
            opposed=_full_and_half(np.stack((1 / ratio, 1 / ratio))),
            slower=np.moveaxis(means[2:], 0, -1),
        )

    def _weights(self, above: Floats) -> Floats:
        """Return the score of each bucket [T, S, B]: 1 above the quantile's edge; the ridit; 1 beyond the tail."""
        edges = nearest_edges(above, np.asarray(self.tolerance.quantiles))
        beyond = np.minimum(edges[:, -1:] + 1, above.shape[-1] - 1)
        steps = np.arange(self.buckets) > np.concatenate((edges, beyond), axis=1)[..., None]
        padded = _padded(above)
        ridits = 1 - (padded[:, :-1] + padded[:, 1:]) / 2
        return np.concatenate((steps[:, :-1], ridits[:, None], steps[:, -1:]), axis=1)


def _scores(both: Floats, weights: Floats) -> Floats:
    """Return the sums of scores [2, T, S] of counts [2, T, B], given the scores [T, B, S]."""
    return np.asarray((both[..., None, :] @ weights)[..., 0, :])


def _full_and_half(odds: Floats) -> Floats:
    """Return the odds [..., 2] of a canary like the baseline, and of one half way to the tolerance."""
    return np.stack((odds, np.sqrt(odds)), axis=-1)


def _opinions(counting: Floats) -> Floats:
    """Return what part of each stream's capital each bettor [S, K] has, given the part [S] of those who count."""
    return np.concatenate((counting[:, None] * _ON_ODDS, (1 - counting[:, None]) * _ON_SLOWER), axis=1)


def _shares(above: Floats) -> Floats:
    """Return the share of requests in each bucket [..., B] from the share above each edge [..., B-1]."""
    padded = _padded(above)
    return padded[..., :-1] - padded[..., 1:]


def _padded(above: Floats) -> Floats:
    shape = (*above.shape[:-1], 1)
    return np.concatenate((np.ones(shape), above, np.zeros(shape)), axis=-1)

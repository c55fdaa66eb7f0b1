"""One tick as bets: a stream per kind of bad request, each with bettors of several opinions.

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
_ODDS = np.array([3.0, 12.0])
"""How many times what is tolerated the counting bettors think the canary's bad requests to be."""
_SLOWER = (2.0, 4.0)
"""By which power of the tolerated factor the averaging bettors think the canary slower: 1.1 is tolerated, they bet on
1.21 and 1.46. What lies between 1 and 2 is left to the intervals: pods differ by as much."""
_OPINIONS = np.array([0.6, 0.4])
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
    """What one tick pays to K bettors on each of S streams; the first axis of 2: against the canary, and for it.

    Args:
        log_ratios: [2, S, K] log likelihood ratios, of mean at most 1 when not logged and the bet is lost.
        surprise: [2, S, K] by how many sigmas the excess exceeds what the bettor himself expects.
        excess: [S] the canary's excess over what is tolerated, in sigmas of independent requests.
        steady: [S] whether enough bad requests were expected for that excess to be nearly normal.
    """

    log_ratios: Floats
    surprise: Floats
    excess: Floats
    steady: Flags


@dataclass(frozen=True, kw_only=True, eq=False)
class Seen:
    """What both arms did in a tick, and what was known before it, for S streams.

    Where two numbers stand side by side [2, S], the first is by a relative tolerance and the second by an absolute one,
    unless told otherwise.

    Args:
        bad: [2, S] bad requests, or sums of scores, of canary and baseline.
        requests: [2, S] of canary and baseline.
        spread: [2, S] variance of a score against that of yes and no: as is usual, and as tolerated.
        usual: [S] mean score, or share of bad requests, of the baseline.
        tolerated: [S] the same of a canary at its tolerance.
        permitted: [2, S] what is tolerated by what the baseline did in this tick; a little too high, a little too low.
        ratio: [2, S] how many times the baseline's bad requests are tolerated.
        added: [2, S] how many more of them are.
        lenient: [S] whether the canary's bets must be fair under either tolerance; else the second is known to apply.
        absolute: [S] whether the second is the larger one.
        opposed: [2, S, 2] odds of the counting bettors who bet for the canary.
        slower: [S, 2] mean score that the averaging bettors think the canary to have.
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
        """Return what the tick pays."""
        excess, sigma = self._excess(), self._sigma()
        expected = self._expected() / sigma[:, None]
        counting = self._counting()
        steady = self.requests[0] * self.tolerated * (1 - self.tolerated) * self.spread[1] >= _ENOUGH
        z = (excess / sigma)[..., None]
        averaging = betting.excess_log_ratio(z, expected[..., 2:]) * steady[:, None]
        return Bets(
            log_ratios=np.concatenate((counting, averaging), axis=-1),
            surprise=z - expected,
            excess=z[0, :, 0],
            steady=steady,
        )

    def _counting(self) -> Floats:
        """Return the log ratios [2, S, 2] of those who count.

        A bet against the canary that is fair whichever tolerance applies pays the lesser of two. A canary beyond
        tolerance is beyond both, so a bet for it may pick either.
        """
        limit = self.requests[0] * self.ratio / (self.requests[0] * self.ratio + self.requests[1])
        odds = np.concatenate((np.broadcast_to(self._odds(), self.opposed.shape), self.opposed), axis=-1)
        paid = betting.share_log_ratio(self.bad[..., None], limit[..., None], odds, self.added[..., None])
        against = np.where(self.lenient[:, None], paid.min(axis=0), paid[1])[:, :2]
        return np.array((against, np.where(self.absolute[:, None], paid[1], paid[0])[:, 2:]))

    def _odds(self) -> Floats:
        """Return the odds [S, 2] of those who count against the canary: no share can exceed 1."""
        return np.asarray(np.minimum(_ODDS, (1 + 1 / self.tolerated[:, None]) / 2))

    def _expected(self) -> Floats:
        """Return the excess [2, S, K] that each bettor expects, on the scale of `_angle`."""
        tolerated, usual = self.tolerated[:, None], self.usual[:, None]
        against = np.concatenate((tolerated * self._odds(), self.slower), axis=-1)
        middle = np.sqrt(usual * tolerated)
        within = np.concatenate((usual, middle, usual, middle), axis=-1)
        angles = _angle(np.concatenate((against, within, tolerated), axis=-1))
        here = angles[:, -1:]
        return np.array((angles[:, :BETTORS] - here, here - angles[:, BETTORS:-1]))

    def _excess(self) -> Floats:
        """Return [2, S] the canary's excess over the tolerated share, and its reverse, on the scale of `_angle`.

        Scores that spread less than yes and no count as more requests. Of the two arms the one that a bet has winning
        goes uncorrected, so that by Jensen's inequality neither bet gains from few requests.
        """
        bad, n = self.bad[0] / self.spread[1], self.requests[0] / self.spread[1]
        high = (bad + _CORRECTION) / (n + 2 * _CORRECTION)
        angles = _angle(np.concatenate((np.array((bad / n, high)), np.minimum(self.permitted, 1.0))))
        return np.array((angles[0] - angles[2], angles[3] - angles[1]))

    def _sigma(self) -> Floats:
        """Return the standard error [S] of the excess when requests are independent."""
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
    axes = {"lenient": 0, "absolute": 0, "usual": 0, "tolerated": 0, "slower": 0}
    return Seen(
        **{
            field.name: np.concatenate([getattr(one, field.name) for one in seen], axis=axes.get(field.name, 1))
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
        """Return a tick's counts (good, bad) of canary and baseline [2, 2], beside those of late [2].

        Tolerated is the larger of two allowances. Where errors are rare the absolute allowance alone decides, and the
        relative one only in a tick in which the baseline itself surges.
        """
        rate, relative, absolute = bad_rate(usual), self.tolerance.relative, self.tolerance.absolute
        requests, bad = both.sum(axis=1)[:, None], both[:, 1:]
        n, failed = float(requests[1, 0]), float(bad[1, 0])
        rare = absolute >= relative * rate
        tolerated = min(self._tolerated(rate), 1 - 1e-9)
        more = np.minimum(tolerated * _ODDS, (1 + tolerated) / 2)
        opposed = np.array([1 / (1 + relative) if relative else 0.5, rate / (rate + absolute) if absolute else 0.5])
        return Seen(
            bad=bad,
            requests=requests,
            spread=np.ones((2, 1)),
            usual=np.array([rate]),
            tolerated=np.array([tolerated]),
            permitted=np.array([[self._tolerated((failed + c) / n)] for c in (_CORRECTION, 0.0)]),
            ratio=np.array([[1 + relative], [1.0]]),
            added=np.array([[0.0], [n * absolute]]),
            lenient=np.array([not rare or relative * (failed - 3 * failed**0.5) > n * absolute]),
            absolute=np.array([rare]),
            opposed=np.array((opposed, np.sqrt(opposed))).T[:, None],
            slower=more[None],
        )

    def _tolerated(self, rate: float) -> float:
        return max(rate * (1 + self.tolerance.relative), rate + self.tolerance.absolute)


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
        parts = np.concatenate((0.1 + np.asarray(self.tolerance.quantiles) ** 20, [0.4, 0.35]))
        return np.asarray(parts / parts.sum())

    @property
    def opinions(self) -> Floats:
        """What part of a stream's capital each bettor [S, K] begins with.

        Where one request in a hundred is bad they are counted; where every second is, averaged.
        """
        ranks = np.asarray(self.tolerance.quantiles)
        return _opinions(np.concatenate((ranks**8, [0.01, ranks[-1] ** 8])))

    def seen(self, both: Floats, usual: Floats) -> Seen:
        """Return a tick's counts of canary and baseline [2, B], beside those of late [B]."""
        above = share_above(usual_or(both, usual))
        slower = np.clip(self._slowing.share_above(above), _SLIGHT, 1 - _SLIGHT)
        weights = self._weights(above)
        shares = _shares(np.concatenate((above[None], slower)))
        means = shares @ weights.T
        variance = shares[:2] @ (weights**2).T - means[:2] ** 2
        spread = np.maximum(variance / (means[:2] * (1 - means[:2])), _SLIGHT)
        ratio = means[1] / means[0]
        requests, bad = np.repeat(both.sum(axis=1)[:, None], self.streams, axis=1), both @ weights.T
        opposed = np.array((1 / ratio, 1 / np.sqrt(ratio))).T
        return Seen(
            bad=bad,
            requests=requests,
            spread=spread,
            usual=means[0],
            tolerated=means[1],
            permitted=ratio * (bad[1] + spread[0] * np.array([[_CORRECTION], [0.0]])) / requests[1],
            ratio=np.array((ratio, ratio)),
            added=np.zeros((2, self.streams)),
            lenient=np.zeros(self.streams, dtype=np.bool_),
            absolute=np.zeros(self.streams, dtype=np.bool_),
            opposed=np.array((opposed, opposed)),
            slower=means[2:].T,
        )

    def _weights(self, above: Floats) -> Floats:
        """Return the score of each bucket [S, B]: 1 above the quantile's edge; the ridit; 1 beyond the tail."""
        edges = nearest_edges(above, np.asarray(self.tolerance.quantiles))
        beyond = min(edges[-1] + 1, above.size - 1)
        steps = np.arange(above.size + 1)[None, :] > np.append(edges, beyond)[:, None]
        ridits = np.concatenate(([0.0], 1 - above)) + _shares(above) / 2
        return np.concatenate((steps[:-1], ridits[None], steps[-1:]))


def _opinions(counting: Floats) -> Floats:
    """Return what part of each stream's capital each bettor [S, K] has, given the part [S] of those who count."""
    return np.concatenate((counting[:, None] * _OPINIONS, (1 - counting[:, None]) * _OPINIONS), axis=1)


def _shares(above: Floats) -> Floats:
    """Return the share of requests in each bucket [..., B] from the share above each edge [..., B-1]."""
    shape = (*above.shape[:-1], 1)
    padded = np.concatenate((np.ones(shape), above, np.zeros(shape)), axis=-1)
    return padded[..., :-1] - padded[..., 1:]


def on_those_with_data(bets: Bets, has_data: Flags) -> Bets:
    """Return the bets on all streams, of which only those flagged [S] have any; the others' wealth stays as it is."""
    log_ratios, surprise = np.zeros((2, 2, has_data.size, BETTORS))
    excess, steady = np.zeros(has_data.size), np.zeros(has_data.size, dtype=np.bool_)
    log_ratios[:, has_data], surprise[:, has_data] = bets.log_ratios, bets.surprise
    excess[has_data], steady[has_data] = bets.excess, bets.steady
    return Bets(log_ratios=log_ratios, surprise=surprise, excess=excess, steady=steady)

"""Streams: one per kind of bad request.

A ratio (errors) is one stream. A histogram (latency) is several, and scores every request between 0 and 1 by its
bucket. One stream per quantile asks "slower than the edge nearest to that quantile?". Another asks how slow on the
whole, by rank among the baseline's requests (its ridit).

Two more watch the tail: at the edge nearest to the highest quantile and at the one beyond, where a new tail shows first
when edges are coarse. Evidence is of an edge, and where that quantile lies between two the nearest changes with every
breath of the baseline. So one of the two has the edges of even index and the other those of odd ones: an edge is of the
same stream whenever it is asked about.

What is usual, and what a canary within tolerance may reach, comes from the baseline's ticks before this one, so that
every bet is fixed before its outcome is seen.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from canary_analyzer.analysis.bets import CORRECTION, Seen, odds_against
from canary_analyzer.analysis.histogram import Slowing, nearest_edges, share_above
from canary_analyzer.analysis.policy import ErrorTolerance, LatencyTolerance
from canary_analyzer.analysis.types import Floats, Indices
from canary_analyzer.analysis.usual import bad_rate, usual_or

BESIDES = 3
"""Streams of a histogram beside those of the quantiles: the whole of it, and two of the tail."""
_FEW = 0.05
"""Of the weights that divide a histogram's capital: what a stream gets that others nearly double."""
_SLOWER = (2.0, 4.0)
"""By which power of the tolerated factor the averaging bettors think the canary slower: 1.1 is tolerated, they bet on
1.21 and 1.46. What lies between 1 and 2 is left to the intervals: pods differ by as much."""
_ON_ODDS = np.array([0.7, 0.3])
_ON_SLOWER = np.array([0.6, 0.4])
"""How either kind's capital is divided: the smaller effect is the harder to find."""
_COUNTING = 0.9
"""Part of a ratio's capital with those who count."""
_SLIGHT = 1e-9
"""The least share or spread that is told from none."""


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
        opposed = np.array((np.full_like(rate, 1 / (1 + relative)), rate / (rate + absolute)))
        return Seen(
            bad=bad,
            requests=requests,
            spread=np.ones_like(bad),
            usual=rate,
            tolerated=tolerated,
            permitted=self._tolerated((bad[1] + np.array([CORRECTION, 0.0])[:, None, None]) / requests[1]),
            ratio=np.array((np.full_like(rate, 1 + relative), np.ones_like(rate))),
            added=np.array((np.zeros_like(rate), allowance)),
            lenient=~rare | surge,
            absolute=rare,
            opposed=_full_and_half(opposed),
            slower=tolerated[..., None] * odds_against(tolerated),
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
        lower = np.asarray(self.tolerance.quantiles[:-1]) ** 20
        parts = np.concatenate((_FEW + lower, [_FEW, 0.35, 0.55, 0.55]))
        return np.asarray(parts / parts.sum())

    @property
    def opinions(self) -> Floats:
        """What part of a stream's capital each bettor [S, K] begins with.

        Where one request in a hundred is bad they are counted; where every second is, averaged.
        """
        ranks = np.asarray(self.tolerance.quantiles)
        return _opinions(np.concatenate((ranks**8, [0.01, ranks[-1] ** 8, ranks[-1] ** 8])))

    def seen(self, both: Floats, usual: Floats) -> Seen:
        """Return ticks' counts of canary and baseline [2, T, B], beside those of late [T, B]."""
        above = share_above(usual_or(both, usual))
        slower = np.minimum(np.maximum(self._slowing.share_above(above), _SLIGHT), 1 - _SLIGHT)
        weights = self._weights(above).swapaxes(1, 2)
        shares = _shares(np.concatenate((above[:, None], slower), axis=1))
        means = (shares @ weights).swapaxes(0, 1)
        variance = (shares[:, :2] @ weights**2).swapaxes(0, 1) - means[:2] ** 2
        spread = np.maximum(variance / (means[:2] * (1 - means[:2])), _SLIGHT)
        ratio = means[1] / means[0]
        requests, bad = both.sum(axis=-1)[..., None] * np.ones(self.streams), _scores(both, weights)
        never = np.zeros(ratio.shape, dtype=np.bool_)
        return Seen(
            bad=bad,
            requests=requests,
            spread=spread,
            usual=means[0],
            tolerated=means[1],
            permitted=ratio * (bad[1] + spread[0] * np.array([CORRECTION, 0.0])[:, None, None]) / requests[1],
            ratio=np.array((ratio, ratio)),
            added=np.zeros((2, *ratio.shape)),
            lenient=never,
            absolute=never,
            opposed=_full_and_half(np.array((1 / ratio, 1 / ratio))),
            slower=means[2:].transpose(1, 2, 0),
        )

    def _weights(self, above: Floats) -> Floats:
        """Return the score of each bucket [T, S, B]: 1 above the stream's edge; of the whole, the ridit."""
        edges, of_quantiles = self._edges(above), len(self.tolerance.quantiles)
        steps = np.arange(self.buckets) > edges[..., None]
        padded = _padded(above)
        ridits = 1 - (padded[:, :-1] + padded[:, 1:]) / 2
        return np.concatenate((steps[:, :of_quantiles], ridits[:, None], steps[:, of_quantiles:]), axis=1)

    def _edges(self, above: Floats) -> Indices:
        """Return the edges [T, Q + 2]: the nearest to each quantile; an even and an odd one, of the tail."""
        edges = nearest_edges(above, np.asarray(self.tolerance.quantiles))
        highest = edges[:, -1:]
        even_and_odd = highest + (highest + np.array([0, 1])) % 2
        return np.concatenate((edges, np.minimum(even_and_odd, above.shape[-1] - 1)), axis=1)


def _scores(both: Floats, weights: Floats) -> Floats:
    """Return the sums of scores [2, T, S] of counts [2, T, B], given the scores [T, B, S]."""
    return np.asarray((both[..., None, :] @ weights)[..., 0, :])


def _full_and_half(odds: Floats) -> Floats:
    """Return the odds [..., 2] of a canary like the baseline, and of one half way to the tolerance."""
    return np.asarray(odds[..., None] ** np.array([1.0, 0.5]))


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

"""Latency from histogram counts: between two edges the latency is taken to be nearly lognormal.

A histogram says only what share of requests lies above each edge. Plotted as normal quantiles over the logarithm of the
edge, a lognormal latency is a straight line and real ones bend slowly; a smooth monotone curve through the edges is
what makes a tolerance of 10 % usable between edges that lie a factor of two apart.

Source: Fritsch & Butland, "A method for constructing local monotone piecewise cubic interpolants" (1984).
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from canary_analyzer.analysis.types import Floats

_LEAST_SLOPE = 0.25
"""Normal quantiles per unit of log latency, where counts give none: beyond the edges that saw anything."""
_REACH = 8.0
"""How far, in log latency, the curve is continued as a straight line at both ends."""
_CHORDS = np.array([[0, -1, 1], [0, 0, 1]])
"""Of three curves through a segment: whose chord it is, its own or a neighbour's, and at which end it begins."""


def share_above(counts: Floats, doubt: float = 0.5) -> Floats:
    """Return the share above each edge [..., B-1] of the requests counted [..., B], `doubt` requests off 0 and 1."""
    total = counts.sum(axis=-1, keepdims=True)
    above = total - np.cumsum(counts, axis=-1)[..., :-1]
    return np.asarray((np.maximum(above, 0.0) + doubt) / (total + 2 * doubt))


@dataclass(frozen=True, kw_only=True, eq=False)
class Slowing:
    """What slower requests do to a histogram of known edges; all that does not depend on counts, worked out once.

    Args:
        lengths: [B] of the curve's segments in log latency, the outermost ones added.
        shape: of the factors, and B-1.
        weights: [2 (B+1), product of shape] of the curve's values and slopes at its points in the value that comes to
            each edge: cubic Hermite weights of both ends of the segment where those requests lay.
    """

    lengths: Floats
    shape: tuple[int, ...]
    weights: Floats

    @classmethod
    def by(cls, factor: Floats | float, edges_ms: Floats) -> Self:
        """Return the slowing by each `factor` [...] or [..., 1]: every request takes so many times as long."""
        knots, lengths = _knots(edges_ms)
        origin = np.log(edges_ms) - np.log(factor)
        left = np.clip(np.searchsorted(knots, origin, side="right") - 1, 0, lengths.size - 1)
        t, stretch = np.clip((origin - knots[left]) / lengths[left], 0.0, 1.0), lengths[left]
        weights = np.zeros((2 * knots.size, *origin.shape))
        for point, basis in (
            (left, (1 + 2 * t) * (1 - t) ** 2),
            (left + 1, t**2 * (3 - 2 * t)),
            (knots.size + left, stretch * t * (1 - t) ** 2),
            (knots.size + left + 1, stretch * t**2 * (t - 1)),
        ):
            np.put_along_axis(weights, point[None], basis[None], axis=0)
        return cls(lengths=lengths, shape=origin.shape, weights=weights.reshape(2 * knots.size, -1))

    def share_above(self, above: Floats) -> Floats:
        """Return the share above each edge [..., *F, B-1] when requests are slower by each factor [*F].

        `above` [..., B-1] are the shares now.
        """
        normal = _lengthened(-ndtri(above), self.lengths)
        points = np.concatenate((normal, _slopes(normal, self.lengths)), axis=-1)
        # A product per tick: one product of all would round differently with the number of ticks.
        moved = (points[..., None, :] @ self.weights)[..., 0, :]
        return np.asarray(ndtr(-moved.reshape(*above.shape[:-1], *self.shape)))


def slowed(above: Floats, edges_ms: Floats, factor: Floats | float) -> Floats:
    """Return the share above each edge [..., B-1] when every request takes `factor` [..., 1] times as long."""
    return Slowing.by(factor, edges_ms).share_above(above)


def quantiles(counts: Floats, edges_ms: Floats, ranks: Floats) -> Floats:
    """Return the latencies [...], milliseconds, below which the shares `ranks` [...] of the requests counted [B] lie.

    A rank less than half a request from 0 or 1 says nothing of the latency there: 0 and infinity.
    """
    return np.asarray(quantile_curves(counts, edges_ms, np.asarray(ranks))[..., 0])


def quantile_curves(counts: Floats, edges_ms: Floats, ranks: Floats) -> Floats:
    """Return the quantiles [..., Q, 3] at `ranks` [..., Q] of the requests counted [..., B], by three curves.

    The chord between two edges, and each neighbour's prolonged. A curve that bends one way runs between its chord and
    the prolonged chords beside it.
    """
    knots, lengths = _knots(edges_ms)
    normal = _lengthened(-ndtri(share_above(counts, doubt=1e-3)), lengths)
    slopes = np.maximum((normal[..., 1:] - normal[..., :-1]) / lengths, 1e-9)
    level = ndtri(ranks)
    segment = (normal[..., None, 1:-1] <= level[..., None]).sum(axis=-1)
    left = segment[..., None] + _CHORDS[1]
    chord = np.minimum(np.maximum(segment[..., None] + _CHORDS[0], 0), slopes.shape[-1] - 1)
    rise = level[..., None] - _at(normal, left)
    curves = knots[left] + rise / _at(slopes, chord)
    low, high = knots[segment][..., None], knots[segment + 1][..., None]
    latencies = np.exp(np.minimum(np.maximum(curves, low), high))
    margin, rank = 0.5 / counts.sum(axis=-1)[..., None, None], ranks[..., None]
    return np.where(rank < margin, 0.0, np.where(rank > 1 - margin, np.inf, latencies))


def _knots(edges_ms: Floats) -> tuple[Floats, Floats]:
    """Return the log latencies [B+1] where segments of the curve meet, two beyond the edges, and their lengths [B]."""
    edges = np.log(edges_ms)
    knots = np.concatenate(([edges[0] - _REACH], edges, [edges[-1] + _REACH]))
    return knots, knots[1:] - knots[:-1]


def _at(values: Floats, index: NDArray[np.intp]) -> Floats:
    """Return the values [..., Q, 3] at an index [..., Q, 3] into the last axis of values [..., K]."""
    size = values.shape[-1]
    starts = np.arange(0, values.size, size).reshape(*values.shape[:-1], 1, 1)
    return np.asarray(values.ravel()[starts + index])


def nearest_edges(above: Floats, ranks: Floats) -> NDArray[np.intp]:
    """Return for each rank [Q] the index [..., Q] of the edge below which the share of requests comes nearest to it."""
    distances = np.abs(-ndtri(above)[..., None, :] - ndtri(ranks)[:, None])
    # Not `argmin`: it lets go of the interpreter even for so few numbers, and with many threads that costs tenfold.
    farther = distances > distances.min(axis=-1, keepdims=True)
    return np.asarray(np.logical_and.accumulate(farther, axis=-1).sum(axis=-1))


def _lengthened(normal: Floats, lengths: Floats) -> Floats:
    """Return the normal quantiles [..., B-1] with a point more at both ends, in line with the outermost segments."""
    first, last = normal[..., :1], normal[..., -1:]
    below = above = np.ones_like(first)
    if normal.shape[-1] > 1:
        below = np.maximum((normal[..., 1:2] - first) / lengths[1], _LEAST_SLOPE)
        above = np.maximum((last - normal[..., -2:-1]) / lengths[-2], _LEAST_SLOPE)
    return np.concatenate((first - _REACH * below, normal, last + _REACH * above), axis=-1)


def _slopes(normal: Floats, lengths: Floats) -> Floats:
    """Return the curve's slope at each point: the neighbours' harmonic mean keeps it monotone (Fritsch & Butland)."""
    rise = np.maximum((normal[..., 1:] - normal[..., :-1]) / lengths, 1e-9)
    before, after = 2 * lengths[1:] + lengths[:-1], lengths[1:] + 2 * lengths[:-1]
    inner = (before + after) / (before / rise[..., :-1] + after / rise[..., 1:])
    return np.concatenate((rise[..., :1], inner, rise[..., -1:]), axis=-1)

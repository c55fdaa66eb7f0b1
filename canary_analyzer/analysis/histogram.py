"""Latency from histogram counts: between two edges the latency is taken to be lognormal.

A histogram says only what share of requests lies above each edge. Plotted as normal quantiles over the logarithm of the
edge, a lognormal latency is a straight line and real ones are nearly so; interpolating there instead of on the shares
themselves is what makes a tolerance of 10 % usable between edges that lie a factor of two apart.
"""

import numpy as np
from scipy.special import ndtr, ndtri

from canary_analyzer.analysis.types import Floats

_LEAST_SLOPE = 0.25
"""Normal quantiles per unit of log latency, where counts give none: beyond the edges that saw anything."""


def share_above(counts: Floats, doubt: float = 0.5) -> Floats:
    """Return the share above each edge [..., B-1] of the requests counted [..., B], `doubt` requests off 0 and 1."""
    total = counts.sum(axis=-1, keepdims=True)
    above = total - np.cumsum(counts, axis=-1)[..., :-1]
    return np.asarray((np.maximum(above, 0.0) + doubt) / (total + 2 * doubt))


def slowed(above: Floats, edges_ms: Floats, factor: Floats | float) -> Floats:
    """Return the share above each edge [..., B-1] when every request takes `factor` ([..., 1]) times as long."""
    log_edges, normal = _line(above, edges_ms)
    return np.asarray(ndtr(-np.interp(np.log(edges_ms) - np.log(factor), log_edges, normal)))


def quantiles(counts: Floats, edges_ms: Floats, ranks: Floats) -> Floats:
    """Return the latencies, milliseconds, below which the shares `ranks` of the requests counted [B] lie.

    A rank less than half a request from 0 or 1 says nothing of the latency there: 0 and infinity.
    """
    log_edges, normal = _line(share_above(counts, doubt=1e-3), edges_ms)
    latencies = np.exp(np.interp(ndtri(ranks), normal, log_edges))
    margin = 0.5 / counts.sum()
    return np.where(ranks < margin, 0.0, np.where(ranks > 1 - margin, np.inf, latencies))


def nearest_edges(above: Floats, ranks: Floats) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """Return for each rank the index of the edge below which the share of requests comes nearest to it."""
    return np.asarray(np.argmin(np.abs(-ndtri(above)[None, :] - ndtri(ranks)[:, None]), axis=1))


def _line(above: Floats, edges_ms: Floats) -> tuple[Floats, Floats]:
    """Return log edges and normal quantiles, lengthened at both ends along the outermost segments."""
    log_edges, normal = np.log(edges_ms), -ndtri(above)
    reach = 8.0
    slopes = np.maximum(np.diff(normal) / np.diff(log_edges), _LEAST_SLOPE) if normal.size > 1 else np.ones(1)
    return (
        np.concatenate(([log_edges[0] - reach], log_edges, [log_edges[-1] + reach])),
        np.concatenate(([normal[0] - reach * slopes[0]], normal, [normal[-1] + reach * slopes[-1]])),
    )

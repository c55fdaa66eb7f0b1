"""Counts put one after the other stay true."""

from __future__ import annotations

import numpy as np
import pytest

from canary_analyzer.analysis import ArmCounts
from canary_analyzer.metrics import Counts, join


def counts(edges, *latency):
    rows = np.array(latency, dtype=int).reshape(-1, len(edges) + 1)
    total = rows.sum(axis=1)
    arm = ArmCounts(requests=total, errors=total // 2, latency=rows)
    return Counts(edges_ms=np.array(edges, dtype=float), canary=arm, baseline=arm)


@pytest.mark.parametrize(
    ("earlier", "later", "edges", "latency"),
    [
        pytest.param(counts([10], [1, 2]), counts([10], [3, 4]), [10], [[1, 2], [3, 4]], id="the same edges"),
        pytest.param(
            counts([10, 50], [1, 2, 3]), counts([50, 90], [4, 5, 6]), [50], [[3, 3], [4, 11]], id="only common edges"
        ),
        pytest.param(
            counts([1], [0, 0]), counts([10, 50], [1, 2, 3]), [10, 50], [[0, 0, 0], [1, 2, 3]], id="no latency yet"
        ),
        pytest.param(counts([10], [1, 2]), counts([1], [0, 0]), [10], [[1, 2], [0, 0]], id="no latency any more"),
        pytest.param(counts([10], [1, 2]), counts([20], [3, 4]), [], [[3], [7]], id="nothing in common"),
    ],
)
def test_joined_counts_keep_the_edges_that_both_have(earlier, later, edges, latency):
    joined = join(earlier, later)
    assert joined.edges_ms.tolist() == edges
    assert joined.canary.latency.tolist() == joined.baseline.latency.tolist() == latency
    assert joined.canary.requests.tolist() == [sum(row) for row in latency]

"""Two Prometheus replicas hold every sample twice; it counts once."""

from __future__ import annotations

import pytest

from canary_analyzer.analysis.counters import Series
from canary_analyzer.metrics.replicas import one_replica


def series(newest, **labels):
    return Series(labels=labels, points=[(newest, 1.0)])


A, B = {"prometheus_replica": "a"}, {"prometheus_replica": "b"}


@pytest.mark.parametrize(
    ("newest_a", "newest_b", "preferred", "chosen"),
    [
        pytest.param(100, 99, None, "a", id="any, if none was chosen before"),
        pytest.param(99, 100, "b", "b", id="the one from before"),
        pytest.param(40, 100, "a", "b", id="the other, when it fell silent"),
        pytest.param(40, 30, "b", "b", id="both silent: no change"),
    ],
)
def test_one_replica_is_read_until_it_falls_silent(newest_a, newest_b, preferred, chosen):
    kept, replica = one_replica([series(newest_a, **A), series(newest_b, **B)], preferred, fresh_since=50)
    assert replica == chosen
    assert [(dict(one.labels), one.points[-1][0]) for one in kept] == [({}, {"a": newest_a, "b": newest_b}[chosen])]


def test_a_series_that_only_the_other_replica_has_is_kept():
    kept, _ = one_replica([series(100, pod="x", **A), series(100, pod="y", **B)], "a", fresh_since=50)
    assert [one.labels["pod"] for one in kept] == ["x", "y"]


def test_without_replicas_nothing_changes():
    kept, replica = one_replica([series(100, pod="x"), series(100, pod="y")], None, fresh_since=50)
    assert ([one.labels["pod"] for one in kept], replica) == (["x", "y"], "")


def test_no_series_no_choice():
    assert one_replica([], None, fresh_since=50) == ((), None)

"""Two Prometheus replicas hold every sample twice; it counts once."""

from __future__ import annotations

import pytest

from canary_analyzer.analysis.counters import Series
from canary_analyzer.metrics.replicas import REPLICA_LABELS, Copy, one_replica, take_replica


def copy(newest, replica="", key="x"):
    return Copy(replica=replica, series=Series(key=key, points=[(newest, 1.0)]))


@pytest.mark.parametrize(
    ("labels", "replica"),
    [
        pytest.param({"prometheus_replica": "a", "pod": "x"}, "a", id="the operator's"),
        pytest.param({"__replica__": "b", "pod": "x"}, "b", id="Mimir's"),
        pytest.param({"pod": "x"}, "", id="only one"),
    ],
)
def test_replicas_are_told_apart_by_a_label(labels, replica):
    assert (take_replica(labels, REPLICA_LABELS), labels) == (replica, {"pod": "x"})


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
    kept, replica = one_replica([copy(newest_a, "a"), copy(newest_b, "b")], preferred, fresh_since=50)
    assert replica == chosen
    assert [one.points[-1][0] for one in kept] == [{"a": newest_a, "b": newest_b}[chosen]]


def test_a_series_that_only_the_other_replica_has_is_kept():
    kept, _ = one_replica([copy(100, "a", "x"), copy(100, "b", "y")], "a", fresh_since=50)
    assert [one.key for one in kept] == ["x", "y"]


def test_without_replicas_nothing_changes():
    kept, replica = one_replica([copy(100, key="x"), copy(100, key="y")], None, fresh_since=50)
    assert ([one.key for one in kept], replica) == (["x", "y"], "")


def test_no_series_no_choice():
    assert one_replica([], None, fresh_since=50) == ((), None)

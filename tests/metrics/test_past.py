"""Past data from a real Prometheus: the windows of a run, and pods of one workload set beside its others."""

import pytest

from canary_analyzer.metrics import SampleReader, Workload
from canary_analyzer.metrics.past import NoPastError, between, split

PODS = {f"web-{pod}-x8k2p" for pod in ("old", "new", "older")}


@pytest.fixture
def reader(prometheus):
    return SampleReader(prometheus)


def test_ticks_that_no_window_holds_whole_are_left_out(reader, pair, grid):
    begin, *_, end = grid(0, 38)
    past = between(reader, pair("shop"), [(begin, begin + 15), (begin + 17, end)], 10)
    assert past.times == (begin, begin + 20)
    assert past.history.baseline.requests.tolist() == [42, 42]
    assert past.history.canary.requests.tolist() == [0, 14]


def test_windows_too_short_for_a_tick_are_refused(reader, pair, grid):
    with pytest.raises(NoPastError, match="choose a longer time"):
        between(reader, pair("shop"), [tuple(grid(1, 9))], 10)


def test_a_time_of_which_nothing_is_known_is_no_history_of_zeros(reader, pair, grid):
    begin, end = grid(3600, 3660)
    with pytest.raises(NoPastError, match="no request of either arm"):
        between(reader, pair("stale"), [(begin, end)], 10)


def test_pods_of_one_workload_are_split_by_lot_and_counted_apart(prometheus, reader, grid):
    window = tuple(grid(0, 40))
    workload = Workload(namespace="rolling", name="web")
    pairs = [split(prometheus, workload, window, few=1, seed=seed) for seed in range(10)]
    for pair in pairs:
        assert pair.canary.pods.values | pair.baseline.pods.values == PODS
        assert len(pair.canary.pods.values) == 1
    assert len({pair.canary.pods.values for pair in pairs}) == 3
    assert pairs[0] == split(prometheus, workload, window, few=1, seed=0)
    past = between(reader, pairs[0], [window], 10)
    together = past.history.canary.requests + past.history.baseline.requests
    assert together.tolist() == [2 * (30 + 9 + 3 + 1)] * 4


def test_too_few_pods_to_split_are_refused_with_what_to_do(prometheus, grid):
    with pytest.raises(NoPastError, match="3 of them the same; more than 3 are needed: choose a time"):
        split(prometheus, Workload(namespace="rolling", name="web"), tuple(grid(0, 40)), few=3, seed=0)

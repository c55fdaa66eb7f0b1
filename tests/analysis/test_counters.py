"""Whatever Prometheus does to the samples, what is counted is what happened."""

from __future__ import annotations

from itertools import pairwise
from math import nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary_analyzer.analysis.counters import CounterState, Series, advance

KEY = "a"
START = 100.0


def count(points, boundaries, state=None, key=KEY):
    state = state or CounterState.begin(boundaries[0])
    state, increments = advance(state, [Series(key=key, points=points)], boundaries)
    return state, [list(one.counts) for one in increments]


@pytest.mark.parametrize(
    ("points", "boundaries", "expected"),
    [
        pytest.param([(99, 10), (104, 13), (109, 20)], [100, 105, 110], [3, 7], id="differences"),
        pytest.param(
            [(90, 1), (95, 4), (99, 10), (104, 13)], [100, 105], [3], id="the base is the last sample before the start"
        ),
        pytest.param(
            [(100, 10), (105, 13), (110, 20)],
            [100, 105, 110],
            [3, 7],
            id="a sample on a boundary ends the interval before it",
        ),
        pytest.param([(103, 4), (109, 6)], [100, 105, 110], [4, 2], id="first seen after the start counts from 0"),
        pytest.param([(99, 10), (104, 2), (109, 5)], [100, 105, 110], [2, 3], id="a reset counts from 0"),
        pytest.param([(99, 10), (101, 12), (103, 1), (104, 4)], [100, 105], [6], id="a reset inside an interval"),
        pytest.param(
            [(99, 10), (119, 50)], [100, 105, 110, 115, 120], [0, 0, 0, 40], id="a gap is caught up by the next sample"
        ),
        pytest.param([(99, 10), (104, 13), (104, 13)], [100, 105], [3], id="a sample given twice counts once"),
        pytest.param([(104, 13), (99, 10)], [100, 105], [3], id="order does not matter"),
        pytest.param([(99, 10), (104, nan), (109, 12)], [100, 105, 110], [0, 2], id="a staleness mark is no value"),
        pytest.param(
            [(99, 10), (104, 13), (111, 99)], [100, 105, 110], [3, 0], id="later samples are left for the next call"
        ),
        pytest.param([(80, 10)], [100, 105], [0], id="silent since before the start"),
        pytest.param([], [100, 105], [0], id="no samples"),
    ],
)
def test_increments_of_one_series(points, boundaries, expected):
    assert count(points, boundaries)[1] == [expected]


def test_overlapping_windows_count_each_sample_once():
    state, first = count([(99, 10), (104, 13)], [100, 105])
    _, second = count([(99, 10), (104, 13), (109, 20)], [105, 110], state)
    assert (first, second) == ([[3]], [[7]])


def test_a_sample_that_arrives_late_is_counted_in_the_next_interval():
    state, first = count([(99, 10)], [100, 105])
    _, second = count([(99, 10), (104, 13), (109, 20)], [105, 110], state)
    assert (first, second) == ([[0]], [[10]])


@pytest.mark.parametrize(
    ("value", "expected"), [pytest.param(25, 5, id="went on"), pytest.param(3, 3, id="began again")]
)
def test_a_series_that_was_away_goes_on_from_its_last_value(value, expected):
    state, _ = count([(99, 10), (104, 20)], [100, 105])
    state, nothing = advance(state, [], [105, 110])
    _, counts = count([(114, value)], [110, 115], state)
    assert (nothing, counts) == ((), [[expected]])


@pytest.mark.parametrize(
    ("second", "third", "expected"),
    [
        pytest.param((104.01, 19), (109.01, 25), [[0], [5]], id="saw it a moment before the other did"),
        pytest.param((104.01, 21), (109.01, 25), [[1], [4]], id="saw it a moment after"),
        pytest.param((104.01, 2), (109.01, 6), [[0], [6]], id="saw it begin anew"),
    ],
)
def test_of_two_servers_that_answer_in_turn_the_other_one(second, third, expected):
    state, _ = count([(99, 10), (104, 20)], [100, 104])
    state, first = count([(99.01, 10), second], [104, 105], state)
    _, later = count([(99.01, 10), second, third], [105, 110], state)
    assert [first[0], later[0]] == expected


@given(turns=st.lists(st.booleans(), min_size=40, max_size=40), late=st.lists(st.floats(0, 0.9), min_size=100))
def test_two_servers_that_answer_in_turn_count_no_history_again(turns, late):
    """Each has the value of a counter that grows by 100 a second, at moments of its own, under an earlier time."""
    moments = [[at - 0.3 * one for at in range(75, 305, 5)] for one in (0, 1)]
    delays = iter(late)
    taken = [[(at - next(delays), 100 * at) for at in each] for each in moments]
    state, total = CounterState.begin(START), 0.0
    for tick, turn in enumerate(turns):
        now = START + 5 * tick + 5
        state, counts = count([point for point in taken[turn] if now - 70 < point[0] <= now], [now - 5, now], state)
        total += sum(counts[0])
    assert total == pytest.approx(100 * 5 * len(turns), abs=100 * 12)


def test_a_prometheus_that_lost_its_data_does_not_count_history_again():
    state, _ = count([(99, 1000), (104, 1010)], [100, 105])
    _, counts = count([(122, 1030)], [105, 110, 115, 120, 125], state)
    assert counts == [[0, 0, 0, 20]]


def test_where_nobody_was_watching_at_the_start_the_first_sample_is_where_counting_begins():
    state = CounterState.begin(START, watched=False)
    state, first = count([(103, 5000), (104, 5002)], [100, 105], state)
    _, second = count([(109, 7)], [105, 110], state, key="new")
    assert (first, second) == ([[2]], [[7]])


def test_series_are_told_apart_by_their_keys():
    series = [Series(key=("a", "200"), points=[(101, 3)]), Series(key=("a", "500"), points=[(101, 5)])]
    _, increments = advance(CounterState.begin(START), series, [100, 105])
    assert [(each.key, list(each.counts)) for each in increments] == [(("a", "200"), [3]), (("a", "500"), [5])]


def test_series_with_equal_keys_are_one_series():
    series = [Series(key=KEY, points=[(99, 1), (101, 3)]), Series(key=KEY, points=[(101, 3), (104, 9)])]
    _, increments = advance(CounterState.begin(START), series, [100, 105])
    assert [list(one.counts) for one in increments] == [[8]]


def test_the_state_knows_its_newest_sample():
    state, _ = count([(99, 10), (104, 13), (107, 14)], [100, 105])
    assert (CounterState.begin(START).newest, state.newest, state.boundary) == (None, 104, 105)


@pytest.mark.parametrize(
    "boundaries",
    [
        pytest.param([100.0], id="one boundary is no interval"),
        pytest.param([100.0, 100.0], id="they must ascend"),
        pytest.param([101.0, 105.0], id="they must go on where counting stopped"),
    ],
)
def test_boundaries_that_would_lose_or_repeat_something_are_refused(boundaries):
    with pytest.raises(ValueError, match="boundaries"):
        advance(CounterState.begin(START), [], boundaries)


@st.composite
def counter_paths(draw):
    """Samples (time, value, growth) of a counter that grows and restarts, before and after the start."""
    gaps = draw(st.lists(st.floats(0.1, 30), min_size=1, max_size=40))
    time, value, truth = START - draw(st.floats(0, 60)), 0.0, []
    for gap in gaps:
        time += gap
        grown, reset = draw(st.integers(0, 1000)), draw(st.booleans())
        reset = reset and grown < value
        value = float(grown) if reset else value + grown
        truth.append((time, value, float(grown)))
    return truth


@st.composite
def grids(draw, end):
    inner = draw(st.lists(st.floats(START + 0.01, end), max_size=20))
    return sorted({START, *inner, end + 1})


@given(data=st.data(), path=counter_paths())
def test_no_split_into_ticks_and_calls_loses_or_repeats_anything(data, path):
    grid = data.draw(grids(max(path[-1][0], START + 1)))
    points = [(time, value) for time, value, _ in path]
    expected = [sum(grown for time, _, grown in path if low < time <= high) for low, high in pairwise(grid)]
    state, counted = CounterState.begin(START), []
    cuts = sorted({0, *data.draw(st.lists(st.integers(0, len(grid) - 1))), len(grid) - 1})
    for low, high in pairwise(cuts):
        window = [point for point in points if grid[low] - 60 < point[0] <= grid[high] or point[0] <= START]
        state, counts = count(window, grid[low : high + 1], state)
        counted += counts[0]
    assert counted == expected


def unseen(state, points):
    return points[max(0, sum(time <= state.counted(KEY) for time, _ in points) - 1) :]


@given(path=counter_paths(), cut=st.integers(0, 40))
def test_points_that_were_counted_may_be_left_out_of_the_next_window(path, cut):
    points = [(time, value) for time, value, _ in path]
    middle = max(points[min(cut, len(points) - 1)][0], START + 1)
    end = max(points[-1][0], middle) + 1
    state, _ = count([point for point in points if point[0] <= middle], [START, middle])
    assert count(unseen(state, points), [middle, end], state) == count(points, [middle, end], state)
    assert count(unseen(CounterState.begin(START), points), [START, end]) == count(points, [START, end])


@given(path=counter_paths(), delay=st.floats(0, 45))
def test_samples_that_arrive_late_are_all_counted_in_the_end(path, delay):
    end = max(path[-1][0], START) + delay
    grid = [START + 10.0 * tick for tick in range(int((end - START) / 10) + 2)]
    before = [(time, value) for time, value, _ in path if time <= START]
    state, total = CounterState.begin(START), 0.0
    for low, high in pairwise(grid):
        arrived = [(time, value) for time, value, _ in path if START < time <= high - delay]
        state, counts = count(before + arrived, [low, high], state)
        total += sum(counts[0])
    assert total == sum(grown for time, _, grown in path if time > START)

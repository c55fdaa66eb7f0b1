"""The bars of `make bench-scale`: what is missed, what is not judged, and what the table shows."""

import math

import pytest

from tests.benchmarks.rig.bars import bars, growth, lines, missed, quantile

KNOWN = bars(10.0)
GOOD = {
    "requests, all idle": 0,
    "Prometheus queries / tick": 2.0,
    "requests / rollout-tick": 0.01,
    "CPU ms / rollout-tick": 1.5,
    "passes left out, share": 0.0,
    "lag p99 s, at most": 0.5,
    "RSS / rollout, kB": 250.0,
    "lag p50 s, at most": 0.05,
}


@pytest.mark.parametrize(
    ("rollouts", "change"),
    [
        pytest.param(10, {"requests, all idle": 9}, id="an idle Deployment costs requests"),
        pytest.param(10, {"Prometheus queries / tick": 2.1}, id="few rollouts have two queries"),
        pytest.param(100, {"Prometheus queries / tick": 3.0}, id="200 workloads have two queries too"),
        pytest.param(1000, {"Prometheus queries / tick": 21.0}, id="2000 workloads have twenty queries"),
        pytest.param(100, {"requests / rollout-tick": 0.11}, id="API requests"),
        pytest.param(100, {"CPU ms / rollout-tick": 3.1}, id="processor"),
        pytest.param(10, {"lag p99 s, at most": 30.0}, id="passes come later than a tick"),
        pytest.param(10, {"lag p99 s, at most": math.nan}, id="no pass at all is not a short lag"),
        pytest.param(10, {"passes left out, share": 1.0}, id="a service that does nothing is cheap, and bad"),
        pytest.param(1000, {"RSS / rollout, kB": 301.0}, id="memory"),
    ],
)
def test_a_figure_above_its_bar_is_told(rollouts, change):
    assert not list(missed(rollouts, GOOD, KNOWN))
    [told] = missed(rollouts, GOOD | change, KNOWN)
    assert told.startswith(next(iter(change)))
    assert f"at {rollouts} rollouts" in told


@pytest.mark.parametrize(
    ("rollouts", "change"),
    [
        pytest.param(1000, {"Prometheus queries / tick": 20.0}, id="at the bar"),
        pytest.param(10, {"CPU ms / rollout-tick": 20.0, "requests / rollout-tick": 1.0}, id="what is fixed, of few"),
        pytest.param(100, {"RSS / rollout, kB": 900.0}, id="memory that is fixed"),
    ],
)
def test_what_is_fixed_is_not_held_against_few_rollouts(rollouts, change):
    assert not list(missed(rollouts, GOOD | change, KNOWN))


def test_a_lag_without_a_pass_is_no_number():
    assert math.isnan(quantile({0.05: 0.0, 10.0: 0.0, math.inf: 0.0}, 0.99))
    assert math.isnan(quantile({}, 0.99))
    assert quantile({0.05: 98.0, 10.0: 99.0, math.inf: 100.0}, 0.99) == 10.0


def test_each_bar_stands_beside_its_figure_where_it_is_judged():
    table = {line[:28].strip(): line[28:] for line in lines({10: GOOD, 1000: GOOD}, KNOWN)}
    assert table["Prometheus queries / tick"].split() == ["2", "(<=", "2)", "2", "(<=", "20)"]
    assert table["RSS / rollout, kB"].split() == ["250", "250", "(<=", "300)"]
    assert table["lag p50 s, at most"].split() == ["0.05", "0.05"]


def test_growth_is_told_from_the_smallest_to_the_largest():
    columns = {10: GOOD, 1000: GOOD | {"Prometheus queries / tick": 10.0}}
    assert growth(columns, "Prometheus queries / tick").endswith("5.0 times as many for 100 times as many rollouts")

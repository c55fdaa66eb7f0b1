"""What Kayenta's own suites say of its classifier, and what a call with nonsense says."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from canary_analyzer.analysis.mann_whitney import classify, hodges_lehmann

PUBLISHED = json.loads(Path(__file__).with_name("kayenta.json").read_text())
SAMPLES = PUBLISHED["samples"]


@pytest.mark.parametrize("case", PUBLISHED["labels"], ids=lambda case: case["name"])
def test_labels_are_those_of_kayentas_classifier_suite(case):
    found = classify(SAMPLES[case["control"]], SAMPLES[case["experiment"]], **case["options"])
    assert found.label == case["label"]
    assert found.critical is case.get("critical", found.critical)
    assert found.reason


@pytest.mark.parametrize("case", PUBLISHED["intervals"], ids=lambda case: case["name"])
def test_intervals_are_those_of_kayentas_mann_whitney_suite(case):
    control, experiment = (np.array(SAMPLES[case[arm]]) for arm in ("control", "experiment"))
    shift = hodges_lehmann(control, experiment, case["confidence"])
    expected = (case["estimate"], case["low"], case["high"])
    assert (shift.estimate, shift.low, shift.high) == pytest.approx(expected, abs=1e-4)
    found = classify(control, experiment, confidence=case["confidence"])
    assert (found.estimate, found.low, found.high) == (shift.estimate, shift.low, shift.high)


NAN = math.nan
CASES = {
    "NaN is left out": (([1, 2, NAN], [NAN, 3, 4], {}), ("High", False)),
    "NaN counts as zero": (([NAN] * 3, [3, 4, 5], {"nan_strategy": "replace"}), ("High", False)),
    "nothing but NaN": (([NAN], [3, 4], {}), ("Nodata", False)),
    "no data where it is a must": (([], [3, 4], {"must_have_data": True}), ("NodataFailMetric", False)),
    "no critical data where it is a must": (([], [], {"must_have_data": True, "critical": True}), ("Nodata", True)),
    "one point each": (([0], [5], {}), ("Nodata", False)),
    "both constant": (([4, 4, 4], [5, 5, 5], {}), ("High", False)),
    "both constant and alike": (([4, 4], [4, 4, 4], {}), ("Pass", False)),
    "low is fine where high is worse": (([8, 9, 10], [1, 2, 3], {"direction": "increase"}), ("Pass", False)),
    "cles with Kayenta's limit": (
        ([1, 2, 3, 4], [15, 16, 17, 18], {"effect_size": "cles", "allowed_increase": 0.5}),
        ("High", False),
    ),
}


@pytest.mark.parametrize(("call", "expected"), CASES.values(), ids=CASES.keys())
def test_labels_beside_the_published_ones(call, expected):
    control, experiment, options = call
    found = classify(control, experiment, **options)
    assert (found.label, found.critical) == expected


def test_all_mistakes_of_a_call_are_told_at_once():
    with pytest.raises(ValueError, match="not usable") as refused:
        classify([1, math.inf], [[1]], tolerance=-1, confidence=1, direction="up", nan_strategy="?", effect_size="?")
    assert str(refused.value).count("\n- ") == 7


POINTS = st.lists(st.integers(-50, 50), min_size=1, max_size=12)


@given(POINTS, POINTS, st.integers(-100, 100))
def test_points_moved_by_some_amount_move_the_shift_by_as_much(control, experiment, by):
    control, experiment = np.array(control, float), np.array(experiment, float)
    here, there = (hodges_lehmann(control, experiment + moved, 0.98) for moved in (0, by))
    pairs = np.subtract.outer(experiment, control)
    for one, other in ((here.estimate, there.estimate), (here.low, there.low), (here.high, there.high)):
        low, high = sorted((one, other - by))
        assert not np.any((low + 1e-3 < pairs) & (pairs < high - 1e-3)), "between two pairs all shifts are as good"


@given(st.lists(st.floats(-1e6, 1e6), max_size=12), st.lists(st.floats(-1e6, 1e6), max_size=12))
@example([5e-324, 5e-324], [1e6, 2e6])
def test_any_points_get_an_answer(control, experiment):
    found = classify(control, experiment)
    assert found.label != "High" or found.low > 0

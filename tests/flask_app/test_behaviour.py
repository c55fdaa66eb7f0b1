from random import Random
from statistics import median

import pytest

from flask_app.behaviour import answer
from flask_app.settings import Faults, Latency

DRAWS = 20_000


def drawn(served=0, **faults):
    chance = Random(1)
    return [answer(Latency(), Faults(**faults), served, chance) for _ in range(DRAWS)]


def seconds(answers):
    return sorted(each.seconds for each in answers)


def test_a_good_version_answers_well_in_about_20_ms_with_a_small_tail():
    answers = drawn()
    assert {each.status for each in answers} == {200}
    assert median(seconds(answers)) == pytest.approx(0.020, rel=0.02)
    assert 0.04 < seconds(answers)[int(0.99 * DRAWS)] < 0.08


def test_errors_come_at_their_rate():
    share = sum(each.status == 500 for each in drawn(error_rate=0.1)) / DRAWS
    assert share == pytest.approx(0.1, abs=0.01)


def test_a_factor_slows_every_answer_down():
    assert seconds(drawn(latency_factor=1.5)) == pytest.approx([1.5 * each for each in seconds(drawn())])


def test_a_tail_leaves_the_median_alone():
    slow, good = seconds(drawn(tail_share=0.03, tail_factor=6)), seconds(drawn())
    assert median(slow) == pytest.approx(median(good), rel=0.05)
    assert slow[int(0.99 * DRAWS)] > 1.5 * good[int(0.99 * DRAWS)]


def test_a_leak_grows_with_the_requests_served():
    early, late = drawn(leak_per_1000=2), drawn(leak_per_1000=2, served=500)
    assert seconds(late) == pytest.approx([2 * each for each in seconds(early)])

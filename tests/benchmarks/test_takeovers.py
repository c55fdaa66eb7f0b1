"""What counts as a takeover of a dead replica's runs, and what is wrong with one."""

import pytest

from tests.benchmarks.rig.takeovers import Blow, TakenUp, late, takeovers

ALLOWED = 7.0
KILLED = Blow(at=100.0, replica="a")


def frozen(seconds):
    return Blow(at=100.0, replica="a", frozen=seconds)


def taken(*each):
    return [TakenUp(at=at, replica=replica, run=run) for at, replica, run in each]


def found(blows, taken_up, ended=None):
    return list(takeovers(blows, taken_up, ended or {}, ALLOWED))


@pytest.mark.parametrize(
    ("blows", "taken_up", "ended", "seconds"),
    [
        pytest.param([KILLED], taken((50, "a", "r"), (104, "b", "r")), {}, [4.0], id="in time"),
        pytest.param(
            [KILLED], taken((50, "a", "r"), (340, "b", "r")), {"r": 400.0}, [240.0], id="by a list much later"
        ),
        pytest.param([KILLED], taken((50, "a", "r")), {}, [float("inf")], id="never"),
        pytest.param([KILLED], taken((50, "a", "r")), {"r": 99.0}, [], id="it had ended"),
        pytest.param([KILLED], taken((50, "a", "r"), (60, "b", "r")), {}, [], id="another had it already"),
        pytest.param([KILLED], taken((60, "a", "r"), (50, "b", "r"), (103, "c", "r")), {}, [3.0], id="in any order"),
        pytest.param([KILLED], taken((101, "b", "r")), {}, [], id="it began after the blow"),
        pytest.param([frozen(3.0)], taken((50, "a", "r")), {}, [], id="a short pause costs nothing"),
        pytest.param([frozen(9.0)], taken((50, "a", "r"), (105, "b", "r")), {}, [5.0], id="a long pause"),
    ],
)
def test_every_run_that_a_struck_replica_had_has_to_be_taken_over(blows, taken_up, ended, seconds):
    assert [each.seconds for each in found(blows, taken_up, ended)] == seconds


@pytest.mark.parametrize(
    ("blows", "taken_up", "words"),
    [
        pytest.param([KILLED], [], "no replica had a run", id="nothing to take over shows nothing"),
        pytest.param([KILLED], taken((50, "a", "r")), "r: nobody went on with it after a was killed", id="never"),
        pytest.param([KILLED], taken((50, "a", "r"), (340, "b", "r")), "r: taken over only 240.0 s", id="late"),
        pytest.param([frozen(9.0)], taken((50, "a", "r"), (108, "b", "r")), "a was frozen for 9.0 s", id="which blow"),
    ],
)
def test_what_is_late_or_missing_is_told(blows, taken_up, words):
    [told] = late(found(blows, taken_up), ALLOWED)
    assert words in told


def test_one_blow_after_another_gives_each_its_time():
    blows = [KILLED, Blow(at=103.0, replica="b")]
    assert not list(late(found(blows, taken((50, "a", "r"), (109, "c", "r"))), ALLOWED))
    assert list(late(found(blows, taken((50, "a", "r"), (115, "c", "r"))), ALLOWED))

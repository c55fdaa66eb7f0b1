"""What is due is done on threads; what hangs, or is never begun, is seen."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC
from threading import Event
from types import SimpleNamespace

import pytest
from apscheduler.schedulers.background import BackgroundScheduler

from canary_analyzer.service.agenda import Agenda
from canary_analyzer.service.pulse import STALLED_SECONDS, Pulse
from canary_analyzer.service.serve import within

ONE, OTHER, THIRD = (("shop", name) for name in ("one", "other", "third"))
PATIENCE = 10.0


@pytest.fixture
def agenda():
    """An agenda with two workers."""
    agenda = Agenda.on_threads(2)
    agenda.start()
    yield agenda
    agenda.close()


@pytest.fixture
def hanging():
    """Work that says when it has begun, and hangs until the test is over."""

    class Hanging:
        def __init__(self):
            self.begun, self.over = [], Event()

        def __call__(self, key, _due):
            self.begun.append(key)
            self.over.wait(PATIENCE)

    hanging = Hanging()
    yield hanging
    hanging.over.set()


def eventually(check):
    end = time.monotonic() + PATIENCE
    while not check():
        assert time.monotonic() < end, "it never came to be"
        time.sleep(0.005)


def test_a_turn_that_is_done_is_not_overdue_and_one_that_is_to_come_is_not_either(agenda):
    done = Event()
    agenda.turn(ONE, lambda *_: done.set(), time.time() - 5)
    agenda.turn(OTHER, lambda *_: None, time.time() + 50)
    assert done.wait(PATIENCE)
    eventually(lambda: agenda.overdue(time.time()) == 0)


def test_what_is_planned_in_a_turn_stays_planned(agenda):
    """As it is for the same moment again where a clock stands still."""
    at, turns = time.time(), []

    def work(key, due):
        turns.append(due)
        if len(turns) == 1:
            agenda.turn(key, work, at)

    agenda.turn(ONE, work, at)
    eventually(lambda: turns == [at, at])


def test_turns_of_the_same_moment_are_prepared_together_before_any_of_them_begins():
    happened, agenda = [], Agenda.on_threads(2)
    agenda.prepare = lambda keys: happened.append(tuple(keys))
    at = time.time()
    for key in (ONE, OTHER):
        agenda.turn(key, lambda key, _due: happened.append(key), at)
    agenda.start()
    eventually(lambda: len(happened) == 3)
    assert happened[0] == (ONE, OTHER)
    agenda.close()


def test_what_is_due_in_an_hour_is_done_when_the_clock_is_set_back_by_an_hour(agenda):
    done = []
    for key, wait in ((ONE, 3600), (OTHER, 7200)):
        agenda.turn(key, lambda key, _due: done.append(key), time.time() + wait)
    agenda.bring_forward(3600)
    eventually(lambda: done)
    assert done == [ONE]


class Over(Exception):
    """The hour that is looked at."""


STEPS = {
    # how far the clock moves beside the true time, look by look -> by how much what is planned comes earlier
    "it goes as it should": ([0, 0, 0], []),
    "it is set back, once": ([0, -3600, 0, 0], [3600]),
    "it is set forward": ([0, 3600, 0], []),
    "it is drawn back by a little": ([-0.5, -0.5, -0.5], []),
    "it is set back twice": ([-10, 0, -20], [10, 20]),
}


@pytest.mark.parametrize(("steps", "earlier"), STEPS.values(), ids=STEPS)
def test_a_clock_that_is_set_back_is_noticed_with_the_next_look(agenda, monkeypatch, steps, earlier):
    seen, looks, clock = [], iter(steps), SimpleNamespace(true=1000.0, ahead=1e9)

    def sleep(seconds):
        clock.true += seconds
        if (step := next(looks, None)) is None:
            raise Over
        clock.ahead += step

    fake = SimpleNamespace(time=lambda: clock.true + clock.ahead, monotonic=lambda: clock.true, sleep=sleep)
    monkeypatch.setattr("canary_analyzer.service.agenda.time", fake)
    monkeypatch.setattr(agenda, "bring_forward", lambda seconds: seen.append(round(seconds)))
    with pytest.raises(Over):
        agenda.follow_clock()
    assert seen == earlier


def test_a_turn_that_hangs_is_overdue_and_no_standstill(agenda, hanging):
    agenda.turn(ONE, hanging, time.time())
    eventually(lambda: hanging.begun)
    assert agenda.overdue(time.time() + 60) > 59
    assert agenda.stalled(time.time() + 60) == 0


def test_it_is_a_standstill_once_all_workers_hang_and_more_is_due(agenda, hanging):
    due = time.time() - 10
    for key in (ONE, OTHER):
        agenda.turn(key, hanging, due)
    eventually(lambda: len(hanging.begun) == 2)
    agenda.turn(THIRD, hanging, due)
    first = agenda.stalled(time.time())
    assert agenda.overdue(time.time()) >= 10
    eventually(lambda: agenda.stalled(time.time()) > first)
    assert agenda.stalled(time.time()) < 10, "it counts from when a turn was begun last, not from when one is due"


@pytest.fixture
def standing():
    """An agenda for which nothing keeps the time, as where the scheduler's thread has ended."""
    scheduler = BackgroundScheduler(timezone=UTC)
    scheduler.start(paused=True)
    agenda = Agenda(scheduler, ThreadPoolExecutor(1))
    yield agenda
    agenda.close()


def test_what_is_due_is_a_standstill_where_nothing_keeps_the_time(standing):
    standing.turn(ONE, lambda *_: None, time.time() - 10)
    eventually(lambda: standing.stalled(time.time()) > 0)


def test_what_hangs_is_not_waited_for_without_end_when_the_service_stops(hanging):
    agenda = Agenda.on_threads(1)
    agenda.start()
    agenda.turn(ONE, hanging, time.time())
    eventually(lambda: hanging.begun)
    assert not within(0.05, agenda.close)
    agenda.turn(OTHER, hanging, time.time())
    assert hanging.begun == [ONE], "nothing is begun any more"


def test_the_pulse_names_a_thread_that_has_ended(agenda):
    pulse, over = Pulse(agenda), Event()
    pulse.start("watch", over.wait)
    assert pulse.trouble() == ""
    over.set()
    eventually(pulse.trouble)
    assert pulse.trouble() == "ended, and should not have: thread watch"


def test_the_pulse_tells_of_a_standstill_only_when_it_lasts(standing, monkeypatch):
    pulse = Pulse(standing)
    standing.turn(ONE, lambda *_: None, time.time() - 2 * STALLED_SECONDS)
    assert pulse.trouble() == ""
    monotonic = time.monotonic() + STALLED_SECONDS + 1
    monkeypatch.setattr(time, "monotonic", lambda: monotonic)
    assert "none was begun for 12" in pulse.trouble()  # and a second, or a few where the machine has paused

"""Whatever namespaces can be read are taken up at once, the others as soon as they can be."""

import threading
import time

import pytest

from canary_analyzer.cluster.errors import ClusterError
from canary_analyzer.service.agenda import WAITING, Agenda
from canary_analyzer.service.sharing import RETRY_SECONDS, Sharing


class Diary:
    """Stands for the agenda: work by name, and how long it is put off."""

    def __init__(self):
        self.jobs, self.waits = {}, []

    def once(self, name, work, args, at):
        self.jobs[name] = (work, args)
        self.waits.append(at - time.time())

    def next(self):
        work, args = self.jobs.pop(next(iter(self.jobs)))
        work(*args)


@pytest.mark.parametrize("error", [ClusterError("503"), LookupError("a defect")], ids=["no answer", "defect"])
def test_what_could_not_be_read_is_tried_again_alone_until_it_can(error):
    done, defects, diary = [], [], Diary()
    answers = iter([error, error, None])

    def shop():
        done.append("shop")
        if problem := next(answers):
            raise problem

    looks = [shop, lambda: done.append("bank")]
    sharing = Sharing(diary, lambda: done.append("let go"), looks, lambda: defects.append(1))
    sharing.ask()
    for _ in range(3):
        diary.next()
    assert done == ["let go", "shop", "bank", "shop", "shop"]
    assert min(diary.waits[1:]) > RETRY_SECONDS / 2
    assert diary.jobs == {}
    assert len(defects) == (0 if isinstance(error, ClusterError) else 2)


def test_whoever_comes_or_goes_while_earlier_looks_hang_is_looked_after():
    agenda, begun, over = Agenda.on_threads(8), [], threading.Event()
    agenda.start()

    def hanging():
        begun.append(time.monotonic())
        over.wait(10)

    sharing = Sharing(agenda, lambda: None, [hanging], lambda: None)
    for number in range(1, WAITING + 1):
        sharing.ask()
        eventually(lambda number=number: len(begun) == number)
    sharing.ask()  # more than the agenda does at a time
    asked = time.monotonic()
    over.set()
    eventually(lambda: begun[-1] > asked)
    agenda.close()


def eventually(check):
    until = time.monotonic() + 20
    while not check():
        assert time.monotonic() < until
        time.sleep(0.005)

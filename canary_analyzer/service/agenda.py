"""What is to be done when, on APScheduler; what many are to do at the same moment is one job.

Runs of one tick length are all due together: a job for each would cost a tenth of what it does.
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Any, Self

import structlog
from apscheduler.executors.pool import BasePoolExecutor
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.schedulers.base import BaseScheduler

log = structlog.get_logger()

CLOCK_SECONDS, CLOCK_STEP = 5.0, 1.0
"""Between two looks at whether the clock was set back, and by how many seconds it must be for anything to be done."""

Key = tuple[str, str]
"""Namespace and name of a Deployment."""
ABREAST = 200
"""Turns that are prepared at once: the first do not wait long for the last."""
WAITING = 3
"""Jobs of one name that may run at a time: one works, and what asks for another meanwhile is not lost."""


class Agenda:
    """Times are in seconds since the epoch; nothing is begun any more once it was stopped. Safe to use from threads.

    Args:
        scheduler: keeps the time.
        workers: do what many are to do at once.
    """

    def __init__(self, scheduler: BaseScheduler, workers: Executor) -> None:
        self._scheduler = scheduler
        self._workers = workers
        self._lock = Lock()
        self._due: dict[Key, float] = {}
        self._together: dict[float, list[Key]] = {}
        """By time, whose turn it is then; some may have been put off or brought forward since."""
        self._in_hand: dict[Key, float] = {}
        """When each was due whose turn has begun and not ended."""
        self._begun = time.monotonic()
        """When a turn was begun last."""
        self.stopped = False
        self.prepare: Callable[[Sequence[Key]], None] = lambda _: None
        """Does at once what is the same work for many whose turn comes, before it begins; must not fail."""

    @classmethod
    def on_threads(cls, number: int) -> Self:
        """Return an agenda that so many threads work off."""
        workers = ThreadPoolExecutor(number, thread_name_prefix="worker")
        scheduler = BackgroundScheduler(
            executors={"default": _Shared(workers)},
            job_defaults={"coalesce": True, "max_instances": WAITING, "misfire_grace_time": None},
            timezone=UTC,
        )
        return cls(scheduler, workers)

    def start(self) -> None:
        """Begin to do what is due."""
        self._scheduler.start()

    def close(self) -> None:
        """Begin nothing more, and wait for what is in hand."""
        self.stopped = True
        # What is in hand plans what follows, for which it needs what a scheduler that waits for it would hold.
        self._scheduler.shutdown(wait=False)
        self._workers.shutdown(wait=True)

    def once(self, name: str, work: Callable[..., None], args: Sequence[Any], at: float) -> None:
        """Do some work at a time; a later call replaces an earlier one of that name."""
        if self.stopped:
            return
        run_date = datetime.fromtimestamp(at, UTC)
        self._scheduler.add_job(work, "date", run_date=run_date, args=args, id=name, replace_existing=True)

    def turn(self, key: Key, work: Callable[[Key, float], Any], at: float) -> None:
        """Do the work on a Deployment, given its name and the time, at that time and not when it was due before."""
        with self._lock:
            self._due[key] = at
            is_first = at not in self._together
            self._together.setdefault(at, []).append(key)
        if is_first:
            self.once(f"turns/{at}", self._begin, [work, at], at)

    def drop(self, key: Key) -> None:
        """Forget a Deployment's turn."""
        with self._lock:
            self._due.pop(key, None)

    def follow_clock(self) -> None:
        """Look for ever whether the clock was set back; meant for a daemon thread."""
        ahead = time.time() - time.monotonic()
        while True:
            time.sleep(CLOCK_SECONDS)
            before, ahead = ahead, time.time() - time.monotonic()
            if before - ahead > CLOCK_STEP:
                log.warning("the clock was set back; what is due is brought forward", seconds=round(before - ahead))
                self.bring_forward(before - ahead)

    def bring_forward(self, seconds: float) -> None:
        """Do all that is planned so many seconds earlier, by the clock; what is done too early is planned anew."""
        for job in self._scheduler.get_jobs():
            with suppress(JobLookupError):  # its turn has come meanwhile
                job.modify(next_run_time=job.next_run_time - timedelta(seconds=seconds))

    def overdue(self, now: float) -> float:
        """Return for how many seconds a turn has been due that is not done; 0 where there is none."""
        with self._lock:
            return max(0.0, now - min((*self._due.values(), *self._in_hand.values()), default=now))

    def stalled(self, now: float) -> float:
        """Return for how many seconds turns have been due and none was begun; 0 where all that are due are in hand.

        A single turn that lasts long is no standstill, and neither are many that wait for those before them.
        """
        with self._lock:
            return max(0.0, min(now - min(self._due.values(), default=now), time.monotonic() - self._begun))

    def _begin(self, work: Callable[[Key, float], Any], at: float) -> None:
        with self._lock:
            due = [key for key in dict.fromkeys(self._together.pop(at)) if self._due.get(key) == at]
        with suppress(RuntimeError):  # workers take nothing any more: the service stops, and its next start goes on
            for first in range(0, len(due), ABREAST):
                self.prepare(due[first : first + ABREAST])
                for key in due[first : first + ABREAST]:
                    self._workers.submit(self._take, work, key, at)

    def _take(self, work: Callable[[Key, float], Any], key: Key, at: float) -> None:
        with self._lock:
            if self._due.get(key) == at:
                del self._due[key]
            self._in_hand[key] = at
            self._begun = time.monotonic()
        try:
            work(key, at)
        finally:
            with self._lock:
                self._in_hand.pop(key, None)


class _Shared(BasePoolExecutor):  # type: ignore[misc]
    """Lets the scheduler's jobs run on threads that get other work as well."""

    def __init__(self, workers: Executor) -> None:
        super().__init__(workers)

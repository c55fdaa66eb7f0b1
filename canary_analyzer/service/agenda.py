"""What is to be done when, on APScheduler; what many are to do at the same moment is one job.

Runs of one tick length are all due together: a job for each would cost a tenth of what it does.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from threading import Lock
from typing import Any, Self

from apscheduler.executors.pool import BasePoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.schedulers.base import BaseScheduler

Key = tuple[str, str]
"""Namespace and name of a Deployment."""
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
        self.stopped = False

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

    def _begin(self, work: Callable[[Key, float], Any], at: float) -> None:
        with self._lock:
            due = [key for key in dict.fromkeys(self._together.pop(at)) if self._due.get(key) == at]
        with suppress(RuntimeError):  # workers take nothing any more: the service stops, and its next start goes on
            for key in due:
                self._workers.submit(work, key, at)


class _Shared(BasePoolExecutor):  # type: ignore[misc]
    """Lets the scheduler's jobs run on threads that get other work as well."""

    def __init__(self, workers: Executor) -> None:
        super().__init__(workers)

"""A thread of the service in a world of one clock: it works while the others wait, and they while it waits."""

from collections.abc import Callable
from threading import Semaphore, Thread, current_thread


class Strand:
    """Work that is taken up where it has paused.

    Attributes:
        until: when it wants to go on at the latest, in seconds since the epoch.
    """

    def __init__(self, work: Callable[[], None]) -> None:
        self.until = 0.0
        self._work = work
        self._turn, self._back = Semaphore(0), Semaphore(0)
        self._end: BaseException | None = None
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    def resume(self) -> None:
        """Let it work until it pauses; what ends it ends the caller as well."""
        self._turn.release()
        self._back.acquire()
        if self._end is not None:
            raise self._end

    def pause(self, until: float) -> None:
        """Let everybody else go on; only for the work itself."""
        self.until = until
        self._back.release()
        self._turn.acquire()
        if self._end is not None:
            raise self._end

    def end(self, by: BaseException) -> None:
        """Let nothing but this come of its pause."""
        if self._thread.is_alive():
            self._end = by
            self._turn.release()
            self._thread.join()

    @property
    def is_here(self) -> bool:
        """Whether the caller is the work itself."""
        return current_thread() is self._thread

    def _run(self) -> None:
        self._turn.acquire()
        try:
            if self._end is None:
                self._work()
        except BaseException as end:
            self._end = end
        self._back.release()

"""Whether this process still does its work: a thread that has ended, or workers that hang, nobody would notice."""

import time
from collections.abc import Callable
from threading import Thread

from canary_analyzer.service.agenda import Agenda

STALLED_SECONDS = 120.0
"""No pass is begun for so long only where all workers hang: what each of them waits for has a limit well below."""


class Pulse:
    """What has to go on for as long as the process lives."""

    def __init__(self, agenda: Agenda) -> None:
        self._agenda = agenda
        self._threads: list[Thread] = []

    def start(self, name: str, work: Callable[[], object]) -> None:
        """Do some work that must not end, in a thread of its own."""
        self.watch(Thread(target=work, name=name, daemon=True))

    def watch(self, thread: Thread) -> None:
        """Start a thread that must not end."""
        thread.start()
        self._threads.append(thread)

    def trouble(self) -> str:
        """Say what does not go on any more; empty where all does."""
        if ended := sorted({thread.name for thread in self._threads if not thread.is_alive()}):
            return f"ended, and should not have: thread {', '.join(ended)}"
        stalled = self._agenda.stalled(time.time())
        return f"passes are due, and none was begun for {stalled:.0f} s" if stalled > STALLED_SECONDS else ""

"""One receiver's thread: it tries what is due, one at a time, and what fails again later and later, until its end."""

import heapq
import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import structlog

from canary_analyzer.service.notifications.formats import rendered
from canary_analyzer.service.notifications.news import News
from canary_analyzer.service.notifications.settings import Receiver
from canary_analyzer.service.posting import Letter, Reply, Unreadable, post, secret

log = structlog.get_logger()

FIRST_WAIT, LONGEST_WAIT = 1.0, 300.0
"""Seconds until the second try, doubled with each further one, and at most."""
MOST = 1000
"""News that may wait; what is not taken is offered again with its run's next pass."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is asked of a courier beside the news itself."""

    done: Callable[[], None]
    """Called when the news needs no further try, delivered or given up."""
    ours: Callable[[], bool] = lambda: True
    """Whether it is still ours to bring; another replica brings what is not."""


class Courier:
    """Brings news to one receiver.

    Args:
        receiver: whom, and how.
        on_try: told the result of each try: `ok`, `error` or `given-up`.
        on_defect: called when a try fails by a defect of ours.
    """

    def __init__(self, receiver: Receiver, on_try: Callable[[str], None], on_defect: Callable[[], None]) -> None:
        self.receiver = receiver
        self._on_try, self._on_defect = on_try, on_defect
        self._waiting: list[_Errand] = []
        self._known: set[str] = set()
        self._numbers = itertools.count()
        self._changed = threading.Condition()
        self._stopped = False
        threading.Thread(target=self._work, name=f"notify {receiver.name}", daemon=True).start()

    def take(self, name: str, make: Callable[[], News], order: Order) -> None:
        """Bring some news, unless it is on its way already or too much is waiting.

        Args:
            name: what tells it from all other news.
            make: makes it; called at once, or not at all.
            order: whose it is, and whom to tell what becomes of it.
        """
        with self._changed:
            if name not in self._known and len(self._known) < MOST:
                self._known.add(name)
                self._put(_Errand(due=0.0, number=next(self._numbers), name=name, news=make(), order=order))

    def stop(self) -> None:
        """Bring nothing more; what waits is forgotten."""
        with self._changed:
            self._stopped = True
            self._changed.notify()

    def _put(self, errand: "_Errand") -> None:
        heapq.heappush(self._waiting, errand)
        self._changed.notify()

    def _work(self) -> None:
        while (errand := self._next()) is not None:
            try:
                self._try(errand)
            except Exception as error:  # its message could name the address
                log.error("a notification failed by a defect of ours, trying again", error=type(error).__name__)
                self._on_defect()
                self._again(errand, 0.0)

    def _next(self) -> "_Errand | None":
        """Return what is due, once something is; None when told to stop."""
        with self._changed:
            while not self._stopped:
                wait = self._waiting[0].due - time.monotonic() if self._waiting else None
                if wait is not None and wait <= 0:
                    return heapq.heappop(self._waiting)
                self._changed.wait(wait)
        return None

    def _try(self, errand: "_Errand") -> None:
        if not errand.order.ours():
            self._forget(errand)
            return
        news = errand.news
        about = log.bind(receiver=self.receiver.name, news=errand.name)
        if time.time() - news.at > self.receiver.give_up_seconds:
            about.error("a notification is given up", tries=errand.tries)
            self._end(errand, "given-up")
            return
        reply = _sent(self.receiver, news)
        if reply.ok:
            about.info("notified", answer=reply.text)
            self._end(errand, "ok")
            return
        about.warning("a notification was not delivered, trying again", problem=reply.text, tries=errand.tries + 1)
        self._on_try("error")
        self._again(errand, reply.retry_after)

    def _end(self, errand: "_Errand", result: str) -> None:
        self._on_try(result)
        errand.order.done()
        self._forget(errand)

    def _forget(self, errand: "_Errand") -> None:
        with self._changed:
            self._known.discard(errand.name)

    def _again(self, errand: "_Errand", at_least: float) -> None:
        wait = min(max(FIRST_WAIT * 2 ** min(errand.tries, 10), at_least), LONGEST_WAIT)
        with self._changed:
            due, number = time.monotonic() + wait, next(self._numbers)
            self._put(replace(errand, due=due, number=number, tries=errand.tries + 1))


@dataclass(frozen=True, kw_only=True, order=True)
class _Errand:
    """News that waits: due on the monotonic clock, then in the order in which they came."""

    due: float
    number: int
    name: str = field(compare=False)
    news: News = field(compare=False)
    order: Order = field(compare=False)
    tries: int = field(default=0, compare=False)


def _sent(receiver: Receiver, news: News) -> Reply:
    try:
        url = receiver.address()
        headers = {name: secret(path) for name, path in receiver.headers_from_file.items()}
    except Unreadable as error:
        return Reply(status=0, text=f"was not sent: {error}")
    content_type, body = rendered(receiver.kind, news)
    letter = Letter(url=url, body=body, headers={**headers, "Content-Type": content_type})
    return post(letter, receiver.timeout_seconds)

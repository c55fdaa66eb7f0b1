"""Who has been told what, across restarts, without holding up any run.

A run's record says which of its news each receiver has taken. Every pass offers what the record does not name; a
courier's thread brings it; the record learns of it with the next write that is made anyway. A process that is killed in
between tells some of it again, and none of it never. Only what an ended run still owes costs a write of its own.
That one needs no claim to the run: what has been told is told, whosever the run is by then.
"""

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial

import structlog

from canary_analyzer.cluster import outbox
from canary_analyzer.cluster.client import Cluster
from canary_analyzer.cluster.errors import ClusterError
from canary_analyzer.cluster.records import Record
from canary_analyzer.rollout.run import Run
from canary_analyzer.rollout.texts import plain
from canary_analyzer.service.notifications.accounts import Account, Key, Offer
from canary_analyzer.service.notifications.courier import Courier, Order
from canary_analyzer.service.notifications.news import Kind, News, happened, key_of, news_of
from canary_analyzer.service.notifications.settings import Receiver

log = structlog.get_logger()

LOOK_SECONDS = 30.0
"""Between two looks for what another process left untold."""


class Notifications:
    """Tells receivers what becomes of runs. Safe to use from several threads; no call waits for a receiver.

    Args:
        on_try: told the receiver's name and the result of each try: `ok`, `error` or `given-up`.
        owns: whether a Deployment, by namespace and name, is this replica's; it may be another's by the next try.
        on_defect: called when something fails by a defect of ours.
    """

    def __init__(
        self,
        on_try: Callable[[str, str], None] = lambda *_: None,
        owns: Callable[[Key], bool] = lambda _: True,
        on_defect: Callable[[], None] = lambda: None,
    ) -> None:
        self._on_try, self._owns, self._on_defect = on_try, owns, on_defect
        self._lock = threading.Lock()
        self._couriers: dict[str, Courier] = {}
        self._accounts: dict[Key, Account] = {}
        self._page_url = ""
        self._asked = threading.Event()

    def configure(self, receivers: Iterable[Receiver], page_url: str) -> None:
        """Tell these from now on; what waits for one that is the same as before stays on its way.

        Args:
            receivers: each with a name of its own.
            page_url: where people find the status page; may be empty.
        """
        wanted = {receiver.name: receiver for receiver in receivers}
        with self._lock:
            self._page_url = page_url.rstrip("/")
            for name, courier in list(self._couriers.items()):
                if wanted.get(name) != courier.receiver:
                    courier.stop()
                    del self._couriers[name]
            for name in wanted.keys() - self._couriers.keys():
                self._couriers[name] = Courier(wanted[name], partial(self._on_try, name), self._on_defect)

    def post(self, cluster: Cluster, record: Record) -> None:
        """Send on its way what has become of a run and is neither told nor on its way yet."""
        if self._couriers or record.owed:
            settle = partial(outbox.settle, cluster, record.run) if record.owed else None
            self._send(replace(self._offer(record), settle=settle))
        if record.run.ended and not record.owed:
            self.forget(record.run)

    def stamped(self, record: Record) -> Record:
        """Return a record that says what has been told by now, and whether, at its end, that was all."""
        if not self._couriers:
            return record
        offer = self._offer(record)
        with self._lock:
            account = self._account(offer)
            return replace(record, told=account.as_told, owed=record.run.ended and not account.is_square)

    def forget(self, run: Run) -> None:
        """Forget a run that is not ours any more; one that has ended is remembered until all of it is told."""
        key = (run.namespace, run.name)
        with self._lock:
            if key in self._accounts and self._accounts[key].settle is None:
                del self._accounts[key]

    def look(self) -> None:
        """Look for refusals soon."""
        self._asked.set()

    def follow(self, cluster: Cluster, namespaces: Sequence[str]) -> None:
        """Look for ever for what an earlier process left untold, and for refusals; meant for a daemon thread.

        Args:
            cluster: to look in.
            namespaces: of it; "" is all.
        """
        while True:
            if self._couriers:
                self._catch_up(cluster, namespaces)
            self._asked.wait(LOOK_SECONDS)
            self._asked.clear()

    def _catch_up(self, cluster: Cluster, namespaces: Sequence[str]) -> None:
        try:
            for namespace in namespaces:
                owed = outbox.owed(cluster, namespace)
                for record in owed.records:
                    if self._owns((record.run.namespace, record.run.deployment)):
                        self.post(cluster, record)
                for kept in owed.refusals:
                    if self._owns((kept.namespace, kept.refusal.deployment)):
                        self._send(self._refusal(cluster, kept))
        except ClusterError as error:
            log.warning("what is still to be told could not be read, trying again", error=str(error))
        except Exception:
            log.exception("what is still to be told could not be told by a defect of ours, trying again")
            self._on_defect()

    def _offer(self, record: Record) -> Offer:
        run, page_url = record.run, self._page_url
        moments = {key_of(kind, moment.at): (kind, moment) for kind, moment in happened(run)}
        return Offer(
            key=(run.namespace, run.name),
            deployment=(run.namespace, run.deployment),
            kinds={key: kind for key, (kind, _) in moments.items()},
            make=lambda key: news_of(*moments[key], run, record.story, page_url),
            told=record.told,
        )

    def _refusal(self, cluster: Cluster, kept: outbox.Kept) -> Offer:
        refusal = kept.refusal
        news = News(
            kind=Kind.REFUSED,
            at=refusal.at,
            namespace=kept.namespace,
            deployment=refusal.deployment,
            wanted=plain(refusal.image),
            reason=plain(refusal.reason),
            link=f"{self._page_url}/" if self._page_url else "",
        )
        return Offer(
            key=(kept.namespace, kept.name),
            deployment=(kept.namespace, refusal.deployment),
            kinds={news.key: news.kind},
            make=lambda _: news,
            settle=lambda _: outbox.remove(cluster, kept),
        )

    def _account(self, offer: Offer) -> Account:
        """Return the account that an offer is about, up to date; the lock is held."""
        account = self._accounts.setdefault(offer.key, Account())
        account.update(offer, {name: courier.receiver for name, courier in self._couriers.items()})
        return account

    def _send(self, offer: Offer) -> None:
        with self._lock:
            account = self._account(offer)
            lacking = [(courier, key) for name, courier in self._couriers.items() for key in account.lacks(name)]
        for courier, key in lacking:
            told = partial(self._told, offer.key, courier.receiver.name, key)
            ours = partial(self._owns, offer.deployment)
            courier.take("/".join((*offer.key, key)), partial(offer.make, key), Order(done=told, ours=ours))
        self._settle(offer.key)

    def _told(self, whose: Key, receiver: str, key: str) -> None:
        with self._lock:
            if whose in self._accounts:
                self._accounts[whose].note(receiver, key)
        self._settle(whose)

    def _settle(self, whose: Key) -> None:
        """Note that all has been told, where that is so and no more can come; where it fails, with the next look."""
        with self._lock:
            account = self._accounts.get(whose)
            if account is None or account.settle is None or not account.is_square:
                return
            del self._accounts[whose]
        try:
            account.settle(account.as_told)
        except Exception as error:  # any: news that was delivered must not look as if it was not
            log.warning("what was told could not be noted, trying again", run="/".join(whose), error=str(error))
            with self._lock:
                self._accounts.setdefault(whose, account)

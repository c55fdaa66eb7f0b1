"""This process among the replicas of the service: it renews its Lease, and says what it may work on."""

import secrets
import threading
import time
from collections.abc import Callable
from typing import Protocol

import structlog

from canary_analyzer.cluster import leases
from canary_analyzer.cluster.client import Cluster
from canary_analyzer.cluster.errors import ClusterError, NotFound
from canary_analyzer.service.claims import RENEW, Claims, Key
from canary_analyzer.service.health import Health

log = structlog.get_logger()


class Unclaimed(ClusterError):
    """The run is another replica's now, or this one has lost its Lease: the write was not made."""


class Shards(Protocol):
    """Says which runs are ours."""

    def owns(self, key: Key, /) -> bool:
        """Whether the run of a Deployment is this replica's to work on."""

    def require(self, key: Key, /) -> None:
        """Raise `Unclaimed` where the run of a Deployment is not this replica's to work on."""

    def is_working(self) -> bool:
        """Whether any runs may be ours."""


class Alone:
    """A process that has no others beside it: everything is its own."""

    def owns(self, _key: Key, /) -> bool:
        """Say yes."""
        return True

    def require(self, _key: Key, /) -> None:
        """Let every write pass."""

    def is_working(self) -> bool:
        """Say yes."""
        return True


class Replicas:
    """The claims of this process, kept up by a thread of its own; `owns` and `require` may be called from any.

    Args:
        cluster: where the Leases are.
        namespace: of the Leases.
        name: of this replica; a process that lost its Lease comes back under another one.
        lease_seconds: how long until others take over what was this replica's.
        health: told when the Lease is lost.
    """

    def __init__(self, cluster: Cluster, namespace: str, name: str, lease_seconds: float, health: Health) -> None:
        self._health = health
        # Two renewals may fail: one that hangs must leave time for others before the fence.
        self._cluster = cluster.within(RENEW * lease_seconds)
        self._namespace, self._name, self._lease_seconds = namespace, name, lease_seconds
        self._claims: Claims | None = None
        self._lost = ""
        """The name under which the Lease was lost, until it is given up."""
        self._shares: tuple[bool, frozenset[str]] = (False, frozenset())
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def owns(self, key: Key) -> bool:
        """Whether the run of a Deployment is this replica's to work on."""
        claims = self._claims
        return claims is not None and claims.owns(key, clock())

    def require(self, key: Key) -> None:
        """Raise `Unclaimed` where the run of a Deployment is not this replica's to work on."""
        if not self.owns(key):
            raise Unclaimed(f"the run of {'/'.join(key)} is not this replica's (any more)")

    def is_working(self) -> bool:
        """Whether any runs may be this replica's: it holds a Lease that counts."""
        claims = self._claims
        return claims is not None and claims.is_working(clock())

    def thread(self, on_change: Callable[[], None]) -> threading.Thread:
        """Return a thread that announces this replica and renews its Lease from its start on.

        Args:
            on_change: called when other runs than before may be ours; must return soon.
        """
        self._thread = threading.Thread(target=self._run, args=(on_change,), name="lease", daemon=True)
        return self._thread

    def release(self) -> None:
        """Give up all claims, once nothing is being written any more; the others take over with their next round."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()
        claims, self._claims = self._claims, None
        if claims is None:
            return
        self._give_up(claims.me)
        self._tidy()

    def _tidy(self) -> None:
        """Take the Leases away where nobody is left who would; of two who end at once, one at least sees both."""
        try:
            found = leases.listed(self._cluster, self._namespace)
        except ClusterError as error:
            log.warning("what leases there are could not be read; the next replica takes them away", error=str(error))
            return
        if not any(found.values()):
            for name in found:
                self._take_away(name)

    def _run(self, on_change: Callable[[], None]) -> None:
        while not self._stopped.is_set():
            began = clock()
            try:
                self._try_round(began, on_change)
            except Exception:
                log.exception("the lease could not be renewed by a defect of ours, trying again")
                self._health.defect()
            claims = self._claims
            due = claims.next_round(began) if claims is not None else began + RENEW * self._lease_seconds
            self._stopped.wait(max(0.0, due - clock()))

    def _try_round(self, began: float, on_change: Callable[[], None]) -> None:
        try:
            self._round(began)
        except ClusterError as error:
            log.warning("the lease could not be renewed, trying again", error=str(error))
        self._compare(on_change)

    def _round(self, began: float) -> None:
        """Renew the Lease, and see who else has one; where it was lost, come back as another."""
        if self._claims is not None and not self._is_renewed(self._claims):
            self._lose(self._claims)
        claims = self._claims = self._claims or self._announced()
        found = leases.listed(self._cluster, self._namespace)
        if claims.is_over(clock()):
            self._lose(claims)
            return
        claims = self._claims = claims.after_round(found, began, clock())
        for name in claims.left_behind:
            self._take_away(name)

    def _is_renewed(self, claims: Claims) -> bool:
        """Renew the Lease; False where that is too late, or somebody took it for one left behind."""
        if claims.is_over(clock()):
            return False
        try:
            leases.renew(self._cluster, self._namespace, claims.me)
        except NotFound:
            return False
        return True

    def _announced(self) -> Claims:
        """Make a Lease, and only then look after the one that was lost."""
        me = f"{self._name}-{secrets.token_hex(3)}"
        leases.announce(self._cluster, self._namespace, me, self._lease_seconds)
        claims = Claims(me=me, lease_seconds=self._lease_seconds, announced=clock())
        lost, self._lost = self._lost, ""
        if lost:
            self._give_up(lost)
        return claims

    def _lose(self, claims: Claims) -> None:
        """Write nothing more under this name, as the others may have shared out what it had."""
        self._claims, self._lost = None, claims.me
        log.warning("the lease was lost: no writes until there is a new one")
        self._health.lost_lease()

    def _give_up(self, name: str) -> None:
        try:
            leases.give_up(self._cluster, self._namespace, name)
        except ClusterError as error:
            log.warning("a lease could not be given up; it will run out", replica=name, error=str(error))

    def _take_away(self, name: str) -> None:
        try:
            leases.take_away(self._cluster, self._namespace, name)
        except ClusterError as error:
            log.warning("a lease could not be taken away; others will try", replica=name, error=str(error))

    def _compare(self, on_change: Callable[[], None]) -> None:
        """Tell when other replicas live than before, or this one may begin or has to stop."""
        claims, now = self._claims, clock()
        shares = (False, frozenset[str]()) if claims is None else (claims.is_working(now), claims.workers(now))
        if shares != self._shares:
            self._shares = shares
            log.info("runs are shared out anew", working=shares[0], replicas=sorted(shares[1]))
            on_change()


def clock() -> float:
    """Return seconds of a clock that cannot be set, and that goes on while the machine is suspended."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))

"""This process among the replicas of the service: it renews its Lease, and says what it may work on."""

import secrets
import threading
import time
from collections.abc import Callable
from typing import Protocol

import structlog

from canary_analyzer.cluster import leases
from canary_analyzer.cluster.client import Cluster, ClusterError, NotFound
from canary_analyzer.service.claims import RENEW, Claims, Key

log = structlog.get_logger()


class Unclaimed(ClusterError):
    """The run is another replica's now, or this one has lost its Lease: the write was not made."""


class Shards(Protocol):
    """Says which runs are ours."""

    def owns(self, key: Key, /) -> bool:
        """Whether the run of a Deployment is this replica's to work on."""

    def require(self, key: Key, /) -> None:
        """Raise `Unclaimed` where the run of a Deployment is not this replica's to work on."""


class Alone:
    """A process that has no others beside it: everything is its own."""

    def owns(self, _key: Key, /) -> bool:
        """Say yes."""
        return True

    def require(self, _key: Key, /) -> None:
        """Let every write pass."""


class Replicas:
    """The claims of this process, kept up by a thread of its own; `owns` and `require` may be called from any.

    Args:
        cluster: where the Leases are.
        namespace: of the Leases.
        name: of this replica; a process that lost its Lease comes back under another one.
        lease_seconds: how long until others take over what was this replica's.
    """

    def __init__(self, cluster: Cluster, namespace: str, name: str, lease_seconds: float) -> None:
        self._cluster, self._namespace, self._name = cluster, namespace, name
        self._lease_seconds = lease_seconds
        self._claims: Claims | None = None
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

    def start(self, on_change: Callable[[], None], on_lost: Callable[[], None] = lambda: None) -> None:
        """Announce this replica and renew its Lease from now on.

        Args:
            on_change: called when other runs than before may be ours; must return soon.
            on_lost: called when the Lease was not renewed in time.
        """
        work = threading.Thread(target=self._run, args=(on_change, on_lost), name="lease", daemon=True)
        self._thread = work
        work.start()

    def release(self) -> None:
        """Give up all claims, once nothing is being written any more; the others take over at once."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()
        claims, self._claims = self._claims, None
        if claims is not None:
            self._take_away(claims.me)

    def _run(self, on_change: Callable[[], None], on_lost: Callable[[], None]) -> None:
        while not self._stopped.is_set():
            began = clock()
            try:
                self._round(began, on_lost)
            except NotFound:
                self._lose(on_lost)
            except ClusterError as error:
                log.warning("the lease could not be renewed, trying again", error=str(error))
            except Exception:
                log.exception("the lease could not be renewed by a defect of ours, trying again")
            self._compare(on_change)
            self._stopped.wait(max(0.0, began + RENEW * self._lease_seconds - clock()))

    def _round(self, began: float, on_lost: Callable[[], None]) -> None:
        claims = self._claims
        if claims is not None and claims.heard and not claims.is_valid(began):
            self._lose(on_lost)
            claims = None
        if claims is None:
            claims = self._claims = self._announced()
        else:
            leases.renew(self._cluster, self._namespace, claims.me)
        claims = self._claims = claims.after_round(leases.listed(self._cluster, self._namespace), began, clock())
        for name in claims.left_behind:
            self._take_away(name)

    def _announced(self) -> Claims:
        me = f"{self._name}-{secrets.token_hex(3)}"
        leases.announce(self._cluster, self._namespace, me, self._lease_seconds)
        return Claims(me=me, lease_seconds=self._lease_seconds, announced=clock())

    def _lose(self, on_lost: Callable[[], None]) -> None:
        """Come back as another, as the others may have shared out what this one had."""
        claims, self._claims = self._claims, None
        log.warning("the lease was lost: no writes until there is a new one")
        on_lost()
        if claims is not None:
            self._take_away(claims.me)

    def _take_away(self, name: str) -> None:
        try:
            leases.release(self._cluster, self._namespace, name)
        except ClusterError as error:
            log.warning("a lease could not be taken away; it will run out", replica=name, error=str(error))

    def _compare(self, on_change: Callable[[], None]) -> None:
        """Tell when other replicas live than before, or this one may begin or has to stop."""
        claims, now = self._claims, clock()
        shares = (False, frozenset[str]()) if claims is None else (claims.is_working(now), claims.members)
        if shares != self._shares:
            self._shares = shares
            log.info("runs are shared out anew", working=shares[0], replicas=sorted(shares[1]))
            on_change()


def clock() -> float:
    """Return seconds of a clock that cannot be set, and that goes on while the machine is suspended."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))

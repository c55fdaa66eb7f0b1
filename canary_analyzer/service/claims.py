"""Which replica works on which run: pure rules on Leases as they are seen, and on a clock that cannot be set.

Every replica renews a Lease of its own and lists those of all, in rounds. It takes another for gone when that one's
Lease has not changed over several lists, on its own clock: no two clocks are ever compared. A run belongs to the live
replica that draws the highest number for it (rendezvous hashing: Thaler & Ravishankar, "Using name-based mappings to
increase hit rates", 1998), so that one who goes leaves its runs to the others, and nobody else's run moves.

Why no run has two owners. A replica whose last round began longer ago than FENCE of the lease's length makes no more
writes; the others wait longer (LOST) until they share out what it had. One who comes waits for FENCE: whoever has not
seen it by then makes no more writes either, and whoever has goes on with what will be its for FENCE from the list
before, in which it was not. One that finds itself alone, having announced itself before it looked, need not wait:
whoever comes later sees it in its first list. Whoever was fenced once does not come back by a late answer (`is_over`):
it takes another name. One that ends says so in its Lease, and is counted on by nobody who has seen that. A Lease that
is gone without a word says nothing of its replica, which may not know it yet: it counts for LOST from then on, by when
its replica is fenced. What remains is a write that was on its way when a process was frozen; those are guarded by
resourceVersion or uid.
"""

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Self

from canary_analyzer.cluster.leases import GIVEN_UP

RENEW, FENCE, LOST = 0.2, 0.6, 0.7
"""As shares of the lease's length: two renewals in a row may fail before a replica stops. Another sees the last renewal
within one round, and LOST later that no other has come: what a replica had is taken over in one lease's length, and a
round later where one who comes has just begun with what would be its.
"""
LEFT_BEHIND = 10.0
"""As LOST, until a Lease that nobody renews is taken away; one that was given up is taken away once it is LOST."""
GONE = "gone"
"""In place of the resourceVersion of a Lease that is not there any more."""

Key = tuple[str, str]
"""Namespace and name of a Deployment."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A Lease of another: its resourceVersion, GIVEN_UP or GONE, and since when (own clock, seconds) it is so."""

    version: str
    since: float
    comes: float = 0.0
    """Until when (own clock) it cannot work yet, as it was not there when those before were listed."""


@dataclass(frozen=True, kw_only=True)
class Claims:
    """What one replica knows of itself and of the others; all times in seconds of its own monotonic clock."""

    me: str
    lease_seconds: float
    announced: float
    """When its Lease was there for all to see."""
    heard: float = 0.0
    """When the last round began in which the own Lease was renewed and then those of all were listed; 0: none has."""
    waits: bool = True
    """Whether there were others when it came, who have to notice it first."""
    others: Mapping[str, Seen] = field(default_factory=dict)

    def after_round(self, listed: Mapping[str, str], began: float, now: float) -> Self:
        """Return the claims after a renewal and a list of all Leases that began at a time.

        Args:
            listed: name to resourceVersion, or to GIVEN_UP.
            began: when the renewal began.
            now: when the list was there.
        """
        versions = {**dict.fromkeys(self.members, GONE), **listed}
        others = {name: self._seen(name, version, now) for name, version in versions.items() if name != self.me}
        after = replace(self, heard=began, others=others)
        return after if self.heard else replace(after, waits=len(after.members) > 1)

    def _seen(self, name: str, version: str, now: float) -> Seen:
        known = self.others.get(name)
        if known is None:
            return Seen(version=version, since=now, comes=self.heard and self.heard + FENCE * self.lease_seconds)
        return known if known.version == version else replace(known, version=version, since=now)

    def is_over(self, now: float) -> bool:
        """Whether the others may have shared out what this replica had: it has been fenced."""
        return self.heard > 0 and not self.is_valid(now)

    def is_valid(self, now: float) -> bool:
        """Whether the others still count on this replica."""
        return self.heard > 0 and now - self.heard < FENCE * self.lease_seconds

    def is_working(self, now: float) -> bool:
        """Whether it may work on runs: its Lease is valid, and whoever was there before has noticed it."""
        return self.is_valid(now) and (not self.waits or now - self.announced >= FENCE * self.lease_seconds)

    def next_round(self, began: float) -> float:
        """Return when the round after one that began at a time is due.

        Sooner than usual where another may be found lost by it, or this one has waited long enough.
        """
        alive = (self.others[name] for name in self.members - {self.me})
        lost = (seen.since + LOST * self.lease_seconds for seen in alive)
        begins = self.announced + FENCE * self.lease_seconds
        return min(at for at in (*lost, begins, began + RENEW * self.lease_seconds) if at > began)

    @property
    def members(self) -> frozenset[str]:
        """The names of the replicas that lived when the last round began, this one included."""
        return frozenset(self.others) - self._given_up - self._unchanged_for(LOST) | {self.me}

    def workers(self, now: float) -> frozenset[str]:
        """Return the members among which runs are shared: those who have come so lately that they wait are not yet."""
        return frozenset(name for name in self.members if name == self.me or self.others[name].comes <= now)

    @property
    def left_behind(self) -> frozenset[str]:
        """Names of replicas whose Lease can be taken away: nobody counts on it any more."""
        return self._unchanged_for(LEFT_BEHIND) | self._given_up & self._unchanged_for(LOST)

    @property
    def _given_up(self) -> frozenset[str]:
        return frozenset(name for name, seen in self.others.items() if seen.version == GIVEN_UP)

    def _unchanged_for(self, leases: float) -> frozenset[str]:
        since = self.heard - leases * self.lease_seconds
        return frozenset(name for name, seen in self.others.items() if seen.since <= since)

    def owns(self, key: Key, now: float) -> bool:
        """Whether the run of a Deployment is this replica's to work on."""
        return self.is_working(now) and owner(key, self.workers(now)) == self.me


def owner(key: Key, members: Collection[str]) -> str:
    """Return the member that draws the highest number for a key."""
    return max(members, key=lambda member: hashlib.blake2b("\n".join((member, *key)).encode(), digest_size=8).digest())

"""All active runs: each has a pass as often as its stage needs."""

import math
from collections.abc import Sequence
from dataclasses import replace
from threading import Lock
from weakref import WeakValueDictionary

import structlog

from canary_analyzer.cluster import records
from canary_analyzer.cluster.client import DEPLOYMENTS
from canary_analyzer.cluster.errors import REFUSED, ClusterError, Conflict, Taken
from canary_analyzer.cluster.records import Record
from canary_analyzer.rollout import annotations
from canary_analyzer.rollout.evidence import fresh
from canary_analyzer.rollout.intake import Seen, before_next
from canary_analyzer.rollout.plan import Offers
from canary_analyzer.rollout.programs import stage_of
from canary_analyzer.rollout.run import Run
from canary_analyzer.routing import Document
from canary_analyzer.service.agenda import Agenda, Key
from canary_analyzer.service.byo import NotYet
from canary_analyzer.service.intake import StillChanging, TurnedDown, refuse, take_in
from canary_analyzer.service.reconcile import Active, Ports, conclude, sampled
from canary_analyzer.service.replicas import Shards
from canary_analyzer.service.samples import pair, read_together
from canary_analyzer.service.telemetry import Telemetry

log = structlog.get_logger()

POLL_SECONDS = 1.0
"""Between two looks at a cluster that is on its way to where we want it; what takes long is looked at less often."""
POLL_SHARE = 0.1
"""Longest time between two looks, as a share of the time waited so far."""
RETRY_SECONDS = 2.0
RECHECK_SECONDS, LONGEST_RECHECK_SECONDS = 15.0, 240.0
"""Between two looks at what a canary lacks that the user brought; any change of its Deployment is looked at at once."""
CONTROLLER_SECONDS = 300.0
"""So long may the workload controller take to see a change of a Deployment, and whatever refuses a run's record."""
NOT_SEEN = (
    "the workload controller has not seen the Deployment's newest change for {waited:.0f} s: does "
    "kube-controller-manager run? Annotate again once it does"
)
NOT_TAKEN_IN = (
    "for {waited:.0f} s the API server has refused what a run begins with ({error}): see to quotas, rights and "
    "admission, then annotate again"
)
DEFECT_SECONDS = 30.0
SAMPLE_LAG = 0.1
"""Seconds after a tick's end before it is read, so that its last scrape has been stored."""


class Rollouts:
    """The active runs by Deployment. Safe to use from several threads; each run has at most one pass at a time."""

    def __init__(
        self,
        ports: Ports,
        telemetry: Telemetry,
        agenda: Agenda,
        offers: Offers,
        shards: Shards,
    ) -> None:
        self._ports = ports
        self._shards = shards
        self._telemetry = telemetry
        self._agenda = agenda
        self._offers = offers
        self._lock = Lock()
        self._active: dict[Key, Active] = {}
        self._turns: WeakValueDictionary[Key, Lock] = WeakValueDictionary()
        """Those that somebody has or waits for: Deployments come and go."""
        agenda.prepare = self._read_together

    def add(self, record: Record) -> None:
        """Take a run up, new or found after a restart; one that is known already stays as it is."""
        key = (record.run.namespace, record.run.deployment)
        if not self._shards.owns(key):
            return
        with self._lock:
            if key in self._active:
                return
            self._active[key] = Active(record=record, progress=fresh(record.run))
        log.info("run taken up", namespace=key[0], deployment=key[1], run=record.run.name, phase=record.run.phase)
        self.wake(key)

    @property
    def ports(self) -> Ports:
        """What passes read from and write to now."""
        return self._ports

    def work_with(self, ports: Ports, offers: Offers) -> None:
        """Let passes use these ports, and annotations choose from these offers, from now on."""
        self._ports, self._offers = ports, offers

    def share_out(self) -> None:
        """Let go of runs that are another replica's now; ours that are not here yet are for a watcher to add."""
        with self._lock:
            others = [key for key in self._active if not self._shards.owns(key)]
        for key in others:
            self.wake(key)

    def __contains__(self, key: Key) -> bool:
        """Whether the Deployment has an active run."""
        with self._lock:
            return key in self._active

    def lacks(self, namespace: str, deployment: str) -> bool:
        """Whether an active run of the Deployment is one to take up: it would be ours and is not here."""
        key = (namespace, deployment)
        return key not in self and self._shards.owns(key)

    def records(self) -> tuple[Record, ...]:
        """Return the active runs as they stand this moment."""
        with self._lock:
            return tuple(active.record for active in self._active.values())

    def wake(self, key: Key) -> None:
        """Run the Deployment's next pass now: a user wants something."""
        self._schedule(key, self._ports.clock())

    def request(self, key: Key, before: Seen | None, wait: float = 0.0, since: float | None = None) -> None:
        """Look whether a Deployment without a run asks for one, and start it.

        Args:
            key: the Deployment.
            before: how it looked before it got its trigger; None where nobody watched.
            wait: seconds until then.
            since: when it was first looked at because of this request, in seconds since the epoch; None: it was not.
        """
        now = self._ports.clock()
        args = [key, before, now if since is None else since]
        self._agenda.once("/".join(("intake", *key)), self._take_in, args, now + wait)

    def _schedule(self, key: Key, at: float) -> None:
        self._agenda.turn(key, self._pass, at)

    def _take_in(self, key: Key, before: Seen | None, since: float) -> None:
        """Read the Deployment anew and start its run; where that fails, again a little later."""
        waited = self._ports.clock() - since
        with self._turn(key), structlog.contextvars.bound_contextvars(namespace=key[0], deployment=key[1]):
            if key in self or self._agenda.stopped or not self._shards.owns(key):
                return
            try:
                record = self._taken_in(key, before, waited)
            except StillChanging:
                self.request(key, before, max(POLL_SECONDS, POLL_SHARE * waited), since)
            except TurnedDown:
                self._turned_down()
            except NotYet as error:
                if error.news:
                    self._turned_down()
                self.request(key, before, min(max(RECHECK_SECONDS, waited), LONGEST_RECHECK_SECONDS), since)
            except ClusterError as error:
                log.warning("the request could not be taken in, trying again", error=str(error))
                self.request(key, before, max(RETRY_SECONDS, error.retry_after), since)
            except Exception:
                log.exception("the request could not be taken in by a defect of ours, trying again")
                self._telemetry.health.defect()
                self.request(key, before, DEFECT_SECONDS, since)
            else:
                if record is not None:
                    self.add(record)

    def _turned_down(self) -> None:
        self._telemetry.refused()
        self._ports.notifications.look()

    def _taken_in(self, key: Key, before: Seen | None, waited: float) -> Record | None:
        cluster = self._fenced(key).cluster
        deployment = cluster.find(DEPLOYMENTS, *key)
        if deployment is None:
            return None
        try:
            return take_in(cluster, deployment, before, self._offers, self._ports.clock())
        except (StillChanging, ClusterError) as error:
            if waited < CONTROLLER_SECONDS or not _is_to_be_told(error, deployment):
                raise
            reason = (NOT_SEEN if isinstance(error, StillChanging) else NOT_TAKEN_IN).format(waited=waited, error=error)
            refuse(cluster, deployment, self._offers, reason, self._ports.clock())
            raise TurnedDown from None

    def _fenced(self, key: Key) -> Ports:
        """Return the ports for work on one Deployment, with which nothing is written that is another replica's."""
        return replace(self._ports, cluster=self._ports.cluster.fenced(lambda: self._shards.require(key)))

    def _turn(self, key: Key) -> Lock:
        """Return what lets one job at a time work on a Deployment; each reads everything anew once it has its turn."""
        with self._lock:
            return self._turns.setdefault(key, Lock())

    def _read_together(self, keys: Sequence[Key]) -> None:
        """Read and judge what is new of the runs that are due; each pass does itself what is not done here."""
        turns = {key: turn for key in keys if (turn := self._turn(key)).acquire(blocking=False)}
        try:
            with self._lock:
                known = {key: self._active[key] for key in turns if key in self._active}
            known = {key: active for key, active in known.items() if _can_go_on(active) and self._shards.owns(key)}
            asked = [(active.run, active.progress) for active in known.values()]
            read = read_together(self._ports.reader, asked, self._ports.clock())
            with self._lock:
                for (key, active), progress in zip(known.items(), read, strict=True):
                    self._active[key] = replace(active, progress=progress)
        except Exception:
            log.exception("samples could not be read together by a defect of ours, going on one by one")
            self._telemetry.health.defect()
        finally:
            for turn in turns.values():
                turn.release()

    def _pass(self, key: Key, due: float) -> None:
        with self._turn(key):
            self._telemetry.health.late(self._ports.clock() - due)
            try:
                self._take_turn(key)
            except Exception:
                log.exception(
                    "a pass did not end by a defect of ours, trying again", namespace=key[0], deployment=key[1]
                )
                self._telemetry.health.defect()
                self._schedule(key, self._ports.clock() + DEFECT_SECONDS)

    def _take_turn(self, key: Key) -> None:
        with self._lock:
            active = self._active.get(key)
        if active is None or self._agenda.stopped:
            return  # woken in the moment of its end, or of ours
        if not self._shards.owns(key):
            self._let_go(key)
            return
        run = active.run
        with structlog.contextvars.bound_contextvars(
            namespace=run.namespace, deployment=run.deployment, run=run.name, step=run.step
        ):
            following, at = self._attempt(active)
        if following is None or following.run.ended:
            self._end(key, following)
            return
        with self._lock:
            self._active[key] = following
        self._telemetry.show(key, following)
        self._schedule(key, at)

    def _attempt(self, active: Active) -> tuple[Active | None, float]:
        """Run one pass and tell when the next one is due; whatever goes wrong, that one tries again."""
        try:
            active = self._reloaded(active) if active.is_unsure else active
            if active.run.ended:
                return active, self._ports.clock()  # its last write was made, and only the answer was lost
            active = sampled(self._ports, active)
            following = conclude(self._fenced((active.run.namespace, active.run.deployment)), active)
            now = self._ports.clock()
            if following is None:
                return None, now
            return following, max(next_pass(following.run, now), now + following.patience)
        except Conflict as error:
            log.info("somebody else wrote, reading again", error=str(error))
            return replace(active, is_unsure=True), self._ports.clock() + POLL_SECONDS
        except ClusterError as error:
            log.warning("pass failed, trying again", error=str(error))
            return replace(active, is_unsure=True), self._ports.clock() + max(RETRY_SECONDS, error.retry_after)
        except Exception:
            log.exception("pass failed by a defect of ours, trying again")
            self._telemetry.health.defect()
            return replace(active, is_unsure=True), self._ports.clock() + DEFECT_SECONDS

    def _reloaded(self, active: Active) -> Active:
        """Return the run as its record says now; as it was where that is gone, garbled or another's.

        Raises:
            ClusterError: the API server did not answer.
        """
        sure = replace(active, is_unsure=False)
        try:
            record = records.load(self._ports.cluster, active.run.namespace, active.run.name)
        except records.Garbled as error:
            log.warning("the run's record cannot be read, going on with what is known", error=str(error))
            return sure
        if record is None or record.run.uid != active.run.uid:
            return sure
        return replace(sure, record=replace(record, story=active.record.story))

    def _end(self, key: Key, last: Active | None) -> None:
        """Forget a run that is over, or gone with its Deployment, and look for the user's next wish."""
        before = self._forget(key)
        if last is not None:
            self._telemetry.count(last.run)
        self.request(key, before_next(before))

    def _let_go(self, key: Key) -> None:
        run = self._forget(key)
        log.info("another replica goes on with the run", namespace=key[0], deployment=key[1], run=run.name)

    def _forget(self, key: Key) -> Run:
        with self._lock:
            run = self._active.pop(key).run
        self._agenda.drop(key)
        self._telemetry.show(key, None)
        self._ports.reader.forget(pair(run))
        self._ports.webhooks.forget(run)
        self._ports.notifications.forget(run)
        return run


def _is_to_be_told(error: Exception, deployment: Document) -> bool:
    """Whether nothing but what people do will help; a canary that they brought is looked at again all the same."""
    if isinstance(error, ClusterError) and annotations.BASELINE in annotations.of(deployment):
        return False
    return isinstance(error, StillChanging | Taken) or (isinstance(error, ClusterError) and error.status in REFUSED)


def _can_go_on(active: Active) -> bool:
    """Whether the run is as its record says, so that it is known which of its samples count."""
    return not active.is_unsure and not active.run.ended


def next_pass(run: Run, now: float) -> float:
    """Return when the next pass is due, seconds since the epoch: with the next tick while samples come, else soon."""
    tick = run.policy.tick_seconds
    next_tick = (math.floor(now / tick) + 1) * tick + SAMPLE_LAG
    # New pods of a rolling update come when they like: samples stop in the tick in which a cold one is there.
    gathering = not run.ended and stage_of(run).samples and run.rolling is None
    return next_tick if gathering else min(next_tick, now + max(POLL_SECONDS, POLL_SHARE * (now - run.stage_since)))

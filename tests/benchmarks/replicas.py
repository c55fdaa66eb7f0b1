"""`make chaos-replicas`: three replicas of the service share many rollouts and are killed and frozen at random.

Every rollout has to end as it should, once, whoever worked on it; no two replicas may work on one at a time; what a
replica had must be taken over within the lease's length and a tick.
"""

import argparse
import random
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from rig.outcomes import runs, violations
from rig.service import Service
from rig.traffic import Traffic, prometheus
from rig.world import HOME, IMAGE, Key, World, Write, app_of, world

from canary_analyzer.service.claims import FENCE

LEASE_SECONDS, TICK_SECONDS = 5.0, 2.0
STARTS_PER_SECOND = 4.0
PATIENCE_SECONDS = 900.0
PROFILE = {
    "tick_seconds": TICK_SECONDS,
    "settle_seconds": TICK_SECONDS,
    "steps": [{"weight": 20, "seconds": 12, "requests": 60}, {"weight": 50, "seconds": 12, "requests": 200}],
    "on_inconclusive": "promote",
    "deadline_seconds": 3600,
}
TAKEN_UP = "run taken up"
ENDED = ("Succeeded", "Aborted", "Refused")


@dataclass(frozen=True, kw_only=True)
class Blow:
    """What happened to a replica: killed, or frozen for some seconds; in seconds since the epoch."""

    at: float
    replica: str
    frozen: float = 0.0


@dataclass(kw_only=True)
class Fleet:
    """The replicas; one that was killed is replaced under another name, as a Deployment does."""

    place: World
    folder: Path
    prometheus_url: str
    rng: random.Random
    live: list[Service] = field(default_factory=list)
    all: list[Service] = field(default_factory=list)
    blows: list[Blow] = field(default_factory=list)

    def come(self) -> None:
        name = f"replica-{len(self.all) + 1}"
        config = {
            "prometheus": {"url": self.prometheus_url},
            "profiles": {"standard": PROFILE},
            "replicas": {"namespace": HOME, "lease_seconds": LEASE_SECONDS},
        }
        service = Service(self.folder, name, self.place.kubeconfig(name), config)
        self.live.append(service)
        self.all.append(service)

    def kill(self) -> None:
        victim = self.live.pop(self.rng.randrange(len(self.live)))
        self.blows.append(Blow(at=time.time(), replica=victim.name))
        victim.kill()
        self.come()

    def freeze(self) -> None:
        victim, seconds = self.rng.choice(self.live), LEASE_SECONDS * self.rng.uniform(0.3, 2.5)
        self.blows.append(Blow(at=time.time(), replica=victim.name, frozen=seconds))
        victim.freeze()
        time.sleep(seconds)
        victim.thaw()


def main() -> None:
    """Run it and print what came of it; the exit code tells whether all is well."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rollouts", type=int, default=200)
    arguments.add_argument("--blows", type=int, default=5, help="kills, and as many pauses")
    arguments.add_argument("--seed", type=int, default=int(time.time()))
    given = arguments.parse_args()
    print(f"seed {given.seed}")
    apps = [app_of(number) for number in range(given.rollouts)]
    bad = set(apps[::5])
    with tempfile.TemporaryDirectory() as name, world(Path(name)) as place:
        traffic = Traffic(apps)
        for key in apps:
            place.add(key)
        for key in bad:
            traffic.spoil(key)
        with prometheus(place.cluster, traffic, Path(name), scrape_seconds=1) as url:
            fleet = Fleet(place=place, folder=Path(name), prometheus_url=url, rng=random.Random(given.seed))
            try:
                wrong = _played(fleet, apps, bad, given.blows)
            finally:
                for service in fleet.live:
                    service.stop()
    print("\n".join(wrong) or "0 violations")
    raise SystemExit(bool(wrong))


def _played(fleet: Fleet, apps: list[Key], bad: set[Key], blows: int) -> list[str]:
    for _ in range(3):
        fleet.come()
    waiting = list(apps)
    deeds = [fleet.kill, fleet.freeze] * blows
    fleet.rng.shuffle(deeds)
    pause = len(apps) / STARTS_PER_SECOND / (len(deeds) + 1)
    for deed in [*deeds, lambda: None]:
        end = time.monotonic() + pause
        while waiting and time.monotonic() < end:
            fleet.place.annotate(waiting.pop(0), image=f"{IMAGE}:v2")
            time.sleep(1 / STARTS_PER_SECOND)
        deed()
    for key in waiting:
        fleet.place.annotate(key, image=f"{IMAGE}:v2")
    _until_ended(fleet.place, len(apps))
    taken = _takeovers(fleet)
    print(f"{len(apps)} rollouts, {blows} kills, {blows} pauses; {len(taken)} runs changed hands by them")
    allowed = LEASE_SECONDS + TICK_SECONDS
    if taken:
        median = sorted(taken)[len(taken) // 2]
        print(f"taken over after {median:.1f} s (median), {max(taken):.1f} s at most; allowed {allowed:g} s")
    late = [f"a run was taken over after {seconds:.1f} s" for seconds in taken if seconds > allowed]
    wrong = [each for key in apps for each in violations(fleet.place, key, "v2", key in bad)]
    return [*wrong, *late, *_doubles(fleet.place.writes.all)]


def _until_ended(place: World, count: int) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while sum(all(run["phase"] in ENDED for run in each) for each in runs(place).values()) < count:
        if time.monotonic() > end:
            return  # what has not ended is a violation
        time.sleep(1)
    time.sleep(2 * TICK_SECONDS)


def _takeovers(fleet: Fleet) -> list[float]:
    """Return after how many seconds each run that a dead or long frozen replica had was taken up by another."""
    taken_up = sorted(
        (datetime.fromisoformat(line["timestamp"]).timestamp(), service.name, line["run"])
        for service in fleet.all
        for line in service.lines()
        if line["event"] == TAKEN_UP
    )
    found = []
    for blow in fleet.blows:
        if 0 < blow.frozen < LEASE_SECONDS:
            continue
        last = {run: replica for at, replica, run in taken_up if at < blow.at}
        for at, replica, run in taken_up:
            if blow.at < at < blow.at + 4 * LEASE_SECONDS and last.get(run) == blow.replica != replica:
                found.append(at - blow.at)
                del last[run]
    return found


def _doubles(writes: list[Write]) -> Iterator[str]:
    """Yield where a replica wrote again to what another had just written to: it can only come back after a wait."""
    by_app: dict[Key, list[Write]] = {}
    for write in writes:
        by_app.setdefault(write.app, []).append(write)
    for app, each in by_app.items():
        for number, write in enumerate(each[1:], start=1):
            before = [earlier for earlier in each[:number] if write.at - earlier.at < FENCE * LEASE_SECONDS]
            others = [earlier for earlier in before if earlier.replica != write.replica]
            if others and any(earlier.replica == write.replica and earlier.at < others[-1].at for earlier in before):
                yield f"{'/'.join(app)}: {write.replica} and {others[-1].replica} wrote by turns at {write.at:.1f}"


if __name__ == "__main__":
    main()

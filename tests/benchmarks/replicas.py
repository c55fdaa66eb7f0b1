"""`make chaos-replicas`: three replicas of the service share many rollouts and are killed and frozen at random.

Every rollout has to end as it should, once, whoever worked on it; no two replicas may work on one at a time; all that a
replica had must be taken over within the lease's length and a tick, and it must have had something. No route may ever
have weights that are not 100 together, and no replica a defect.
"""

import argparse
import random
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from rig.outcomes import ENDED, defects, runs, violations
from rig.service import Service
from rig.takeovers import Blow, TakenUp, Takeover, late, takeovers
from rig.traffic import Traffic, prometheus
from rig.world import HOME, IMAGE, Key, World, Write, app_of, world

from canary_analyzer.service.claims import FENCE

LEASE_SECONDS, TICK_SECONDS = 5.0, 2.0
TAKEOVER_SECONDS = LEASE_SECONDS + TICK_SECONDS
"""Within which what a replica had is taken over."""
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
                _played(fleet, apps, given.blows)
                wrong = [*_wrong(fleet, apps, bad), *traffic.wrong]
            finally:
                for service in fleet.live:
                    service.stop()
    print("\n".join(wrong) or "0 violations")
    raise SystemExit(bool(wrong))


def _played(fleet: Fleet, apps: list[Key], blows: int) -> None:
    for _ in range(3):
        fleet.come()
    waiting = list(apps)
    deeds = [fleet.kill, fleet.freeze] * blows
    fleet.rng.shuffle(deeds)
    pause = max(len(apps) / STARTS_PER_SECOND / (len(deeds) + 1), LEASE_SECONDS)  # a blow is to meet runs
    for deed in [*deeds, lambda: None]:
        end = time.monotonic() + pause
        while waiting and time.monotonic() < end:
            fleet.place.annotate(waiting.pop(0), image=f"{IMAGE}:v2")
            time.sleep(1 / STARTS_PER_SECOND)
        time.sleep(max(0.0, end - time.monotonic()))
        deed()
    for key in waiting:
        fleet.place.annotate(key, image=f"{IMAGE}:v2")
    _until_ended(fleet.place, len(apps))


def _wrong(fleet: Fleet, apps: list[Key], bad: set[Key]) -> Iterator[str]:
    """Print how runs changed hands, and yield all that is not as it should be."""
    found = _takeovers(fleet)
    print(f"{len(apps)} rollouts; {'; '.join(map(str, fleet.blows))}")
    if found:
        seconds = sorted(each.seconds for each in found)
        print(f"{len(found)} runs lost their replica, and were taken over after", end=" ")
        print(f"{seconds[len(found) // 2]:.1f} s (median), {seconds[-1]:.1f} s at most; allowed {TAKEOVER_SECONDS:g} s")
    yield from late(found, TAKEOVER_SECONDS)
    for key in apps:
        yield from violations(fleet.place, key, "v2", key in bad)
    yield from _doubles(fleet.place.writes)
    for service in fleet.all:
        yield from defects(service)


def _until_ended(place: World, count: int) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while sum(all(run["phase"] in ENDED for run in each) for each in runs(place).values()) < count:
        if time.monotonic() > end:
            return  # what has not ended is a violation
        time.sleep(1)
    time.sleep(2 * TICK_SECONDS)


def _takeovers(fleet: Fleet) -> list[Takeover]:
    """Return what became of each run whose replica was killed, or frozen for long."""
    taken_up = [
        TakenUp(at=datetime.fromisoformat(line["timestamp"]).timestamp(), replica=service.name, run=line["run"])
        for service in fleet.all
        for line in service.lines()
        if line["event"] == TAKEN_UP
    ]
    known = (run for each in runs(fleet.place).values() for run in each)
    ended = {run["name"]: run["timeline"][-1]["at"] for run in known if run["phase"] in ENDED}
    return list(takeovers(fleet.blows, taken_up, ended, TAKEOVER_SECONDS))


def _doubles(writes: Sequence[Write]) -> Iterator[str]:
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

"""`make soak MINUTES=20`: rollouts come and go at random; memory and file descriptors of the service must stay flat.

For a third of the time all apps are rolled out at once, again and again: what the greatest load needs a process goes on
to hold, and by then every app has all the records that are kept. What it holds more later on, under less load, has
leaked. What is given back meanwhile may hide a leak of some MB per hour, but none that would end a pod within a day.
That is fitted by a line over the last two thirds of the time; the line's slope is printed with its 95 %
interval. It is flat where the interval reaches down to what a day would not show; where it is so wide that what would
end a pod within a day could be missed, nothing can be told. Rollouts must have ended, each as it should, once.
"""

import argparse
import random
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from rig.growth import Limits, Slope
from rig.outcomes import ENDED, defects, repeated, runs, violations
from rig.service import Service
from rig.traffic import Traffic, prometheus
from rig.world import IMAGE, Key, World, app_of, world

TICK_SECONDS = 2.0
PROFILE = {
    "tick_seconds": TICK_SECONDS,
    "settle_seconds": TICK_SECONDS,
    "steps": [{"weight": 20, "seconds": 8, "requests": 60}, {"weight": 50, "seconds": 8, "requests": 200}],
    "on_inconclusive": "promote",
    "start_seconds": 120,
    "deadline_seconds": 600,
}
SAMPLE_SECONDS = 5.0
PATIENCE_SECONDS = 300.0
LIMITS = {"memory, MB": Limits(flat=2.0, fatal=30.0), "file descriptors": Limits(flat=2.0, fatal=40.0)}
"""Growth per hour. From the 160 MB that this takes, a pod would be at the chart's limit of 512 MiB in half a day; a
process may often open 1024 files. Samples lie some 1 MB about their line: of 20 minutes an interval is about 5 MB wide.
"""


@dataclass(kw_only=True)
class Apps:
    """The apps, what each is being rolled out to, and what went wrong."""

    place: World
    traffic: Traffic
    keys: list[Key]
    rng: random.Random
    versions: dict[Key, int] = field(default_factory=dict)
    bad: dict[Key, bool] = field(default_factory=dict)
    under_way: set[Key] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)
    ended: int = 0

    def begin(self) -> None:
        """Ask for a rollout of an app that has none."""
        key = self.rng.choice([key for key in self.keys if key not in self.under_way])
        self.versions[key] = self.versions.get(key, 1) + 1
        self.bad[key] = self.rng.random() < 0.3
        self.traffic.spoil(key, 0.3 if self.bad[key] else 0.002)
        self.place.annotate(key, image=f"{IMAGE}:v{self.versions[key]}")
        self.under_way.add(key)

    def look(self) -> None:
        """Note what has ended, and how."""
        known = runs(self.place)
        for key in list(self.under_way):
            last = known.get(key, [{}])[-1]
            trigger = f"{IMAGE}:v{self.versions[key]}"
            if last.get("trigger") == trigger and last["phase"] in ENDED:
                self.wrong += violations(self.place, key, f"v{self.versions[key]}", self.bad[key])
                self.under_way.remove(key)
                self.ended += 1


def main() -> None:
    """Run it and print slopes and violations; the exit code tells whether all is well."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--minutes", type=float, default=20)
    arguments.add_argument("--apps", type=int, default=60)
    arguments.add_argument("--seed", type=int, default=int(time.time()))
    given = arguments.parse_args()
    print(f"seed {given.seed}")
    keys = [app_of(number) for number in range(given.apps)]
    with tempfile.TemporaryDirectory() as name, world(Path(name)) as place:
        traffic = Traffic(keys)
        for key in keys:
            place.add(key)
        with prometheus(place.cluster, traffic, Path(name), scrape_seconds=1) as url:
            config = {"prometheus": {"url": url}, "profiles": {"standard": PROFILE}}
            service = Service(Path(name), "service", place.kubeconfig("service"), config)
            apps = Apps(place=place, traffic=traffic, keys=keys, rng=random.Random(given.seed))
            try:
                samples = list(_played(service, apps, 60 * given.minutes))
                apps.wrong += [*defects(service), *repeated(place), *traffic.wrong]
            finally:
                service.stop()
    apps.wrong += [f"{'/'.join(key)}: v{apps.versions[key]} did not end" for key in apps.under_way]
    apps.wrong += _slopes(np.array(samples))
    apps.wrong += [] if apps.ended else ["no rollout ended: nothing was tried"]
    print(f"{apps.ended} rollouts ended in {given.minutes:g} minutes")
    print("\n".join(apps.wrong) or "0 violations")
    raise SystemExit(bool(apps.wrong))


def _played(service: Service, apps: Apps, seconds: float) -> Iterator[tuple[float, float, float]]:
    """Let rollouts come and go, first all apps, then up to half of them at once; yield time, memory and descriptors."""
    start = time.monotonic()
    while (now := time.monotonic() - start) < seconds:
        wanted = len(apps.keys) if now < seconds / 3 else apps.rng.randrange(len(apps.keys) // 2)
        while len(apps.under_way) < wanted:
            apps.begin()
        yield now, service.rss_bytes() / 1e6, service.descriptors()
        time.sleep(SAMPLE_SECONDS)
        apps.look()
    end = time.monotonic() + PATIENCE_SECONDS
    while apps.under_way and time.monotonic() < end:
        time.sleep(SAMPLE_SECONDS)
        apps.look()


def _slopes(samples: np.ndarray) -> Iterator[str]:
    settled = samples[len(samples) // 3 :]
    for column, (name, limits) in enumerate(LIMITS.items(), start=1):
        held = settled[:, column]
        slope = Slope.of(settled[:, 0] / 3600, held)
        print(f"{name}: {held.mean():.1f}, {slope.per_hour:+.2f} per hour ({slope.low:+.2f} to {slope.high:+.2f})")
        if mistake := slope.mistake(limits):
            yield f"{name}: {mistake}"


if __name__ == "__main__":
    main()

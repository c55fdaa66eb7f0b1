"""`make bench-scale N=1000`: what many rollouts at once cost, on the API emulator and a real Prometheus.

The apps are synthetic: no pods, but a controller that says that they are rolled out, and an exporter that counts the
requests of both arms as their VirtualServices split them (44 series and 25 labels for each rollout, as Istio has them).
First nothing is asked for: so many idle Deployments may cost no request that a few do not. Then all rollouts are begun,
at a bounded rate, and watched while they analyse at one weight. What a rollout may cost has bars (rig/bars.py), printed
behind the figures in brackets; exit code 1 where one is missed. What the API server has of one rollout from its
beginning to its end is told without a bar, and so is what one tick costs the judge alone: how fast the machine is.
"""

import argparse
import math
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from cost import row as cost_of
from rig.bars import bars, growth, lines, missed, quantile
from rig.outcomes import ENDED, runs
from rig.service import Service
from rig.traffic import Traffic, prometheus
from rig.world import IMAGE, READS, World, app_of, world

from canary_analyzer.cluster.client import CONFIGMAPS

TICK_SECONDS = 10.0
STARTS_PER_SECOND = 15.0
PATIENCE_SECONDS = 900.0
FEW = 5
"""Apps to compare many idle ones with, and to roll out from beginning to end."""
IDLE_TICKS = 4
"""So soon after the start that nothing is listed or watched anew; each look at everything is as the first."""
PROFILE = {
    "tick_seconds": TICK_SECONDS,
    "settle_seconds": TICK_SECONDS,
    "steps": [{"weight": 20, "seconds": 20_000, "requests": 100}],
    "deadline_seconds": 30_000,
}
WHOLE = PROFILE | {
    "steps": [{"weight": 20, "seconds": 30, "requests": 100}, {"weight": 50, "seconds": 30, "requests": 100}],
    "on_inconclusive": "promote",
}
LAG = "canary_analyzer_tick_lag_seconds"


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What has been used up to a moment."""

    at: float
    cpu: float
    queries: float
    requests: dict[str, int]
    lag: dict[float, float]
    """Passes by how late they began at most, in seconds, cumulative."""

    @classmethod
    def of(cls, service: Service, place: World, prometheus_url: str) -> "Reading":
        metrics = service.metrics()
        return cls(
            at=time.monotonic(),
            cpu=service.cpu_seconds(),
            queries=_queries(prometheus_url),
            requests=place.requests(),
            lag={float(labels[0]): value for (name, *labels), value in metrics.items() if name == f"{LAG}_bucket"},
        )


def _queries(url: str) -> float:
    lines = requests.get(f"{url}/metrics", timeout=10).text.splitlines()
    wanted = 'prometheus_http_request_duration_seconds_count{handler="/api/v1/query"}'
    return sum(float(line.split()[-1]) for line in lines if line.startswith(wanted))


@dataclass(frozen=True, kw_only=True)
class Rig:
    """A service, the world that it works in, and a Prometheus."""

    place: World
    service: Service
    prometheus_url: str

    def reading(self) -> Reading:
        return Reading.of(self.service, self.place, self.prometheus_url)


@contextmanager
def _rig(apps: list[tuple[str, str]], profile: dict[str, Any]) -> Iterator[Rig]:
    with tempfile.TemporaryDirectory() as name, world(Path(name)) as place:
        traffic = Traffic(apps)
        for key in apps:
            place.add(key)
        with prometheus(place.cluster, traffic, Path(name)) as url:
            config = {"prometheus": {"url": url}, "profiles": {"standard": profile}}
            service = Service(Path(name), "service", place.kubeconfig("service"), config)
            try:
                yield Rig(place=place, service=service, prometheus_url=url)
            finally:
                service.stop()


def main() -> None:
    """Measure each size and print a table; the exit code tells whether all bars are met."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rollouts", type=int, default=1000, help=f"the largest number, more than {FEW}")
    arguments.add_argument("--ticks", type=int, default=12, help="over which is measured")
    arguments.add_argument("--only", action="store_true", help="this number alone, without the smaller ones")
    given = arguments.parse_args()
    if given.rollouts <= FEW:
        arguments.error(f"--rollouts: more than {FEW} are needed, with which idle ones are compared")
    smaller = [] if given.only else [size for size in (10, 100, 1000) if size < given.rollouts]
    print(f"the judge alone, on this machine: {cost_of('sequential')[1]} ms of processor for a tick with its verdict")
    few_idle = _few()
    columns = {size: _measured(size, given.ticks, few_idle) for size in [*smaller, given.rollouts]}
    known = bars(TICK_SECONDS)
    print("\n".join(lines(columns, known)))
    if len(columns) > 1:
        print(growth(columns, "Prometheus queries / tick"))
    wrong = [each for size, figures in columns.items() for each in missed(size, figures, known)]
    print("\n".join(wrong) or "all bars are met")
    raise SystemExit(bool(wrong))


def _few() -> int:
    """Return the requests that a few idle apps cost; print what the rollouts of these cost, from beginning to end."""
    apps = [app_of(number) for number in range(FEW)]
    with _rig(apps, WHOLE) as rig:
        idle = _idle(rig)
        before = rig.place.requests()
        _start(rig.place, apps)
        _until(lambda: _ended(rig.place), FEW, "ended")
        reads, writes = _reads_and_writes(before, rig.place.requests())
    print(f"a whole rollout of two steps: {reads / FEW:.1f} API reads, {writes / FEW:.1f} API writes")
    return idle


def _idle(rig: Rig) -> int:
    """Return how many requests the service made from its start on while nothing was asked of it."""
    time.sleep(IDLE_TICKS * TICK_SECONDS)
    made = sum(rig.place.requests().values())
    if not made:
        raise SystemExit("the service did not even list what there is: nothing can be measured")
    return made


def _measured(size: int, ticks: int, few_idle: int) -> dict[str, float]:
    apps = [app_of(number) for number in range(size)]
    with _rig(apps, PROFILE) as rig:
        idle, base = _idle(rig) - few_idle, rig.service.rss_bytes()
        _start(rig.place, apps)
        _until(lambda: _analysing(rig.place), size, "came to their weight")
        time.sleep(3 * TICK_SECONDS)
        before = rig.reading()
        time.sleep(ticks * TICK_SECONDS)
        figures = _figures(size, before, rig.reading())
        rss = rig.service.rss_bytes() - base
    memory = {"RSS above idle, MB": rss / 1e6, "RSS / rollout, kB": rss / 1e3 / size}
    return {"requests, all idle": idle, **figures, **memory}


def _start(place: World, apps: list[tuple[str, str]]) -> None:
    for key in apps:
        place.annotate(key, image=f"{IMAGE}:v2")
        time.sleep(1 / STARTS_PER_SECOND)


def _until(count: Callable[[], int], wanted: int, what: str) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while (found := count()) < wanted:
        if time.monotonic() > end:
            raise SystemExit(f"only {found} of {wanted} rollouts {what}")
        time.sleep(2)


def _ended(place: World) -> int:
    return sum(run["phase"] in ENDED for each in runs(place).values() for run in each)


def _analysing(place: World) -> int:
    records = place.cluster.list(CONFIGMAPS, labels="canary-analyzer.io/active=true").items
    return sum('"stage":"analyse"' in record["data"]["run.json"] for record in records)


def _reads_and_writes(before: Mapping[str, int], after: Mapping[str, int]) -> tuple[int, int]:
    made = {verb: count - before.get(verb, 0) for verb, count in after.items()}
    reads = sum(count for verb, count in made.items() if verb in READS)
    return reads, sum(made.values()) - reads


def _figures(size: int, before: Reading, after: Reading) -> dict[str, float]:
    ticks = (after.at - before.at) / TICK_SECONDS
    reads, writes = _reads_and_writes(before.requests, after.requests)
    lag = {bound: count - before.lag.get(bound, 0.0) for bound, count in after.lag.items()}
    return {
        "Prometheus queries / tick": (after.queries - before.queries) / math.ceil(ticks),  # as many can begin
        "API reads / rollout-tick": reads / ticks / size,
        "API writes / rollout-tick": writes / ticks / size,
        "requests / rollout-tick": (reads + writes) / ticks / size,
        "CPU ms / rollout-tick": 1000 * (after.cpu - before.cpu) / ticks / size,
        "passes left out, share": max(0.0, 1 - max(lag.values(), default=0.0) / ticks / size),
        "lag p50 s, at most": quantile(lag, 0.5),
        "lag p99 s, at most": quantile(lag, 0.99),
    }


if __name__ == "__main__":
    main()

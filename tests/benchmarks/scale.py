"""`make bench-scale N=1000`: what many rollouts at once cost, on the API emulator and a real Prometheus.

The apps are synthetic: no pods, but a controller that says that they are rolled out, and an exporter that counts the
requests of both arms as their VirtualServices split them (44 series and 25 labels for each rollout, as Istio has them).
All rollouts are begun, at a bounded rate, and then watched while they analyse at one weight.
"""

import argparse
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import requests
from rig.service import Service
from rig.traffic import Traffic, prometheus
from rig.world import IMAGE, READS, World, app_of, world

from canary_analyzer.cluster.client import CONFIGMAPS

TICK_SECONDS = 10.0
STARTS_PER_SECOND = 15.0
PATIENCE_SECONDS = 900.0
PROFILE = {
    "tick_seconds": TICK_SECONDS,
    "settle_seconds": TICK_SECONDS,
    "steps": [{"weight": 20, "seconds": 20_000, "requests": 100}],
    "deadline_seconds": 30_000,
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


def main() -> None:
    """Measure each size and print a table."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rollouts", type=int, default=1000, help="the largest number")
    arguments.add_argument("--ticks", type=int, default=12, help="over which is measured")
    arguments.add_argument("--only", action="store_true", help="this number alone, without the smaller ones")
    given = arguments.parse_args()
    smaller = [] if given.only else [size for size in (10, 100, 1000) if size < given.rollouts]
    sizes = [*smaller, given.rollouts]
    print(f"{'rollouts':>26}" + "".join(f"{size:>10}" for size in sizes))
    rows = [_measured(size, given.ticks) for size in sizes]
    for name in rows[0]:
        print(f"{name:>26}" + "".join(f"{row[name]:>10}" for row in rows))


def _measured(size: int, ticks: int) -> dict[str, str]:
    apps = [app_of(number) for number in range(size)]
    with tempfile.TemporaryDirectory() as name, world(Path(name)) as place:
        traffic = Traffic(apps)
        for key in apps:
            place.add(key)
        with prometheus(place.cluster, traffic, Path(name)) as url:
            config = {"prometheus": {"url": url}, "profiles": {"standard": PROFILE}}
            service = Service(Path(name), "service", place.kubeconfig("service"), config)
            try:
                base = service.rss_bytes()
                _start(place, apps)
                _until_analysing(place, size)
                time.sleep(3 * TICK_SECONDS)
                before = Reading.of(service, place, url)
                time.sleep(ticks * TICK_SECONDS)
                after = Reading.of(service, place, url)
                return _row(size, before, after, service.rss_bytes() - base)
            finally:
                service.stop()


def _start(place: World, apps: list[tuple[str, str]]) -> None:
    for key in apps:
        place.annotate(key, image=f"{IMAGE}:v2")
        time.sleep(1 / STARTS_PER_SECOND)


def _until_analysing(place: World, size: int) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while (count := _analysing(place)) < size:
        if time.monotonic() > end:
            raise SystemExit(f"only {count} of {size} rollouts came to their weight")
        time.sleep(2)


def _analysing(place: World) -> int:
    records = place.cluster.list(CONFIGMAPS, labels="canary-analyzer.io/active=true").items
    return sum('"stage":"analyse"' in record["data"]["run.json"] for record in records)


def _row(size: int, before: Reading, after: Reading, rss: int) -> dict[str, str]:
    ticks = (after.at - before.at) / TICK_SECONDS
    counts = {verb: count - before.requests.get(verb, 0) for verb, count in after.requests.items()}
    reads = sum(count for verb, count in counts.items() if verb in READS)
    writes = sum(counts.values()) - reads
    lag = {bound: count - before.lag.get(bound, 0.0) for bound, count in after.lag.items()}
    return {
        "Prometheus queries / tick": f"{(after.queries - before.queries) / ticks:.1f}",
        "API reads / tick": f"{reads / ticks:.1f}",
        "API writes / tick": f"{writes / ticks:.1f}",
        "requests / rollout-tick": f"{(reads + writes) / ticks / size:.3f}",
        "CPU ms / rollout-tick": f"{1000 * (after.cpu - before.cpu) / ticks / size:.2f}",
        "passes / rollout-tick": f"{max(lag.values()) / ticks / size:.2f}",
        "lag p50 s, at most": f"{_quantile(lag, 0.5):g}",
        "lag p99 s, at most": f"{_quantile(lag, 0.99):g}",
        "RSS above idle, MB": f"{rss / 1e6:.1f}",
        "RSS / rollout, kB": f"{rss / 1e3 / size:.0f}",
    }


def _quantile(cumulative: dict[float, float], share: float) -> float:
    total = max(cumulative.values())
    return next(bound for bound, count in sorted(cumulative.items()) if count >= share * total)


if __name__ == "__main__":
    main()

"""The requests of the app's users, as the routes send them, and what Prometheus knows of them."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise

import numpy as np

from canary_analyzer.analysis import ArmCounts
from canary_analyzer.metrics import Counts, MetricsUnavailable, Pair, Workload
from canary_analyzer.metrics.counts import ISTIO_EDGES_MS

REQUESTS_PER_SECOND = 200


class Quality(Enum):
    """How the new version fares, and what can be known of it."""

    GOOD = "good"
    BAD = "bad"
    SILENT = "nobody calls"
    UNKNOWN = "Prometheus is down"


@dataclass(frozen=True, kw_only=True)
class Moment:
    """From when on, which share each workload (and each set of pods, by its hash) had of the requests."""

    at: float
    shares: Mapping[str, float]
    quality: Quality


class Traffic:
    """What has happened, so that whoever asks again after a restart hears the same."""

    def __init__(self) -> None:
        self._moments: list[Moment] = []

    def note(self, moment: Moment) -> None:
        """Let this hold from its time on."""
        self._moments.append(moment)

    def at(self, time: float) -> Moment:
        """Return what held then."""
        index = bisect_right(self._moments, time, key=lambda moment: moment.at)
        return self._moments[max(0, index - 1)]

    def qualities(self, since: float, until: float) -> set[Quality]:
        """Return how the new version has fared in a stretch of time."""
        within = {moment.quality for moment in self._moments if since <= moment.at <= until}
        return {self.at(since).quality, *within}


class ScriptedReader:
    """What the service has for a `SampleReader`: counts that follow from the traffic, now and after a restart alike."""

    def __init__(self, traffic: Traffic) -> None:
        self._traffic = traffic

    def follow(self, pair: Pair, start: float) -> None:
        """Begin to read."""
        self._refuse_unknown(start)

    def collect(self, pair: Pair, boundaries: Sequence[float]) -> Counts:
        """Return what both arms counted in each interval."""
        self._refuse_unknown(boundaries[-1])
        middles = [(since + until) / 2 for since, until in pairwise(boundaries)]
        seconds = boundaries[1] - boundaries[0]
        moments = [self._traffic.at(middle) for middle in middles]
        return Counts(
            edges_ms=np.array(ISTIO_EDGES_MS, dtype=float),
            canary=_arm([_requests(moment, pair.canary, seconds) for moment in moments], _errors(moments)),
            baseline=_arm([_requests(moment, pair.baseline, seconds) for moment in moments], [0.0] * len(moments)),
        )

    def forget(self, pair: Pair) -> None:
        """Stop reading."""

    def pods(self, workload: Workload, since: float, until: float) -> frozenset[str]:
        """Know no pods."""
        return frozenset()

    def _refuse_unknown(self, time: float) -> None:
        if self._traffic.at(time).quality is Quality.UNKNOWN:
            raise MetricsUnavailable("Prometheus at http://scripted cannot be reached: connection refused")


def _requests(moment: Moment, workload: Workload, seconds: float) -> int:
    if moment.quality is Quality.SILENT:
        return 0
    names = [workload.name] if workload.pods is None else sorted(workload.pods.values)
    return round(sum(moment.shares.get(name, 0.0) for name in names) * REQUESTS_PER_SECOND * seconds)


def _errors(moments: Sequence[Moment]) -> list[float]:
    return [0.5 if moment.quality is Quality.BAD else 0.0 for moment in moments]


def _arm(requests: Sequence[int], failing: Sequence[float]) -> ArmCounts:
    counted = np.array(requests, dtype=np.int64)
    latency = np.zeros((len(counted), len(ISTIO_EDGES_MS) + 1), dtype=np.int64)
    latency[:, 4] = counted
    return ArmCounts(requests=counted, errors=(counted * np.array(failing)).astype(np.int64), latency=latency)

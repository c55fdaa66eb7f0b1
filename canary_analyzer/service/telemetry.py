"""Metrics of the active runs, made at the moment of the scrape: a run that is over leaves no series.

A scrape computes nothing: it shows what the last pass of each run has found. Labels that change with time (phase,
verdict, reason) change as rarely as the run's phase does, so that a run makes few series.
"""

import math
from collections.abc import Iterator
from threading import Lock

from prometheus_client import CollectorRegistry, Counter
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from canary_analyzer.analysis import MetricVerdict
from canary_analyzer.metrics.istio import DESTINATION
from canary_analyzer.report.words import shares
from canary_analyzer.rollout.causes import Cause
from canary_analyzer.rollout.phases import Phase
from canary_analyzer.rollout.run import Run
from canary_analyzer.rollout.texts import plain
from canary_analyzer.service.health import Health
from canary_analyzer.service.reconcile import Active
from canary_analyzer.service.samples import pair

RUN = ("namespace", "deployment", "run")
REASON_LENGTH = 200
NONE = "none"
"""In place of hashes while no pod of an arm has been seen; no pod has this one."""


class Telemetry(Collector):
    """The active runs as Prometheus series, what has become of the ended ones, and the service's own `health`.

    `reporter` is whose counts of requests are read, but for runs that compare pods of one workload.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.health = Health(registry)
        self.reporter = "source"
        self._lock = Lock()
        self._shown: dict[tuple[str, str], Active] = {}
        self._verdicts = Counter(
            "canary_analyzer_verdicts",
            "Runs by their end, and by what sent them back.",
            ["result", "cause"],
            registry=registry,
        )
        for result, cause in ((Phase.SUCCEEDED, ""), (Phase.REFUSED, ""), *((Phase.ABORTED, each) for each in Cause)):
            self._verdicts.labels(result=result, cause=cause)
        registry.register(self)

    def show(self, key: tuple[str, str], active: Active | None) -> None:
        """Publish a run as it stands; None takes it away."""
        with self._lock:
            if active is None:
                self._shown.pop(key, None)
            else:
                self._shown[key] = active

    def count(self, run: Run) -> None:
        """Count an ended run."""
        self._verdicts.labels(result=run.phase, cause=run.cause or "").inc()

    def refused(self) -> None:
        """Count a request that started nothing."""
        self._verdicts.labels(result=Phase.REFUSED, cause="").inc()

    def collect(self) -> Iterator[Metric]:
        """Yield the series of all active runs."""
        with self._lock:
            shown = list(self._shown.values())
        families = _Families(self.reporter)
        for active in shown:
            families.add(active)
        yield GaugeMetricFamily("canary_analyzer_rollouts", "Active runs of this replica.", value=len(shown))
        yield from families.all


class _Families:
    """The families of metrics that have series for each run."""

    def __init__(self, reporter: str) -> None:
        self._reporter = reporter
        self.all: list[Metric] = []
        self.phase = self._gauge("rollout_phase", "1 for the phase a run is in.", "phase")
        self.info = self._gauge("run_info", "What a run is about: always 1.", "strategy", "image", "verdict", "reason")
        self.arm = self._gauge(
            "run_arm_info",
            "Where the mesh's metrics of an arm are: always 1; `pods` is a regular expression of pod_template_hash.",
            *("arm", "workload", "pods", "reporter"),
        )
        self.weight = self._gauge(
            "weight",
            "Canary weight in percent: wanted, in the route, and observed as its share of the requests.",
            "kind",
        )
        self.evidence = self._gauge("evidence", "Evidence on the canary; 1 is the threshold.", "metric", "side")
        self.effect = self._gauge(
            "effect",
            "Effect of the canary with its 95 % interval: a difference of shares, or a ratio of times.",
            *("metric", "unit", "bound"),
        )
        self.requests = self._gauge("requests", "Requests that counted for the verdict so far.", "arm")
        self.errors = self._gauge("errors", "Failed requests that counted for the verdict so far.", "arm")
        self.deadline = self._gauge(
            "run_deadline_timestamp_seconds", "When a run goes back without a verdict; none while it waits for people."
        )
        self.reverts = CounterMetricFamily(
            "canary_analyzer_foreign_reverts", "How often somebody else put a run's weights back.", labels=RUN
        )
        self.all.append(self.reverts)

    def _gauge(self, name: str, about: str, *labels: str) -> GaugeMetricFamily:
        family = GaugeMetricFamily(f"canary_analyzer_{name}", about, labels=[*RUN, *labels])
        self.all.append(family)
        return family

    def add(self, active: Active) -> None:
        run = active.run
        labels = [run.namespace, run.deployment, run.name]
        self.phase.add_metric([*labels, run.phase], 1)
        self.info.add_metric([*labels, *_info(active)], 1)
        for arm in self._arms(run):
            self.arm.add_metric([*labels, *arm], 1)
        self.reverts.add_metric(labels, run.reverts)
        if run.deadline is not None:
            self.deadline.add_metric(labels, run.deadline)
        for kind, weight in _weights(active):
            self.weight.add_metric([*labels, kind], weight)
        self._add_counts(labels, active)
        verdict = active.judged.verdict if active.judged is not None else None
        of_shares = shares(run.policy)
        for metric in verdict.metrics if verdict is not None else ():
            self._add_metric(labels, metric, "share" if metric.name in of_shares else "ratio")

    def _arms(self, run: Run) -> Iterator[tuple[str, ...]]:
        both = pair(run)
        reporter = DESTINATION if both.by_pods else self._reporter
        for arm, workload in both.arms.items():
            pods = "|".join(sorted(workload.pods.values)) or NONE if workload.pods is not None else ".*"
            yield arm.value, workload.name, pods, reporter

    def _add_counts(self, labels: list[str], active: Active) -> None:
        totals = active.progress.totals
        self.requests.add_metric([*labels, "canary"], totals.canary_requests)
        self.requests.add_metric([*labels, "baseline"], totals.baseline_requests)
        self.errors.add_metric([*labels, "canary"], totals.canary_errors)
        self.errors.add_metric([*labels, "baseline"], totals.baseline_errors)

    def _add_metric(self, labels: list[str], metric: MetricVerdict, unit: str) -> None:
        for side, evidence in (("against", metric.evidence_against), ("for", metric.evidence_for)):
            self.evidence.add_metric([*labels, metric.name, side], evidence)
        for bound, value in (("low", metric.low), ("value", metric.effect), ("high", metric.high)):
            if math.isfinite(value):
                self.effect.add_metric([*labels, metric.name, unit, bound], value)


def _info(active: Active) -> tuple[str, ...]:
    run = active.run
    said = active.judged.verdict if active.judged is not None else None
    verdict = run.verdict or (said.decision.value if said is not None else "")
    images = ", ".join(run.images.values())
    return run.strategy, images, verdict, _cut(plain(run.reason))


def _cut(text: str) -> str:
    return text if len(text) <= REASON_LENGTH else text[: REASON_LENGTH - 1] + "…"


def _weights(active: Active) -> Iterator[tuple[str, float]]:
    yield "wanted", active.run.weight
    if active.view is not None and active.view.weight is not None:
        yield "route", active.view.weight
    share = active.judged.share if active.judged is not None else None
    if share is not None and share.total > 0:
        yield "observed", 100 * share.canary / share.total

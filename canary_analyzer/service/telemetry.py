"""Our own metrics, made from what is active at the moment of the scrape: a run that is over leaves no series."""

from collections.abc import Iterator
from threading import Lock

from prometheus_client import CollectorRegistry, Counter
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from canary_analyzer.analysis import MetricVerdict
from canary_analyzer.rollout.phases import Phase
from canary_analyzer.rollout.run import Run
from canary_analyzer.service.reconcile import Active

RUN = ("namespace", "deployment", "run")


class Telemetry(Collector):
    """The active runs as Prometheus series, and what has become of the ended ones."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._lock = Lock()
        self._shown: dict[tuple[str, str], Active] = {}
        self._verdicts = Counter("canary_analyzer_verdicts", "Ended runs by their end.", ["result"], registry=registry)
        for result in (Phase.SUCCEEDED, Phase.ABORTED):
            self._verdicts.labels(result=result)
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
        self._verdicts.labels(result=run.phase).inc()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the series of all active runs."""
        with self._lock:
            shown = list(self._shown.values())
        gauges = _Gauges()
        for active in shown:
            gauges.add(active)
        yield from gauges.families


class _Gauges:
    def __init__(self) -> None:
        self.phase = GaugeMetricFamily(
            "canary_analyzer_rollout_phase", "1 for the phase a run is in.", labels=[*RUN, "phase"]
        )
        self.weight = GaugeMetricFamily(
            "canary_analyzer_weight",
            "Canary weight in percent: wanted by us, observed in the route.",
            labels=[*RUN, "kind"],
        )
        self.evidence = GaugeMetricFamily(
            "canary_analyzer_evidence",
            "Evidence against or for the canary; 1 is the threshold.",
            labels=[*RUN, "metric", "side"],
        )
        self.effect = GaugeMetricFamily(
            "canary_analyzer_effect", "Effect of the canary with its interval.", labels=[*RUN, "metric", "bound"]
        )
        self.requests = GaugeMetricFamily(
            "canary_analyzer_requests", "Requests that counted for the verdict so far.", labels=[*RUN, "arm"]
        )
        self.errors = GaugeMetricFamily(
            "canary_analyzer_errors", "Failed requests that counted for the verdict so far.", labels=[*RUN, "arm"]
        )

    @property
    def families(self) -> tuple[GaugeMetricFamily, ...]:
        return (self.phase, self.weight, self.evidence, self.effect, self.requests, self.errors)

    def add(self, active: Active) -> None:
        run, totals = active.run, active.progress.totals
        labels = [run.namespace, run.deployment, run.name]
        self.phase.add_metric([*labels, run.phase], 1)
        self.weight.add_metric([*labels, "wanted"], run.weight)
        self.weight.add_metric([*labels, "observed"], (active.view.weight or 0) if active.view else 0)
        self.requests.add_metric([*labels, "canary"], totals.canary_requests)
        self.requests.add_metric([*labels, "baseline"], totals.baseline_requests)
        self.errors.add_metric([*labels, "canary"], totals.canary_errors)
        self.errors.add_metric([*labels, "baseline"], totals.baseline_errors)
        verdict = active.progress.verdict
        for metric in verdict.metrics if verdict is not None else ():
            self._add_metric(labels, metric)

    def _add_metric(self, labels: list[str], metric: MetricVerdict) -> None:
        self.evidence.add_metric([*labels, metric.name, "against"], metric.evidence_against)
        self.evidence.add_metric([*labels, metric.name, "for"], metric.evidence_for)
        for bound, value in (("low", metric.low), ("value", metric.effect), ("high", metric.high)):
            if value is not None:
                self.effect.add_metric([*labels, metric.name, bound], value)

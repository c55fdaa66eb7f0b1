"""What the demo reads: a status annotation, the service's own metrics, Prometheus' answers; pure."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from canary_analyzer.sandbox.demo.view import Evidence

STATUS = "canary-analyzer.io/status"


@dataclass(frozen=True, kw_only=True)
class Status:
    """What the service wrote on the Deployment; empty where it has written nothing."""

    run: str = ""
    phase: str = ""
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Progress:
    """What the service's metrics say about the active run."""

    wanted: float | None = None
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Growth:
    """How much a counter has grown while it was looked at, through restarts and absences."""

    total: float = 0.0
    last: float = 0.0

    def seen(self, value: float) -> Growth:
        """Return the growth after one more look."""
        grown = value - self.last if value >= self.last else value
        return Growth(total=self.total + grown, last=value)


def status(deployment: Mapping[str, Any]) -> Status:
    """Return the status annotation of a Deployment."""
    annotations = deployment["metadata"].get("annotations") or {}
    fields = json.loads(annotations.get(STATUS, "{}"))
    return Status(run=fields.get("run", ""), phase=fields.get("phase", ""), reason=fields.get("reason", ""))


def progress(metrics: str, deployment: str) -> Progress:
    """Return what the service's metrics (Prometheus text format) say about a Deployment's run."""
    found = Progress()
    by_metric: dict[str, Evidence] = {}
    for family in text_string_to_metric_families(metrics):
        for name, labels, value, *_ in family.samples:
            if labels.get("deployment") != deployment:
                continue
            if name == "canary_analyzer_weight" and labels["kind"] == "wanted":
                found = replace(found, wanted=value)
            if name == "canary_analyzer_evidence":
                one = by_metric.get(labels["metric"], Evidence(metric=labels["metric"]))
                by_metric[one.metric] = _with_side(one, labels["side"], value)
    return replace(found, evidence=tuple(by_metric.values()))


def _with_side(evidence: Evidence, side: str, value: float) -> Evidence:
    return replace(evidence, against=value) if side == "against" else replace(evidence, in_favour=value)


def by_workload(answer: Mapping[str, Any]) -> dict[str, float]:
    """Return the numbers of an instant vector by destination workload; what is not a number is left out."""
    found = {one["metric"]["destination_workload"]: float(one["value"][1]) for one in answer["data"]["result"]}
    return {workload: value for workload, value in found.items() if math.isfinite(value)}

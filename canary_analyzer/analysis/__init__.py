"""Is the canary worse than the baseline? Pure functions on counts: no I/O, no clock, no chance."""

from canary_analyzer.analysis.policy import ErrorTolerance, Guardrails, LatencyTolerance, Policy
from canary_analyzer.analysis.types import (
    ArmCounts,
    ArmTick,
    Decision,
    History,
    MetricState,
    MetricVerdict,
    Tick,
    Verdict,
)

__all__ = [
    "ArmCounts",
    "ArmTick",
    "Decision",
    "ErrorTolerance",
    "Guardrails",
    "History",
    "LatencyTolerance",
    "MetricState",
    "MetricVerdict",
    "Policy",
    "Tick",
    "Verdict",
]

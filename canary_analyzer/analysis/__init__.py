"""Is the canary worse than the baseline? Pure functions on counts: no I/O, no clock, no chance."""

from canary_analyzer.analysis.judges import (
    JudgeState,
    advance,
    advance_each,
    extra_edges,
    judge,
    start,
    verdict,
    verdict_each,
)
from canary_analyzer.analysis.policy import ErrorTolerance, Guardrails, LatencyTolerance, MetricRule, Policy
from canary_analyzer.analysis.rules import MannWhitneyRule, ThresholdRule
from canary_analyzer.analysis.types import (
    ArmCounts,
    ArmTick,
    Decision,
    ExtraCounts,
    History,
    Interval,
    MetricState,
    MetricVerdict,
    Tick,
    Verdict,
    ticks_of,
)

__all__ = [
    "ArmCounts",
    "ArmTick",
    "Decision",
    "ErrorTolerance",
    "ExtraCounts",
    "Guardrails",
    "History",
    "Interval",
    "JudgeState",
    "LatencyTolerance",
    "MannWhitneyRule",
    "MetricRule",
    "MetricState",
    "MetricVerdict",
    "Policy",
    "ThresholdRule",
    "Tick",
    "Verdict",
    "advance",
    "advance_each",
    "extra_edges",
    "judge",
    "start",
    "ticks_of",
    "verdict",
    "verdict_each",
]

"""Is the canary worse than the baseline? Pure functions on counts: no I/O, no clock, no chance."""

from canary_analyzer.analysis.policy import ErrorTolerance, Guardrails, LatencyTolerance, Policy
from canary_analyzer.analysis.sequential import JudgeState, advance, start
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
from canary_analyzer.analysis.verdicts import judge, verdict

__all__ = [
    "ArmCounts",
    "ArmTick",
    "Decision",
    "ErrorTolerance",
    "Guardrails",
    "History",
    "JudgeState",
    "LatencyTolerance",
    "MetricState",
    "MetricVerdict",
    "Policy",
    "Tick",
    "Verdict",
    "advance",
    "judge",
    "start",
    "verdict",
]

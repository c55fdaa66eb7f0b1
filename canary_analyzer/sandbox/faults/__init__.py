"""Faults at the level of HTTP between a client and a real API server or a real Prometheus, scripted by values.

rules = [Rule(action=CONFLICT, methods=("PATCH",), times=2), Rule(action=CutWatch(events=3), probability=0.2)]
with faulty(url, rules, seed=7) as proxy: the client talks to `proxy.url`, and `proxy.fired` says what was done.
"""

from canary_analyzer.sandbox.faults.answers import (
    ClockOff,
    Empty,
    Failed,
    HaPair,
    Huge,
    MissingBuckets,
    NotANumber,
    OtherType,
    Reset,
    Value,
    Warn,
)
from canary_analyzer.sandbox.faults.proxy import FaultProxy
from canary_analyzer.sandbox.faults.rules import (
    CONFLICT,
    GONE,
    INTERNAL,
    NO_PAGE,
    TOO_MANY,
    UNAVAILABLE,
    Drop,
    Fired,
    Refuse,
    Rule,
    Slow,
    Stale,
    Truncate,
)
from canary_analyzer.sandbox.faults.threads import faulty
from canary_analyzer.sandbox.faults.watches import CutWatch, DuplicateEvents, ExpireWatch, ReorderEvents

__all__ = [
    "CONFLICT",
    "GONE",
    "INTERNAL",
    "NO_PAGE",
    "TOO_MANY",
    "UNAVAILABLE",
    "ClockOff",
    "CutWatch",
    "Drop",
    "DuplicateEvents",
    "Empty",
    "ExpireWatch",
    "Failed",
    "FaultProxy",
    "Fired",
    "HaPair",
    "Huge",
    "MissingBuckets",
    "NotANumber",
    "OtherType",
    "Refuse",
    "ReorderEvents",
    "Reset",
    "Rule",
    "Slow",
    "Stale",
    "Truncate",
    "Value",
    "Warn",
    "faulty",
]

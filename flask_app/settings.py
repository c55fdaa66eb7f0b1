"""What the environment tells the application, parsed once at start."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

# Environment variable -> (field, parser, what is accepted).
Variables = Mapping[str, tuple[str, Callable[[str], Any], str]]


@dataclass(frozen=True, kw_only=True)
class Latency:
    """How long an answer of a healthy instance takes: lognormal, and a few that are slower."""

    median_seconds: float = 0.020
    sigma: float = 0.4
    tail_share: float = 0.01
    tail_factor: float = 3.0


@dataclass(frozen=True, kw_only=True)
class Faults:
    """What is wrong with this version; the defaults are a good one.

    `ready_after_seconds` counts from the start; `crash_unless_pod` is what the name of a pod must contain to live.
    """

    error_rate: float = 0.0
    latency_factor: float = 1.0
    tail_share: float = 0.0
    tail_factor: float = 1.0
    leak_per_1000: float = 0.0
    crash: bool = False
    never_ready: bool = False
    ready_after_seconds: float = 0.0
    crash_unless_pod: str = ""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All that a process needs to know."""

    version: str = "dev"
    pod: str = "local"
    drain_seconds: float = 0.5
    latency: Latency = field(default_factory=Latency)
    faults: Faults = field(default_factory=Faults)


def share(text: str) -> float:
    """A number from 0 to 1."""
    if not 0 <= float(text) <= 1:
        raise ValueError
    return float(text)


def at_least_zero(text: str) -> float:
    """A finite number that is not negative."""
    if not 0 <= float(text) < float("inf"):
        raise ValueError
    return float(text)


def switch(text: str) -> bool:
    """`true` or `false`."""
    return {"true": True, "false": False, "1": True, "0": False}[text.lower()]


LATENCY_VARIABLES: Variables = {
    "LATENCY_MEDIAN_SECONDS": ("median_seconds", at_least_zero, "seconds, 0 or more"),
    "LATENCY_SIGMA": ("sigma", at_least_zero, "a number, 0 or more"),
    "LATENCY_TAIL_SHARE": ("tail_share", share, "a share from 0 to 1"),
    "LATENCY_TAIL_FACTOR": ("tail_factor", at_least_zero, "a factor, 0 or more"),
}
FAULT_VARIABLES: Variables = {
    "FAULT_ERROR_RATE": ("error_rate", share, "a share from 0 to 1"),
    "FAULT_LATENCY_FACTOR": ("latency_factor", at_least_zero, "a factor, 0 or more"),
    "FAULT_TAIL_SHARE": ("tail_share", share, "a share from 0 to 1"),
    "FAULT_TAIL_FACTOR": ("tail_factor", at_least_zero, "a factor, 0 or more"),
    "FAULT_LEAK_PER_1000": ("leak_per_1000", at_least_zero, "a number, 0 or more"),
    "FAULT_CRASH": ("crash", switch, "true or false"),
    "FAULT_NEVER_READY": ("never_ready", switch, "true or false"),
    "FAULT_READY_AFTER_SECONDS": ("ready_after_seconds", at_least_zero, "seconds, 0 or more"),
    "FAULT_CRASH_UNLESS_POD": ("crash_unless_pod", str, "text"),
}
SETTING_VARIABLES: Variables = {
    "APP_VERSION": ("version", str, "text"),
    "HOSTNAME": ("pod", str, "text"),
    "DRAIN_SECONDS": ("drain_seconds", at_least_zero, "seconds, 0 or more"),
}


def from_environment(environment: Mapping[str, str]) -> Settings:
    """Parse the variables that are set.

    Raises:
        ValueError: lists every variable that cannot be understood, with its value and what is accepted.
    """
    mistakes: list[str] = []

    def values(variables: Variables) -> dict[str, Any]:
        parsed = {}
        for name in variables.keys() & environment.keys():
            target, parse, accepted = variables[name]
            try:
                parsed[target] = parse(environment[name])
            except (ValueError, KeyError):
                mistakes.append(f"{name}: {environment[name]!r} is not {accepted}")
        return parsed

    latency, faults, rest = values(LATENCY_VARIABLES), values(FAULT_VARIABLES), values(SETTING_VARIABLES)
    if mistakes:
        raise ValueError("; ".join(sorted(mistakes)))
    return Settings(latency=Latency(**latency), faults=Faults(**faults), **rest)

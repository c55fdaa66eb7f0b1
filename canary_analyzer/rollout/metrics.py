"""Metrics of the user's own: which counters of each arm are read, and what counts as worse."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, model_validator

from canary_analyzer.analysis import ErrorTolerance, LatencyTolerance, MetricRule
from canary_analyzer.rollout.fields import Settings
from canary_analyzer.rollout.templates import Template, parse

Unit = Literal["seconds", "milliseconds"]


def _a_template(text: str) -> str:
    parse(text)
    return text


Selector = Annotated[str, AfterValidator(_a_template)]
"""A selector of series as `rollout.templates` reads it."""


def _a_workload(text: str) -> str:
    if not re.fullmatch(r"([a-z0-9][a-z0-9.-]*/)?[a-z0-9][a-z0-9.-]*", text):
        raise ValueError("give the name of a workload, or namespace/name, such as istio-system/istio-ingressgateway")
    return text


Source = Annotated[str, AfterValidator(_a_workload)]
"""A calling workload, as `name` or `namespace/name`."""


class MetricQuery(Settings):
    """One metric: a pair of counters (`total` with `bad` or `good`), or a classic `histogram`, for either arm.

    Counters are read raw, as they stand in Prometheus, and the differences are made here: `increase()` guesses, and
    misses what was counted before a series' first sample.
    """

    name: str
    """How it is called in verdicts."""
    total: Selector | None = None
    """Counter of all events."""
    bad: Selector | None = None
    """Counter of those that failed."""
    good: Selector | None = None
    """Counter of those that did not; for those who have no counter of failures."""
    histogram: Selector | None = None
    """The `..._bucket` counters of a histogram."""
    unit: Unit = "seconds"
    """What the histogram's `le` is in; seconds is Prometheus' convention."""
    errors: ErrorTolerance = ErrorTolerance()
    """What counts as worse for a pair of counters."""
    latency: LatencyTolerance = LatencyTolerance()
    """What counts as worse for a histogram."""
    critical: bool = False
    """Without data for it nothing is healthy."""
    advisory: bool = False
    """It is reported and never decides."""
    share: float = 1.0
    """Its weight when the chance of a false abort is divided, where errors and latency have 1 each."""

    @model_validator(mode="after")
    def _is_one_metric(self) -> Self:
        if sorted(self.series) not in (["bad", "total"], ["good", "total"], ["histogram"]):
            given = ", ".join(self.series) or "nothing"
            raise ValueError(f"give total and bad, or total and good, or a histogram alone; given: {given}")
        fields = ("errors",) if self.histogram else ("latency", "unit")
        if unread := [name for name in fields if getattr(self, name) != type(self).model_fields[name].default]:
            raise ValueError(f"{', '.join(unread)}: a {self.rule().kind} does not use it; remove it")
        self.rule()
        return self

    @property
    def series(self) -> Mapping[str, str]:
        """The selectors that were given, by the name of their field."""
        given = {"total": self.total, "bad": self.bad, "good": self.good, "histogram": self.histogram}
        return {name: text for name, text in given.items() if text is not None}

    def templates(self) -> Mapping[str, Template]:
        """Return the selectors that were given, parsed, by the name of their field."""
        return {name: parse(text) for name, text in self.series.items()}

    def rule(self) -> MetricRule:
        """Return what the judge is told of it.

        Raises:
            ValueError: A value is out of range; all mistakes are listed.
        """
        return MetricRule(
            name=self.name,
            kind="histogram" if self.histogram else "ratio",
            tolerance=self.latency if self.histogram else self.errors,
            critical=self.critical,
            advisory=self.advisory,
            share=self.share,
        )

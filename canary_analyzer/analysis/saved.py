"""A history as a JSON document, so that what happened once can be judged again.

{"format": "canary-analyzer history 1",
 "since": 1700000000.0,                      unix seconds at which the first tick began; may be null
 "tick_seconds": 10.0,
 "edges_ms": [5.0, 10.0],                    upper edges of the latency buckets, without +Inf
 "canary":   {"requests": [90], "errors": [1], "latency": [[60, 25, 5]]},     per tick, not cumulative
 "baseline": {"requests": [10], "errors": [0], "latency": [[7, 2, 1]]},
 "extra": {"cart": {"edges_ms": null, "canary": {...}, "baseline": {...}}}}   metrics of the user's own; optional
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np

from canary_analyzer.analysis.mistakes import is_number, not_positive, refuse_all
from canary_analyzer.analysis.types import ArmCounts, ExtraCounts, History, edge_mistakes

T = TypeVar("T")

FORMAT = "canary-analyzer history 1"


@dataclass(frozen=True, kw_only=True, eq=False)
class Past:
    """A history, and when each tick began: unix seconds [T], None where nobody knows."""

    history: History
    times: tuple[float, ...] | None = None


def written(past: Past) -> dict[str, Any]:
    """Return the document."""
    history = past.history
    document = {
        "format": FORMAT,
        "times": None if past.times is None else list(past.times),
        "tick_seconds": history.tick_seconds,
        "edges_ms": history.edges_ms.tolist(),
        "canary": _written_arm(history.canary),
        "baseline": _written_arm(history.baseline),
    }
    extra = {name: _written_extra(counts) for name, counts in history.extra.items()}
    return {**document, "extra": extra} if extra else document


def read(document: object) -> Past:
    """Return what a document holds.

    Raises:
        ValueError: It is no such document, or its counts are not usable; all mistakes are listed.
    """
    if not isinstance(document, Mapping) or document.get("format") != FORMAT:
        raise ValueError(f'saved history is not usable:\n- format: give a JSON object with "format": "{FORMAT}"')
    wrong: list[str] = []
    seconds: Any = document.get("tick_seconds")
    times, edges = document.get("times"), document.get("edges_ms")
    canary, baseline = (_arm(document.get(name), f"{name}.", wrong) for name in ("canary", "baseline"))
    extra = _extra(document.get("extra") or {}, wrong)
    if canary is None or baseline is None:
        wrong += [*not_positive("tick_seconds", seconds, "seconds"), *edge_mistakes(_edges(edges))]
        history = None
    else:
        history = _made(
            lambda: History(
                tick_seconds=seconds, edges_ms=_edges(edges), canary=canary, baseline=baseline, extra=extra
            ),
            "",
            wrong,
        )
    if times is not None:
        wrong += _time_mistakes(times, history)
    refuse_all("saved history", wrong)
    assert history is not None  # else something was wrong
    return Past(history=history, times=None if times is None else tuple(times))


def _time_mistakes(times: Any, history: History | None) -> Iterator[str]:
    if not isinstance(times, Sequence) or not all(is_number(time) for time in times):
        yield f"times: value {times!r}: list unix seconds, or give null"
    elif any(later <= earlier for earlier, later in pairwise(times)):
        yield "times: not ascending: give the time at which each tick began, in order"
    elif history is not None and len(times) != history.canary.requests.size:
        yield f"times: {len(times)} values: give one per tick, {history.canary.requests.size}"


def _arm(given: Any, path: str, wrong: list[str]) -> ArmCounts | None:
    fields: Mapping[str, Any] = given if isinstance(given, Mapping) else {}
    counts = {name: fields.get(name, ()) for name in ("requests", "errors", "latency")}
    return _made(lambda: ArmCounts(**counts), path, wrong)


def _extra(given: Any, wrong: list[str]) -> dict[str, ExtraCounts]:
    if not isinstance(given, Mapping):
        wrong.append(f"extra: value {given!r}: give an object with counts by the name of their metric")
        return {}
    made = {}
    for name, counts in given.items():
        fields = counts if isinstance(counts, Mapping) else {}
        canary, baseline = (_arm(fields.get(arm), f"extra.{name}.{arm}.", wrong) for arm in ("canary", "baseline"))
        if canary is not None and baseline is not None:
            edges = fields.get("edges_ms")
            made[name] = _made(
                partial(
                    ExtraCounts,
                    edges_ms=None if edges is None else _edges(edges),
                    canary=canary,
                    baseline=baseline,
                ),
                f"extra.{name}.",
                wrong,
            )
    return {name: counts for name, counts in made.items() if counts is not None}


def _edges(given: Any) -> Any:
    """Return edges as an array; what is none is left for `edge_mistakes` to refuse."""
    return np.asarray(given if isinstance(given, Sequence) else (None,))


def _made(make: Callable[[], T], path: str, wrong: list[str]) -> T | None:
    """Return what `make` makes, or None with its mistakes, their fields behind the path, added to `wrong`."""
    try:
        return make()
    except ValueError as error:
        wrong += [path + line.removeprefix("- ") for line in str(error).splitlines()[1:]]
        return None


def _written_arm(arm: ArmCounts) -> dict[str, Any]:
    return {"requests": arm.requests.tolist(), "errors": arm.errors.tolist(), "latency": arm.latency.tolist()}


def _written_extra(counts: ExtraCounts) -> dict[str, Any]:
    return {
        "edges_ms": None if counts.edges_ms is None else counts.edges_ms.tolist(),
        "canary": _written_arm(counts.canary),
        "baseline": _written_arm(counts.baseline),
    }

"""What can be wrong with an answer of Prometheus, as functions from one answer to another.

Format: https://prometheus.io/docs/prometheus/latest/querying/api/ (`matrix` and `vector` results).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

Document = dict[str, Any]
Sample = Sequence[Any]  # [Unix seconds, value as text]


@dataclass(frozen=True, kw_only=True)
class Empty:
    """No series at all."""


@dataclass(frozen=True, kw_only=True)
class NotANumber:
    """A share of the values is NaN."""

    share: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Value:
    """All values are this one: a text, where they are as Prometheus writes them, or something else."""

    value: object


@dataclass(frozen=True, kw_only=True)
class OtherType:
    """Another type of result than was asked for, without series."""

    name: str = "vector"


@dataclass(frozen=True, kw_only=True)
class Failed:
    """An error of Prometheus' own, but with the status of a success and no series."""

    text: str = "query timed out in expression evaluation"


@dataclass(frozen=True, kw_only=True)
class HaPair:
    """Every series twice, as two servers of a pair remember it; nobody has deduplicated them."""

    label: str = "prometheus_replica"


@dataclass(frozen=True, kw_only=True)
class Warn:
    """A warning beside the data, as Thanos gives one when a store did not answer."""

    text: str = "a store did not answer in time: partial response"


@dataclass(frozen=True, kw_only=True)
class Reset:
    """Counters begin anew at this share of every range, as when their process is started again."""

    share: float = 0.5


@dataclass(frozen=True, kw_only=True)
class MissingBuckets:
    """A share of the series of histograms is not there."""

    share: float = 0.3


@dataclass(frozen=True, kw_only=True)
class ClockOff:
    """The server's clock is ahead by so many seconds (behind, when negative)."""

    seconds: float = 300.0


@dataclass(frozen=True, kw_only=True)
class Huge:
    """Every series so many times, told apart by a label: an answer of megabytes."""

    copies: int = 1000


Rewrite = Empty | NotANumber | Value | OtherType | Failed | HaPair | Warn | Reset | MissingBuckets | ClockOff | Huge


def rewritten(fault: Rewrite, answer: Document, chance: Random) -> Document:  # noqa: C901, PLR0911  (one for each fault)
    """The answer that the client gets instead of a successful one with a result."""
    series = list(answer["data"]["result"])
    match fault:
        case Empty():
            return _with_result(answer, [])
        case NotANumber():
            return _by_sample(answer, lambda sample: [sample[0], "NaN" if chance.random() < fault.share else sample[1]])
        case Value():
            return _by_sample(answer, lambda sample: [sample[0], fault.value])
        case OtherType():
            return {**answer, "data": {"resultType": fault.name, "result": []}}
        case Failed():
            return {**_with_result(answer, []), "status": "error", "errorType": "timeout", "error": fault.text}
        case HaPair():
            return _with_result(answer, [_labelled(each, fault.label, name) for each in series for name in "ab"])
        case Warn():
            return {**answer, "warnings": [fault.text]}
        case Reset():
            return _by_series(answer, lambda samples: _restarted(samples, int(len(samples) * fault.share)))
        case MissingBuckets():
            kept = (each for each in series if "le" not in each["metric"] or chance.random() >= fault.share)
            return _with_result(answer, list(kept))
        case ClockOff():
            return _by_sample(answer, lambda sample: [sample[0] + fault.seconds, sample[1]])
        case Huge():
            copies = map(str, range(fault.copies))
            return _with_result(answer, [_labelled(each, "copy", name) for name in copies for each in series])


def _restarted(samples: Sequence[Sample], turn: int) -> list[Sample]:
    """From sample number `turn` on, without what had been counted until then."""
    base = float(samples[turn - 1][1]) if turn else 0.0
    return [[time, f"{float(value) - (base if i >= turn else 0):.12g}"] for i, (time, value) in enumerate(samples)]


def _with_result(answer: Document, result: list[Document]) -> Document:
    return {**answer, "data": {**answer["data"], "result": result}}


def _labelled(series: Document, name: str, value: str) -> Document:
    return {**series, "metric": {**series["metric"], name: value}}


def _by_series(answer: Document, change: Callable[[Sequence[Sample]], list[Sample]]) -> Document:
    def changed(series: Document) -> Iterator[tuple[str, Any]]:
        if "values" in series:
            yield "values", change(series["values"])
        if "value" in series:
            yield "value", change([series["value"]])[0]

    return _with_result(answer, [{**series, **dict(changed(series))} for series in answer["data"]["result"]])


def _by_sample(answer: Document, change: Callable[[Sample], Sample]) -> Document:
    return _by_series(answer, lambda samples: [change(sample) for sample in samples])

"""One error that lists everything wrong with a value, so that nobody mends a file five times."""

import math
from collections.abc import Iterable, Iterator
from numbers import Real
from typing import Protocol, TypeGuard


class Checked(Protocol):
    """A value that can say what is wrong with it."""

    def mistakes(self) -> Iterator[str]:
        """Yield one sentence per mistake: field, value, remedy."""
        ...


def refuse(value: Checked) -> None:
    """Raise ValueError naming all mistakes of `value`, one a line; return when there are none."""
    refuse_all(type(value).__name__, value.mistakes())


def refuse_all(what: str, mistakes: Iterable[str]) -> None:
    """Raise ValueError naming all mistakes of `what`, one a line; return when there are none."""
    if found := tuple(mistakes):
        raise ValueError(f"{what} is not usable:\n" + "\n".join(f"- {mistake}" for mistake in found))


def outside(field: str, value: object, low: float, high: float) -> Iterator[str]:
    """Yield a mistake unless low < value < high (NaN is a mistake)."""
    if not (is_number(value) and low < value < high):
        yield f"{field}: value {value!r}: give a number above {low:g} and below {high:g}"


def negative(field: str, value: object) -> Iterator[str]:
    """Yield a mistake unless value is a finite number of at least 0."""
    if not (is_number(value) and value >= 0):
        yield f"{field}: value {value!r}: give a finite number of at least 0"


def not_positive(field: str, value: object, unit: str) -> Iterator[str]:
    """Yield a mistake unless value is a finite number above 0 of some `unit`."""
    if not (is_number(value) and value > 0):
        yield f"{field}: value {value!r}: give {unit} above 0"


def not_between(field: str, value: object, low: float, high: float) -> Iterator[str]:
    """Yield a mistake unless low <= value <= high."""
    if not (is_number(value) and low <= value <= high):
        yield f"{field}: value {value!r}: give a number from {low:g} to {high:g}"


def not_whole(field: str, value: object, low: int, high: int | None = None) -> Iterator[str]:
    """Yield a mistake unless value is a whole number of at least `low`, and of at most `high` where there is one."""
    if not (is_number(value) and value == int(value) and low <= value and (high is None or value <= high)):
        wanted = f"of at least {low}" if high is None else f"from {low} to {high}"
        yield f"{field}: value {value!r}: give a whole number {wanted}"


def not_among(field: str, value: object, known: tuple[str, ...]) -> Iterator[str]:
    """Yield a mistake unless value is one of the `known` words."""
    if value not in known:
        yield f"{field}: value {value!r}: give one of {', '.join(known)}"


def is_number(value: object) -> TypeGuard[float]:
    """Return whether value is a finite number."""
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)

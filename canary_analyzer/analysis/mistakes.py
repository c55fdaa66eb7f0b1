"""One error that lists everything wrong with a value, so that nobody mends a file five times."""

import math
from collections.abc import Iterator
from typing import Protocol


class Checked(Protocol):
    """A value that can say what is wrong with it."""

    def mistakes(self) -> Iterator[str]:
        """Yield one sentence per mistake: field, value, remedy."""
        ...


def refuse(value: Checked) -> None:
    """Raise ValueError naming all mistakes of `value`, one a line; return when there are none."""
    found = tuple(value.mistakes())
    if found:
        raise ValueError(f"{type(value).__name__} is not usable:\n" + "\n".join(f"- {mistake}" for mistake in found))


def outside(field: str, value: float, low: float, high: float) -> Iterator[str]:
    """Yield a mistake unless low < value < high (NaN is a mistake)."""
    if not low < value < high:
        yield f"{field}: value {value!r}: give a number above {low:g} and below {high:g}"


def negative(field: str, value: float) -> Iterator[str]:
    """Yield a mistake unless value is a finite number of at least 0."""
    if not (math.isfinite(value) and value >= 0):
        yield f"{field}: value {value!r}: give a finite number of at least 0"

"""What this process asks of the allocator and the garbage collector, so that what it holds does not grow with time."""

import ctypes
import gc
from contextlib import suppress

MALLOC = {"M_ARENA_MAX": (-8, 1), "M_MMAP_THRESHOLD": (-3, 32 * 1024)}
"""What malloc is told (mallopt(3)): the number of each parameter, and its value."""
GARBAGE = 100_000
"""Values made and not yet freed after which cycles are looked for among them; Python's own default is 700."""


def spare_memory() -> None:
    """Let memory that is free again go back to the system, where it would stay between what is still used.

    All threads share one arena, since each keeps what it once needed, and one thread runs at a time anyway. Answers and
    the stories of runs stay out of it: glibc puts them there once one has been freed, unless it is told from which size
    on they have a place of their own.

    Other C libraries than glibc have no such parameters.
    """
    with suppress(AttributeError):
        for number, value in MALLOC.values():
            ctypes.CDLL(None).mallopt(number, value)


def spare_the_collector() -> None:
    """Let the garbage collector pass over what lasts as long as the process, and look for cycles less often.

    With thousands of small values made in each pass it takes a fifth of the processor time otherwise.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE, *gc.get_threshold()[1:])

"""What this process asks of the allocator and the garbage collector, so that what it holds does not grow with time."""

import ctypes
import gc
import time
from collections.abc import Callable
from contextlib import suppress

MALLOC = {"M_ARENA_MAX": (-8, 1), "M_MMAP_THRESHOLD": (-3, 32 * 1024)}
"""What malloc is told (mallopt(3)): the number of each parameter, and its value."""
GARBAGE = 1_000_000
"""Values made and not yet freed after which cycles are looked for at once; Python's own default is 700."""
CYCLES_SECONDS = 300.0
"""Between two looks for cycles."""


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
    """Let the garbage collector pass over what lasts as long as the process, and begin by itself only where it must.

    An answer of Prometheus is hundreds of thousands of values that are gone with the tick, without a cycle among them.
    To look through them again and again takes a tenth of the processor time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE, *gc.get_threshold()[1:])


def look_for_cycles(wait: Callable[[float], None] = time.sleep) -> None:
    """Free for ever what only cycles hold; meant for a daemon thread."""
    while True:
        wait(CYCLES_SECONDS)
        gc.collect()

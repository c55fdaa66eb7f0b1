"""Memory that is free again is given back."""

import gc
import weakref

import pytest

from canary_analyzer.service.memory import look_for_cycles


class Ring:
    """Holds itself."""

    def __init__(self):
        self.itself = self


def test_what_only_a_cycle_holds_is_freed_though_the_collector_does_not_begin_by_itself():
    waited = []

    def wait(seconds):
        waited.append(seconds)
        if len(waited) > 1:
            raise KeyboardInterrupt

    gc.disable()
    try:
        ring = weakref.ref(Ring())
        assert ring() is not None
        with pytest.raises(KeyboardInterrupt):
            look_for_cycles(wait)
        assert ring() is None
    finally:
        gc.enable()

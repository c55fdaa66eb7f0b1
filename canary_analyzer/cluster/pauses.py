"""How long to wait before what ended too soon is begun anew, so that no server is asked without end."""

SHORTEST_SECONDS, LONGEST_SECONDS = 1.0, 30.0
LASTING_SECONDS = 10.0
"""What has lasted for so long went well, and may be begun anew at once."""


class Pauses:
    """Pauses that grow, until something lasts."""

    def __init__(self) -> None:
        self._next = SHORTEST_SECONDS

    def after(self, lasted: float) -> float:
        """Return the seconds to wait after what has lasted for so many seconds."""
        if lasted > LASTING_SECONDS:
            self._next = SHORTEST_SECONDS
            return 0.0
        pause, self._next = self._next, min(2 * self._next, LONGEST_SECONDS)
        return pause

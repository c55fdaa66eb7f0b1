"""How one answer turns out: a pure function of the settings, the requests served so far and chance."""

from dataclasses import dataclass
from random import Random

from flask_app.settings import Faults, Latency


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Status code, and how long it takes in seconds."""

    status: int
    seconds: float


def answer(latency: Latency, faults: Faults, served: int, chance: Random) -> Answer:
    """Draw the next answer after `served` requests."""
    seconds = latency.median_seconds * chance.lognormvariate(0.0, latency.sigma)
    if chance.random() < latency.tail_share:
        seconds *= latency.tail_factor
    if chance.random() < faults.tail_share:
        seconds *= faults.tail_factor
    seconds *= faults.latency_factor * (1.0 + faults.leak_per_1000 * served / 1000.0)
    return Answer(status=500 if chance.random() < faults.error_rate else 200, seconds=seconds)

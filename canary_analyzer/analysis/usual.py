"""The baseline of late: what bets are sized by before a tick is seen."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from canary_analyzer.analysis.types import ArmTick, Floats

_MEMORY = 0.9
"""What is kept per tick: the memory follows the time of day within some ten ticks."""
_PRIOR_ERROR_RATE = 0.002
_PRIOR_REQUESTS = 500.0
"""What is taken for the error rate before the baseline has shown any: it sizes bets, which are fair without it."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Usual:
    """Sums over the baseline's ticks, older ones fading.

    Args:
        errors: Failed requests.
        requests: Requests.
        latency: [B] requests by bucket.
    """

    errors: float
    requests: float
    latency: Floats

    @classmethod
    def nothing(cls, buckets: int) -> Self:
        """Return what is known before the first tick."""
        return cls(errors=0.0, requests=0.0, latency=np.zeros(buckets))

    def after(self, baseline: ArmTick) -> "Usual":
        """Return what is usual after one more tick; a tick without traffic teaches nothing."""
        if not baseline.requests:
            return self
        return Usual(
            errors=_MEMORY * self.errors + baseline.errors,
            requests=_MEMORY * self.requests + baseline.requests,
            latency=_MEMORY * self.latency + baseline.latency,
        )

    def error_rate(self) -> float:
        """Return the baseline's error rate, drawn towards a common one while requests are few."""
        return (self.errors + _PRIOR_ERROR_RATE * _PRIOR_REQUESTS) / (self.requests + _PRIOR_REQUESTS)

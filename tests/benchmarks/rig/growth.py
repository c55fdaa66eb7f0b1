"""Whether what a process holds grows: a line through samples, and what its slope's interval lets one say."""

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What growth per hour is told from none, and what must not be missed."""

    flat: float
    """So much is not told from none."""
    fatal: float
    """So much would end the process within a day."""


@dataclass(frozen=True, kw_only=True)
class Slope:
    """Growth per hour with its 95 % interval."""

    per_hour: float
    low: float
    high: float

    @classmethod
    def of(cls, hours: np.ndarray, held: np.ndarray) -> "Slope":
        """Fit a line; of fewer than three samples nothing is known."""
        if len(hours) < 3:
            return cls(per_hour=math.nan, low=-math.inf, high=math.inf)
        fit = stats.linregress(hours, held)
        margin = stats.t.ppf(0.975, len(hours) - 2) * np.nan_to_num(fit.stderr)  # of what never changes: no number
        return cls(per_hour=fit.slope, low=fit.slope - margin, high=fit.slope + margin)

    def mistake(self, limits: Limits) -> str:
        """Say what is wrong with it; empty where it is shown not to be.

        An interval's lower end lies above `flat` with 97.5 % probability where the true growth is `fatal` and the
        interval is no wider than what lies between the two: a wider one could miss what must not be missed.
        """
        if not self.high - self.low <= limits.fatal - limits.flat:
            return f"cannot tell whether it grows by less than {limits.fatal:g} per hour: let it run longer"
        return f"grows by at least {self.low:.2f} per hour" if self.low > limits.flat else ""

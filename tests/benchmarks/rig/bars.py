"""What a rollout may cost: a bar for each figure that has one."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

WORKLOADS, FAMILIES = 2, 2
"""Of a rollout: stable and canary; requests and latency."""
QUERY_WORKLOADS = 200
Figures = Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Bar:
    """The most that a figure may be, by how many rollouts there are."""

    most: Callable[[int], float]
    judged_from: int = 0
    """So many rollouts; what is fixed weighs more on fewer."""


def bars(tick_seconds: float) -> Mapping[str, Bar]:
    """Return the bars by the names of figures, for a tick of so many seconds."""
    return {
        "requests, all idle": Bar(most=lambda _: 0),
        "Prometheus queries / tick": Bar(most=_queries),
        "requests / rollout-tick": Bar(most=lambda _: 0.1, judged_from=100),
        "CPU ms / rollout-tick": Bar(most=lambda _: 3, judged_from=100),
        "passes left out, share": Bar(most=lambda _: 0.5),
        "lag p99 s, at most": Bar(most=lambda _: tick_seconds),
        "RSS / rollout, kB": Bar(most=lambda _: 300, judged_from=500),
    }


def _queries(rollouts: int) -> float:
    return max(2, FAMILIES * math.ceil(WORKLOADS * rollouts / QUERY_WORKLOADS))


def quantile(cumulative: Mapping[float, float], share: float) -> float:
    """Return the first bound below which such a share of all lies; no number where there are none."""
    total = max(cumulative.values(), default=0.0)
    if not total:
        return math.nan
    return next(bound for bound, count in sorted(cumulative.items()) if count >= share * total)


def missed(rollouts: int, figures: Figures, known: Mapping[str, Bar]) -> Iterator[str]:
    """Yield every bar that is judged at this number of rollouts and is missed; what is no number misses it."""
    for name, bar in known.items():
        if rollouts >= bar.judged_from and not figures[name] <= bar.most(rollouts):
            yield f"{name}: {figures[name]:.3g} at {rollouts} rollouts; at most {bar.most(rollouts):.3g} is allowed"


def lines(columns: Mapping[int, Figures], known: Mapping[str, Bar]) -> Iterator[str]:
    """Yield the lines of a table: figures by number of rollouts, each with its bar behind it in brackets."""
    yield f"{'rollouts':>28}" + "".join(f"{size:>20}" for size in columns)
    for name in next(iter(columns.values())):
        cells = (_cell(figures[name], known.get(name), size) for size, figures in columns.items())
        yield f"{name:>28}" + "".join(f"{cell:>20}" for cell in cells)


def _cell(figure: float, bar: Bar | None, rollouts: int) -> str:
    if bar is None or rollouts < bar.judged_from:
        return f"{figure:.4g}"
    return f"{figure:.4g} (<= {bar.most(rollouts):.3g})"


def growth(columns: Mapping[int, Figures], name: str) -> str:
    """Say how a figure grows from the smallest to the largest number of rollouts."""
    sizes: Sequence[int] = sorted(columns)
    small, large = (columns[size][name] for size in (sizes[0], sizes[-1]))
    times = f"{large / small:.1f}" if small else "unknown"
    return f"{name}: {times} times as many for {sizes[-1] / sizes[0]:g} times as many rollouts"

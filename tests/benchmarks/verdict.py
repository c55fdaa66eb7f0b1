"""`make bench-verdict`: how right, how early, how cheap. Prints tables; asserts nothing.

Variables: RUNS per cell (default 40; the bars of the tables are meant for 400), JOBS processes (default: all cores),
PARTS of false-aborts,detection,healthy,ramp,cost and JUDGES of sequential,mann-whitney,threshold, comma-separated;
CELLS, a part of the names of the cells that are wanted; WRITE=1 puts the tables into docs/statistics.md too.
"""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy as np
from cells import JUDGES, LIMIT, Cell, Found, found
from cost import costs
from tables import Table, printed, written

from canary_analyzer.analysis import Decision, Policy
from canary_analyzer.analysis.calibrate import CASES, IDENTICAL, Row, chance_bounds, row, simulated
from canary_analyzer.analysis.ramp import AdaptiveRamp, FixedRamp, FixedStep, Ramp
from canary_analyzer.analysis.scenarios import NULLS, REGRESSIONS, Regression
from canary_analyzer.analysis.simulate import Rehearsal

BARS = {
    "errors +1 pp": "30 (26)",
    "errors +5 pp": "8 (5)",
    "one of two pods fails 20 %": "5 (2)",
    "latency x1.25": "16 (15)",
    "latency x1.5": "9 (6)",
    "latency x2": "6 (2)",
    "3 % more tail": "24 (21)",
    "leak growing to x2": "26 (21)",
    "outage": "1 (0)",
}
"""Median tick of the abort at 50 requests/s: what is demanded, and in brackets what is hoped for."""
BARS_AT_500 = {"errors +1 pp": "9 (6)", "latency x1.25": "8 (3)"}
TWICE_TOLERATED = {"errors +0.4 pp": Regression(errors=0.004), "latency x1.2": Regression(slower=1.2)}
FIXED = FixedRamp(steps=tuple(FixedStep(weight=weight, seconds=60, requests=0) for weight in range(5, 55, 5)))
RAMPS: dict[str, Ramp] = {"fixed": FIXED, "adaptive": AdaptiveRamp()}

RUNS = int(os.environ.get("RUNS", "40"))
JOBS = int(os.environ.get("JOBS", str(os.cpu_count() or 1)))
WANTED = os.environ.get("CELLS", "")


def listed(variable: str, default: Sequence[str]) -> list[str]:
    """Return what a variable lists, or all."""
    return [each.strip() for each in os.environ[variable].split(",")] if variable in os.environ else list(default)


def judged(pool: ProcessPoolExecutor, cell: Cell, judges: Sequence[str]) -> Iterator[tuple[Found, ...]]:
    """Yield for each judge what it says of RUNS runs of a cell."""
    return zip(*pool.map(partial(found, cell, tuple(judges)), range(RUNS), chunksize=5), strict=True)


def often(hits: int) -> str:
    """Return a share of the runs with its 95 % interval."""
    low, high = chance_bounds(hits, RUNS)
    return f"{100 * hits / RUNS:5.1f} % [{100 * low:.1f}-{100 * high:.1f}]"


def share_of(runs: Sequence[Found], decision: Decision) -> str:
    """Return how often a decision was taken."""
    return often(sum(each.decision is decision for each in runs))


def soon(runs: Sequence[Found]) -> str:
    """Return the median tick of the aborts, and in how many runs there was one."""
    ticks = [each.tick for each in runs if each.decision is Decision.ABORT]
    return f"{np.median(ticks):g} ({100 * len(ticks) / len(runs):.0f} %)" if ticks else "never"


def wanted(cells: Sequence[Cell]) -> list[Cell]:
    """Return the cells that CELLS asks for."""
    return [cell for cell in cells if WANTED in cell.name]


def false_aborts(pool: ProcessPoolExecutor, judges: Sequence[str]) -> Table:
    """Return how often an identical canary is aborted."""
    cells = wanted([Cell(name=name, rps=rps, nuisance=each) for name, each in NULLS.items() for rps in (5, 50, 500)])
    rows = [
        [cell.name, f"{cell.rps:g}", *(share_of(runs, Decision.ABORT) for runs in judged(pool, cell, judges))]
        for cell in cells
    ]
    title = f"Identical canary aborted, % of {RUNS} runs [95 % interval]; bar: 1 %, upper end 2.5 % at 400 runs"
    return Table(title=title, columns=["scenario", "requests/s", *judges], rows=rows)


def detection(pool: ProcessPoolExecutor, judges: Sequence[str]) -> Table:
    """Return how soon each regression is found."""
    cells = wanted(
        [Cell(name=name, regression=each, bar=BARS[name]) for name, each in REGRESSIONS.items()]
        + [Cell(name=name, rps=500, regression=REGRESSIONS[name], bar=bar) for name, bar in BARS_AT_500.items()]
    )
    both = (*judges, LIMIT)
    rows = [[cell.name, f"{cell.rps:g}", cell.bar, *map(soon, judged(pool, cell, both))] for cell in cells]
    title = f"Median tick of the abort, from 0 (aborted, % of {RUNS} runs; bar: 98 %)"
    return Table(title=title, columns=["regression", "requests/s", "bar (goal)", *both], rows=rows)


def healthy(pool: ProcessPoolExecutor, judges: Sequence[str]) -> Table:
    """Return how often health is shown, where it should and where it must not be."""
    demands = [(Cell(name=IDENTICAL, rps=500), Decision.HEALTHY, "at least 95 %")]
    demands += [
        (Cell(name=name, rps=rps, regression=each), Decision.HEALTHY, "at most 5 %")
        for name, each in TWICE_TOLERATED.items()
        for rps in (5, 50, 500)
    ]
    demands.append((Cell(name=IDENTICAL, rps=0.05), Decision.INCONCLUSIVE, "always"))
    rows = [
        [cell.name, f"{cell.rps:g}", decision.name, bar, *(share_of(r, decision) for r in judged(pool, cell, judges))]
        for cell, decision, bar in demands
        if WANTED in cell.name
    ]
    title = f"Called so after 60 ticks, % of {RUNS} runs [95 % interval]"
    return Table(title=title, columns=["canary", "requests/s", "decision", "bar", *judges], rows=rows)


def ramp(pool: ProcessPoolExecutor, _: Sequence[str]) -> Table:
    """Return what the adaptive ramp saves beside fixed steps of 5, 10, ..., 50 % for 60 s each."""
    rows = []
    for case in (case for case in CASES if WANTED in case):
        fixed, adaptive = (
            row(case, list(pool.map(partial(simulated, Rehearsal(policy=Policy(), ramp=each), case), range(RUNS))))
            for each in RAMPS.values()
        )
        rows.append([case, *ramp_cells(fixed), *ramp_cells(adaptive), ramp_saving(fixed, adaptive)])
    titles = [f"{name} {what}" for name in RAMPS for what in ("aborted", "time", "bad requests")]
    title = f"Adaptive ramp and fixed steps, 50 requests/s, {RUNS} runs: median seconds to the end, mean bad requests"
    return Table(title=title, columns=["canary", *titles, "adaptive / fixed"], rows=rows)


def ramp_cells(result: Row) -> list[str]:
    """Return how often a case was aborted, the median time to its end in seconds, and the bad requests served."""
    end = result.seconds_to_promotion if result.name == IDENTICAL else result.seconds_to_abort
    return [f"{100 * result.aborted / result.runs:.0f} %", f"{end:.0f}", f"{result.bad_requests:.1f}"]


def ramp_saving(fixed: Row, adaptive: Row) -> str:
    """Return what matters of a case: time for a good canary (bar: 70 %), bad requests for others (bar: 60 %)."""
    if fixed.name == IDENTICAL:
        return f"{100 * adaptive.seconds_to_promotion / fixed.seconds_to_promotion:.0f} % of the time"
    return f"{100 * adaptive.bad_requests / fixed.bad_requests:.0f} % of the bad requests"


def cost(_: ProcessPoolExecutor, judges: Sequence[str]) -> Table:
    """Return what a judge takes of processor and memory."""
    title, columns, rows = costs(judges)
    return Table(title=title, columns=columns, rows=rows)


PARTS = {"false-aborts": false_aborts, "detection": detection, "healthy": healthy, "ramp": ramp, "cost": cost}


def main() -> None:
    """Print the parts that are wanted, and write them down where that is asked for."""
    judges = listed("JUDGES", JUDGES)
    with ProcessPoolExecutor(JOBS) as pool:
        for part in listed("PARTS", list(PARTS)):
            table = PARTS[part](pool, judges)
            printed(table)
            if "WRITE" in os.environ:
                written(table, part)


if __name__ == "__main__":
    main()

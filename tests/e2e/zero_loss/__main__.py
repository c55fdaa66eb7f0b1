"""`make e2e-zero-loss`: what could lose requests, done to apps under 100 requests/s each on the mesh in a box.

Prints a table of scenario, requests lost, those lost with the pod that was killed under them, those lost by the user's
own hand, how it ended and how long it took. Exit code 1 where a request was lost by our hand, a run ended otherwise
than it should, or something of ours was left.

Variables: ONLY, a regular expression for the names of scenarios; RUNS of the whole in a row (default 1); APPS side by
side (default 4); RESULTS, a file for the results as JSON; LOGS, a folder that keeps the logs of sandbox and services.
"""

import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.e2e.zero_loss.place import Place, sandbox
from tests.e2e.zero_loss.scenario import LATE, PROMPT, Result, Scenario, played
from tests.e2e.zero_loss.scenarios import SCENARIOS

RUNS, APPS = int(os.environ.get("RUNS", "1")), int(os.environ.get("APPS", "4"))
COLUMNS = ("lost", "in flight on killed pods", "by the user's hand", "as expected", "seconds")


def results(scenarios: Sequence[Scenario], folder: Path) -> Iterator[Result]:
    """Play the scenarios, side by side in one sandbox for each kind of mesh, and yield each result at once."""
    for number, mesh in enumerate((PROMPT, LATE)):
        chosen = [scenario for scenario in scenarios if scenario.mesh == mesh]
        if chosen:
            at = folder / f"mesh-{number}"
            at.mkdir(parents=True, exist_ok=True)
            with sandbox(at, *mesh) as place, ThreadPoolExecutor(APPS) as pool:
                yield from _played(chosen, place, pool)


def _played(scenarios: Sequence[Scenario], place: Place, pool: ThreadPoolExecutor) -> Iterator[Result]:
    futures = [pool.submit(played, scenario, place, _namespace(scenario)) for scenario in scenarios]
    for future in as_completed(futures):
        yield future.result()


def _namespace(scenario: Scenario) -> str:
    return re.sub(r"[^a-z0-9]+", "-", scenario.name.lower()).strip("-")[:50].strip("-")


def table(found: Sequence[Result]) -> Table:
    """Return what the scenarios showed."""
    made = Table(title="Requests lost, 100 requests/s for each app", title_justify="left", box=None)
    made.add_column("scenario")
    for column in COLUMNS:
        made.add_column(column, justify="right")
    for result in sorted(found, key=lambda result: SCENARIOS.index(result.scenario)):
        counts = (result.lost, result.in_flight, result.users_own)
        verdict = "yes" if not result.wrong else "NO"
        made.add_row(result.scenario.name, *map(str, counts), verdict, f"{result.seconds:.0f}")
    return made


def _story(result: Result) -> str:
    """One line at once, and more where something is wrong."""
    lines = [f"{'ok' if result.passed else 'BAD':4}{result.scenario.name} ({result.seconds:.0f} s)"]
    lines += [f"      {each}" for each in result.wrong]
    lines += [f"      {each}" for each in _causes(result) if not result.passed]
    return "\n".join(lines)


def _causes(result: Result) -> Iterator[str]:
    """The first losses by what is known of them, and when they were: between these times in seconds since the epoch."""
    by_cause: dict[str, list[float]] = {}
    for loss in result.losses:
        cause = " ".join(loss[key] for key in ("kind", "flags", "pod", "cause"))
        by_cause.setdefault(cause, []).append(loss["time"])
    for cause, times in by_cause.items():
        yield f"lost {len(times)} of the first {len(result.losses)}, {min(times):.2f} to {max(times):.2f}: {cause}"


def _as_json(result: Result) -> str:
    fields = {key: value for key, value in vars(result).items() if key != "scenario"}
    return json.dumps({"scenario": result.scenario.name, "passed": result.passed, **fields})


def main() -> None:
    """Play what is asked for, so many times."""
    console = Console(width=150, highlight=False)
    chosen = [each for each in SCENARIOS if re.search(os.environ.get("ONLY", ""), each.name)]
    if not chosen:
        sys.exit("no scenario has such a name; there are:\n" + "\n".join(each.name for each in SCENARIOS))
    passed = True
    with tempfile.TemporaryDirectory(prefix="zero-loss-", ignore_cleanup_errors=True) as temporary:
        for number in range(RUNS):
            found = []
            for result in results(chosen, Path(os.environ.get("LOGS", temporary)) / f"run-{number + 1}"):
                console.print(_story(result), markup=False)
                found.append(result)
            console.print(table(found))
            passed &= all(result.passed for result in found)
            if "RESULTS" in os.environ:
                Path(os.environ["RESULTS"]).write_text("\n".join(map(_as_json, found)))
    sys.exit(0 if passed else 1)


if __name__ == "__main__":
    main()

"""`make bench-sandbox`: whole rollouts on the mesh in a box, good and bad; how they end, how soon, at what price.

The policy has the shape of `standard` at a fifth of its times: ticks of 2 s, steps of 6 ticks; the last step is longer,
since its demands of requests are not met five times as fast. Several Deployments, each with a client of its own at 50
requests/s, are rolled out side by side.

Variables: RUNS of each bad image, twice as many of the good one (default 10); ONLY of v2,v2-errors,v2-slow,v2-tail,
v2-leak, comma-separated; APPS side by side (default 4); RESULTS, a file to which each result is added and from which
the next call goes on (default build/bench-sandbox.jsonl; delete it to begin anew).
"""

import json
import os
import statistics
import tempfile
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from apps import App, Place
from processes import process
from rich.console import Console
from rich.table import Table

IMAGES = ("v2", "v2-errors", "v2-slow", "v2-tail", "v2-leak")
GOOD = "v2"
HARMED = {"v2-slow": 1.0, "v2-tail": 0.03, "v2-leak": 1.0}
"""Share of the answers that are slower than they should be; of v2-errors the failed ones are counted instead."""
CONFIG = """
prometheus: {staleness_seconds: 5}
profiles:
  standard:
    tick_seconds: 2
    settle_seconds: 2
    start_seconds: 30
    promote_seconds: 60
    deadline_seconds: 400
    steps:
      - {weight: 5, seconds: 12, requests: 25}
      - {weight: 10, seconds: 12}
      - {weight: 25, seconds: 12}
      - {weight: 50, seconds: 150}
"""
RUNS, APPS = int(os.environ.get("RUNS", "10")), int(os.environ.get("APPS", "4"))
RESULTS = Path(os.environ.get("RESULTS", "build/bench-sandbox.jsonl"))
Result = dict[str, Any]


def known() -> list[Result]:
    """Return the results of earlier calls."""
    return [json.loads(line) for line in RESULTS.read_text().splitlines()] if RESULTS.exists() else []


def missing(done: Sequence[Result]) -> list[str]:
    """Return the images that are still to be rolled out, those that take longest first."""
    wanted = [image for image in IMAGES if image in os.environ.get("ONLY", ",".join(IMAGES)).split(",")]
    counts = Counter(result["image"] for result in done)
    return [image for image in wanted for _ in range(RUNS * (2 if image == GOOD else 1) - counts[image])]


def rollouts(images: Sequence[str], folder: Path, console: Console) -> None:
    """Roll the images out, side by side, and note each result at once."""
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(APPS) as pool, ExitStack() as stack:  # when it fails, nobody waits for what cannot end
        up = ["sandbox", "up", "--json", "--load", "0"]
        addresses = json.loads(stack.enter_context(process(up, folder / "sandbox.log", says='"kubeconfig"')))
        place = Place.of(addresses, folder)
        (folder / "config.yaml").write_text(CONFIG)
        where = ["--kubeconfig", addresses["kubeconfig"], "--prometheus-url", addresses["prometheus"]]
        config = ["--config", str(folder / "config.yaml"), "--http-port", "0"]
        stack.enter_context(process(["serve", *where, *config], folder / "service.log", says='"serving"'))
        free: SimpleQueue[App] = SimpleQueue()
        for index in range(min(APPS, len(images))):
            free.put(stack.enter_context(place.app(f"bench-{index}")))
        for future in as_completed([pool.submit(rollout, free, image) for image in images]):
            result = future.result()
            with RESULTS.open("a") as file:
                file.write(json.dumps(result) + "\n")
            console.print(f"{result['image']}: {result['phase']} after {result['seconds']:.0f} s: {result['reason']}")


def rollout(free: "SimpleQueue[App]", image: str) -> Result:
    """Roll an image out on an app that is free."""
    app = free.get()
    try:
        return app.roll_out(image)
    finally:
        free.put(app)


def bad_requests(result: Result) -> float:
    """Return how many requests failed or were slow because of the canary."""
    if result["image"] in HARMED:
        return HARMED[result["image"]] * float(result["requests"])
    return float(result["failed"])


def table(results: Sequence[Result]) -> Table:
    """Return how the rollouts ended."""
    made = Table(title=f"Rollouts on the sandbox, 50 requests/s ({RESULTS})", title_justify="left", box=None)
    for column in ("image", "rollouts", "aborted", "should be", "seconds, median (longest)", "bad requests, mean"):
        made.add_column(column, justify="left" if column == "image" else "right", no_wrap=True)
    for image in IMAGES:
        of_image = [result for result in results if result["image"] == image]
        if of_image:
            made.add_row(*row(image, of_image))
    return made


def row(image: str, results: Sequence[Result]) -> tuple[str, ...]:
    """Return the figures of one image."""
    aborted = sum(result["phase"] == "Aborted" for result in results)
    seconds = [result["seconds"] for result in results]
    bad = "-" if image == GOOD else f"{statistics.mean(map(bad_requests, results)):.1f}"
    should = "0" if image == GOOD else str(len(results))
    times = f"{statistics.median(seconds):.0f} ({max(seconds):.0f})"
    return f"flask-app:{image}", str(len(results)), str(aborted), should, times, bad


def main() -> None:
    """Roll out what is missing, print what is known; exit 1 where a good one was aborted or a bad one was not."""
    console = Console(width=120)
    images = missing(known())
    if images:
        with tempfile.TemporaryDirectory(prefix="bench-sandbox-", ignore_cleanup_errors=True) as folder:
            rollouts(images, Path(folder), console)
    results = known()
    console.print(table(results))
    raise SystemExit(any((result["phase"] == "Aborted") == (result["image"] == GOOD) for result in results))


if __name__ == "__main__":
    main()

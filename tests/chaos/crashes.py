"""`make chaos`, first part: every rollout is killed after each of its writes, and hears no answer to each, in turn."""

import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

from harness.apps import CASES
from harness.crashes import DOWN, ENDINGS, Blow, play
from harness.quiet import silence

Way = tuple[str, str]
"""Names of a case and of an ending."""


def main(only: list[str]) -> int:
    """Print, for each way a rollout can go, how many points there are at which it can break, and what went wrong."""
    ways = [(case, ending) for case in CASES for ending in ENDINGS if not only or case in only]
    total, violated, began = 0, 0, time.monotonic()
    with ProcessPoolExecutor(initializer=silence) as processes:
        for way, (points, found) in zip(ways, processes.map(_tried, ways), strict=True):
            total, violated = total + points, violated + len(found)
            print(f"{way[0]:22} {way[1]:24} {points:4} crash points  {len(found)} violated", flush=True)
            print("".join(f"    {each}\n" for each in found), end="", flush=True)
    seconds = time.monotonic() - began
    print(f"{total} crash points and as many lost answers, {violated} violated, {seconds:.0f} s")
    return 1 if violated else 0


def _tried(way: Way) -> tuple[int, list[str]]:
    """Return how many writes a rollout makes that nothing happens to, and what went wrong where something did."""
    arena, wrong = play(CASES[way[0]], ENDINGS[way[1]])
    found = [f"nothing happened to it: {'; '.join(wrong)}"] if wrong else []
    return len(arena.writes), [*found, *_broken(way, arena.writes)]


def _broken(way: Way, writes: list[str]) -> Iterator[str]:
    for point, write in enumerate(writes, start=1):
        killed = Blow(kill_at=point, down=DOWN[point % len(DOWN)])
        for blow, told in ((killed, f"killed for {killed.down:.0f} s after"), (Blow(lose_at=point), "no answer to")):
            if wrong := play(CASES[way[0]], ENDINGS[way[1]], blow)[1]:
                yield f"{told} write {point}, {write}: {'; '.join(wrong)}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

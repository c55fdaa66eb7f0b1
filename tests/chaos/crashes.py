"""`make chaos`, first half: every rollout is killed after each of its writes in turn."""

import sys
import time

from harness.apps import CASES
from harness.crashes import ENDINGS, play
from harness.quiet import silence


def main(only: list[str]) -> int:
    """Print, for each way a rollout can go, how many crash points it has and what went wrong at which of them."""
    silence()
    total, violated, began = 0, 0, time.monotonic()
    for case in CASES.values():
        for ending in ENDINGS.values():
            if only and case.name not in only:
                continue
            arena, wrong = play(case, ending)
            points = len(arena.writes)
            found = {"nobody killed it": wrong} if wrong else {}
            for point in range(1, points + 1):
                if wrong := play(case, ending, kill_at=point)[1]:
                    found[f"write {point}, {arena.writes[point - 1]}"] = wrong
            total, violated = total + points, violated + len(found)
            print(f"{case.name:22} {ending.name:24} {points:4} crash points  {len(found)} violated", flush=True)
            for where, what in found.items():
                print(f"    killed after {where}: {'; '.join(what)}", flush=True)
    print(f"{total} crash points, {violated} violated, {time.monotonic() - began:.0f} s")
    return 1 if violated else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

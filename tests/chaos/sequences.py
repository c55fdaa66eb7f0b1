"""`make chaos`, second half: random sequences of users, faults and crashes; SEED=7 plays one of them and tells it."""

import argparse
import sys
import time

from harness.quiet import silence
from harness.sequences import Sequence


def main() -> int:
    """Play the sequences and print the seeds of those that violate an invariant."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000, help="how many sequences")
    parser.add_argument("--seed", type=int, default=None, help="play this one alone, and print what happened in it")
    given = parser.parse_args()
    silence()
    began, seeds = time.monotonic(), range(given.runs) if given.seed is None else [given.seed]
    violated = [seed for seed in seeds if not _holds(seed, telling=given.seed is not None)]
    print(f"{len(seeds)} sequences from seed {seeds[0]}, {len(violated)} violated, {time.monotonic() - began:.0f} s")
    return 1 if violated else 0


def _holds(seed: int, *, telling: bool) -> bool:
    sequence = Sequence(seed)
    wrong = sequence.play()
    if wrong or telling:
        print(f"seed {seed} ({sequence.case.name}): make chaos SEED={seed} plays it again", flush=True)
        print("\n".join(["  " + line for line in (*sequence.story, *sequence.told(), *wrong)]), flush=True)
    return not wrong


if __name__ == "__main__":
    sys.exit(main())

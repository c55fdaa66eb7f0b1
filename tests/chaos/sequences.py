"""`make chaos`, second half: random sequences of users, faults and crashes; SEED=7 plays one of them and tells it."""

import argparse
import sys
import time
from concurrent.futures import ProcessPoolExecutor

from harness.quiet import silence
from harness.sequences import Sequence


def main() -> int:
    """Play the sequences and print the seeds of those that violate an invariant."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000, help="how many sequences")
    parser.add_argument("--seed", type=int, default=None, help="play this one alone, and print what happened in it")
    given = parser.parse_args()
    silence()
    if given.seed is not None:
        told, wrong = _played(given.seed)
        print(told)
        return 1 if wrong else 0
    began, violated = time.monotonic(), 0
    with ProcessPoolExecutor(initializer=silence) as processes:
        for told, wrong in processes.map(_played, range(given.runs), chunksize=10):
            violated += wrong
            print(f"{told}\n" if wrong else "", end="", flush=True)
    print(f"{given.runs} sequences from seed 0, {violated} violated, {time.monotonic() - began:.0f} s")
    return 1 if violated else 0


def _played(seed: int) -> tuple[str, bool]:
    """Return what happened in a sequence, and whether an invariant was violated."""
    sequence = Sequence(seed)
    wrong = sequence.play()
    title = f"seed {seed} ({sequence.case.name}): make chaos SEED={seed} plays it again"
    return "\n".join([title, *["  " + line for line in (*sequence.story, *sequence.told(), *wrong)]]), bool(wrong)


if __name__ == "__main__":
    sys.exit(main())

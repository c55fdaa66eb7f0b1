"""`make chaos`, last part: random sequences of users, faults and crashes; SEED=7 plays one of them and tells it."""

import argparse
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from random import Random, SystemRandom

from harness.quiet import silence
from harness.sequences import Sequence


@dataclass(frozen=True, kw_only=True)
class Played:
    """What happened in a sequence, in words, and what of it is counted.

    Attributes:
        runs: how many ended in each phase.
        hits: how many requests and events each kind of fault has hit.
    """

    told: str
    wrong: bool
    runs: Counter[str] = field(default_factory=Counter)
    hits: Counter[str] = field(default_factory=Counter)


def main() -> int:
    """Play the sequences and print the seeds of those that violate an invariant."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000, help="how many sequences")
    parser.add_argument("--from", type=int, dest="first", help="seed of the first; drawn at random if not given")
    parser.add_argument("--seed", type=int, help="play this one alone, and print what happened in it")
    given = parser.parse_args()
    silence()
    if given.seed is not None:
        played = _played(given.seed)
        print(played.told)
        return 1 if played.wrong else 0
    first = SystemRandom().randrange(10**9) if given.first is None else given.first
    return _all(range(first, first + given.runs))


def _all(seeds: range) -> int:
    print(f"sequences {seeds.start} to {seeds.stop - 1}: FROM={seeds.start} plays the same again", flush=True)
    began, violated, runs, hits = time.monotonic(), 0, Counter[str](), Counter[str]()
    with ProcessPoolExecutor(initializer=silence) as processes:
        for played in processes.map(_played, seeds, chunksize=10):
            violated, runs, hits = violated + played.wrong, runs + played.runs, hits + played.hits
            print(f"{played.told}\n" if played.wrong else "", end="", flush=True)
    print(f"runs: {_counted(runs)}; faults: {_counted(hits)}")
    print(f"{len(seeds)} sequences, FROM={seeds.start}: {violated} violated, {time.monotonic() - began:.0f} s")
    return 1 if violated else 0


def _counted(found: Counter[str]) -> str:
    return ", ".join(f"{number} {name}" for name, number in found.most_common())


def _played(seed: int) -> Played:
    sequence = Sequence(Random(seed))
    wrong = sequence.play()
    title = f"seed {seed} ({sequence.case.name}): make chaos SEED={seed} plays it again"
    told = "\n".join([title, *["  " + line for line in (*sequence.story, *sequence.told(), *wrong)]])
    return Played(told=told, wrong=bool(wrong), runs=Counter(sequence.arena.phases()), hits=sequence.arena.wire.hits)


if __name__ == "__main__":
    sys.exit(main())

"""Who went on with the runs of a replica that was killed, or frozen for longer than its Lease lasts."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Blow:
    """What happened to a replica: killed, or frozen for some seconds; in seconds since the epoch."""

    at: float
    replica: str
    frozen: float = 0.0

    def __str__(self) -> str:
        return f"{self.replica} was {f'frozen for {self.frozen:.1f} s' if self.frozen else 'killed'}"


@dataclass(frozen=True, kw_only=True)
class TakenUp:
    """A replica began to work on a run."""

    at: float
    replica: str
    run: str


@dataclass(frozen=True, kw_only=True)
class Takeover:
    """What became of a run that a replica had when it was struck."""

    run: str
    blow: Blow
    seconds: float = math.inf
    """Until somebody went on with it; infinite where nobody ever did."""
    blows: int = 1
    """So many in that time, this one included: each may have hit the replica that was about to go on with it."""


def takeovers(
    blows: Sequence[Blow], taken_up: Sequence[TakenUp], ended: Mapping[str, float], allowed: float
) -> Iterator[Takeover]:
    """Yield what became of every run that a replica had when a blow cost it its runs.

    Args:
        blows: all of them; a replica that was frozen for less than `allowed` may keep its runs.
        taken_up: by all replicas, in any order.
        ended: when runs ended, in seconds since the epoch, by name; those that did not are missing.
        allowed: seconds within which a run has to be taken over.
    """
    in_order = sorted(taken_up, key=lambda each: each.at)
    for blow in blows:
        if 0 < blow.frozen < allowed:
            continue
        owners = {each.run: each.replica for each in in_order if each.at <= blow.at}
        for run, replica in owners.items():
            if replica == blow.replica and ended.get(run, math.inf) > blow.at:
                at = next((each.at for each in in_order if each.run == run and each.at > blow.at), math.inf)
                struck = sum(blow.at <= each.at < at for each in blows)
                yield Takeover(run=run, blow=blow, seconds=at - blow.at, blows=struck)


def late(found: Sequence[Takeover], allowed: float) -> Iterator[str]:
    """Yield which takeovers came too late or never, and whether there was none at all, which shows nothing."""
    if not found:
        yield "no replica had a run when it was struck: nothing is known about takeovers; try more rollouts or blows"
    for each in found:
        if math.isinf(each.seconds):
            yield f"{each.run}: nobody went on with it after {each.blow}"
        elif each.seconds > allowed * each.blows:
            yield f"{each.run}: taken over only {each.seconds:.1f} s after {each.blow}"

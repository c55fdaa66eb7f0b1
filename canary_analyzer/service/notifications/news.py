"""What is worth telling of a run, drawn from its record alone: the same record always gives the same news.

So a process that comes back after a crash finds out what it still owes by comparing the record's story with what the
record says was told.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from canary_analyzer.report import words
from canary_analyzer.rollout.advice import what_now
from canary_analyzer.rollout.phases import Phase
from canary_analyzer.rollout.run import TIMELINE_LENGTH, Moment, Run
from canary_analyzer.rollout.story import Arms, Figures, Story
from canary_analyzer.rollout.texts import plain

QUIET_SECONDS = 600.0
"""A run that is held, goes on and is held again within this time is told of once."""


class Kind(StrEnum):
    """What can be told."""

    STARTED = "started"
    HELD = "held"
    APPROVAL_ASKED = "approval-asked"
    PASSED = "passed"
    """The canary has passed and is being promoted; for one that the user brought: it is for him to promote it."""
    PROMOTED = "promoted"
    ABORTED = "aborted"
    """Traffic goes back, now."""
    REFUSED = "refused"
    """A request that started no run."""


KINDS: Mapping[Phase, Kind] = {
    Phase.STARTING: Kind.STARTED,
    Phase.HOLDING: Kind.HELD,
    Phase.AWAITING_APPROVAL: Kind.APPROVAL_ASKED,
    Phase.PROMOTING: Kind.PASSED,
    Phase.SUCCEEDED: Kind.PROMOTED,
    Phase.ABORTING: Kind.ABORTED,
}
"""What is told when a run enters a phase."""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One metric as the judge saw it last."""

    name: str
    sentence: str
    """Effect, interval, sample sizes and evidence in words."""
    newest: Figures
    requests: Arms


@dataclass(frozen=True, kw_only=True)
class News:
    """One thing to tell; texts are safe to show, links are ours."""

    kind: Kind
    at: float
    """When it happened, in seconds since the epoch."""
    namespace: str
    deployment: str
    run: str = ""
    """Empty for a request that was refused."""
    strategy: str = ""
    phase: str = ""
    weight: int = 0
    """In percent, at that time."""
    images: Mapping[str, str] = field(default_factory=dict)
    stable_images: Mapping[str, str] = field(default_factory=dict)
    wanted: str = ""
    """The image of a request that was refused, as the user wrote it."""
    verdict: str = ""
    cause: str = ""
    reason: str = ""
    advice: str = ""
    figures: tuple[Figure, ...] = ()
    link: str = ""
    """To the run's page; empty where nobody has said where that is."""

    @property
    def key(self) -> str:
        """What tells it from other news of the same run."""
        return key_of(self.kind, self.at)

    @property
    def id(self) -> str:
        """What tells it from all other news; the same at each try."""
        return f"{self.namespace}/{self.run or self.deployment}/{self.key}"


def key_of(kind: Kind, at: float) -> str:
    """Return what tells a piece of news from others of the same run."""
    return f"{kind}@{at:.3f}"


def happened(run: Run) -> Iterator[tuple[Kind, Moment]]:
    """Yield what can be told of a run, in the order in which it happened."""
    # A story that has lost its beginning begins in the midst of a phase, not with one.
    before = run.timeline[0].phase if len(run.timeline) >= TIMELINE_LENGTH else None
    quiet_until = float("-inf")
    for moment in run.timeline:
        entered, before = moment.phase != before, moment.phase
        if not entered or moment.phase not in KINDS:
            continue
        if moment.phase is Phase.HOLDING:
            if moment.at < quiet_until:
                continue
            quiet_until = moment.at + QUIET_SECONDS
        yield KINDS[moment.phase], moment


def news_of(kind: Kind, moment: Moment, run: Run, story: Story, page_url: str) -> News:
    """Return the news of one moment, with the figures and the advice of now.

    Args:
        kind: what happened.
        moment: when.
        run: to whom.
        story: what was measured.
        page_url: where people find the status page, without a slash at its end; may be empty.
    """
    return News(
        kind=kind,
        at=moment.at,
        namespace=run.namespace,
        deployment=run.deployment,
        run=run.name,
        strategy=run.strategy,
        phase=moment.phase,
        weight=moment.weight,
        images=run.images,
        stable_images=run.stable_images,
        verdict=run.verdict,
        cause=run.cause or "",
        reason=plain(moment.text),
        advice=plain(what_now(run)) if run.phase is moment.phase else "",
        figures=tuple(_figures(run, story)),
        link=f"{page_url}/runs/{run.namespace}/{run.name}" if page_url else "",
    )


def _figures(run: Run, story: Story) -> Iterator[Figure]:
    in_words = words.metrics(run, story)
    for each, newest, requests in zip(in_words, story.newest, story.requests, strict=False):
        sentence = (
            f"{each.name}: {each.effect} (95 % interval {each.interval}) over {each.requests} requests of canary and "
            f"baseline; evidence against {each.against}, for {each.favour} (1 decides)"
        )
        yield Figure(name=each.name, sentence=plain(sentence), newest=newest, requests=requests)

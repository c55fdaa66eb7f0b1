"""Random sequences of what users do, what breaks and when the service is killed; each follows from its seed."""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from random import Random

from canary_analyzer.sandbox.client import EVENTS
from canary_analyzer.sandbox.faults import (
    CONFLICT,
    GONE,
    INTERNAL,
    TOO_MANY,
    UNAVAILABLE,
    CutWatch,
    Drop,
    DuplicateEvents,
    ExpireWatch,
    ReorderEvents,
    Rule,
    Slow,
    Stale,
    Truncate,
)
from canary_analyzer.sandbox.faults.rules import Action
from harness.apps import CASES, Case
from harness.arena import START, Arena
from harness.emulator import Refused
from harness.fates import demoted, misjudged
from harness.rest import ENDED, Belongings, unsettled
from harness.traffic import Quality
from harness.users import Users

ACTIONS = (6, 16)
"""Fewest and most actions of a sequence."""
PAUSE = (0.2, 14.0)
"""Seconds from one action to the next."""
REST = 1000.0
"""Seconds until everything must be over: longer than any deadline of the policy, promotion and way back included."""
QUIET = 25.0
"""Seconds that it must stay over: a wish is taken in a moment later."""

FAULTS = (
    CONFLICT,
    GONE,
    INTERNAL,
    TOO_MANY,
    UNAVAILABLE,
    Drop(),
    Drop(after=True),
    Slow(seconds=2.0),
    Slow(seconds=20.0),
    Truncate(),
    CutWatch(events=1),
    DuplicateEvents(),
    ReorderEvents(),
    ExpireWatch(),
)
LISTS = "/[a-z]+s$"


class Sequence:
    """One app and a few minutes of its life.

    Args:
        chance: draws everything.
    """

    def __init__(self, chance: Random) -> None:
        self._chance = chance
        self.case: Case = self._chance.choice(list(CASES.values()))
        self.arena: Arena = self.case.arena(seed=self._chance.randrange(2**32))
        self._belongings = Belongings.of(self.arena)
        self._users = users = Users(self._chance, self.case, self.arena, self._belongings)
        self.story: list[str] = []
        self._actions: tuple[Callable[[], str], ...] = (
            users.ask,
            users.ask,
            users.ask,
            users.withdraw,
            users.hold,
            users.let_go,
            users.answer,
            users.abort,
            users.edit_route,
            users.revert_route,
            users.delete_route,
            users.scale,
            users.change_template,
            users.undo,
            users.delete_canary,
            users.delete_deployment,
            users.delete_record,
            self.samples,
            self.samples,
            self.break_api,
            self.break_api,
            self.mend_api,
            self.kill,
            self.kill_soon,
        )

    def play(self) -> list[str]:
        """Return all that went wrong."""
        self._do(self._users.ask)
        for _ in range(self._chance.randint(*ACTIONS)):
            self._do(self._chance.choice(self._actions))
        return self._come_to_rest()

    def told(self) -> Iterator[str]:
        """Each run, and why it is where it is."""
        for run in self.arena.runs():
            yield f"{run['name']} of {run['trigger']}: {run['phase']} at {run['stage']}; {run['reason']}"

    def _do(self, action: Callable[[], str]) -> None:
        try:
            told = action()
        except Refused as refused:
            told = f"{action.__name__}: {refused}"
        if not told:
            return
        self.arena.take_as_given()
        self.story.append(f"{self.arena.elapsed:6.1f} s  {told}")
        self.arena.run(self._chance.uniform(*PAUSE))

    def _come_to_rest(self) -> list[str]:
        for action in (self.mend_api, self._users.let_go, self.recover):
            self._do(action)
        self.arena.kill_at = 0
        until, quiet = self.arena.now + REST, 0.0
        while self.arena.now < until and quiet < QUIET:
            self.arena.run(5.0)
            quiet = quiet + 5.0 if self._is_over() else 0.0
        self.arena.end()
        return list(self._wrong())

    def _is_over(self) -> bool:
        self._users.take_as_theirs()
        left = (*unsettled(self.arena), *self._belongings.wrong(self.arena))
        return not left and set(self.arena.phases()) <= ENDED

    def _wrong(self) -> Iterator[str]:
        yield from self.arena.violations
        yield from self._belongings.wrong(self.arena)
        yield from unsettled(self.arena)
        yield from self._wrong_images()
        yield from misjudged(self.arena)
        yield from demoted(self.arena, self._users.touched)
        yield from self._swallowed()
        counted = [run for run in self.arena.runs() if run["name"] not in self._users.uncounted]
        started = Counter(run["trigger"] for run in counted if run["trigger"] in self._users.wished)
        for image, runs in started.items():
            if runs > self._users.wished[image]:
                yield f"{image} was asked for {self._users.wished[image]} times and started {runs} times"

    def _swallowed(self) -> Iterator[str]:
        if self._users.open is None:
            return
        image, at = self._users.open
        started = any(run["trigger"] == image and run["started"] >= at for run in self.arena.runs())
        told = {each["reason"] for each in self.arena.emulator.all(EVENTS) if _time(each["lastTimestamp"]) >= int(at)}
        if not started and not told & self._users.answers:
            yield f"{image} was asked for at {at - START:.1f} s, and neither started nor refused"

    def _wrong_images(self) -> Iterator[str]:
        runs = [run for run in self.arena.runs() if run["phase"] == "Succeeded"]
        promoted = {image for run in runs for image in run["images"].values()}
        for image in self.arena.images():
            if image not in self._users.allowed | promoted:
                yield f"{image} runs, but nobody has promoted it"

    # What breaks -----------------------------------------------------------------------------------------------------

    def samples(self) -> str:
        """Let the new version fare otherwise, or Prometheus go."""
        self.arena.quality = self._chance.choice(list(Quality))
        return f"metrics: {self.arena.quality.value}"

    def recover(self) -> str:
        """Let everything be well."""
        self.arena.quality = Quality.GOOD
        return "metrics: good"

    def break_api(self) -> str:
        """Let some requests fail from now on."""
        actions = self._chance.sample(FAULTS, k=self._chance.randint(1, 3))
        rules = [self._rule(action) for action in actions]
        if self._chance.random() < 0.3:
            rules.append(Rule(action=Stale(), path=LISTS, probability=0.5))
        self.arena.wire.play(*rules, seed=self._chance.randrange(2**32))
        return f"API faults: {', '.join(str(rule.action) for rule in rules)}"

    def _rule(self, action: Action) -> Rule:
        often = 3 if isinstance(action, Slow) else self._chance.choice([2, 10, 50])
        return Rule(action=action, probability=self._chance.choice([0.05, 0.2, 0.6]), times=often)

    def mend_api(self) -> str:
        """Let all requests pass."""
        self.arena.wire.play()
        return "no more API faults"

    def kill(self) -> str:
        """Kill the service between two passes."""
        self.arena.down_seconds = self._chance.choice([0.0, 3.0, 30.0])
        self.arena.kill()
        return f"kills the service for {self.arena.down_seconds:.0f} s"

    def kill_soon(self) -> str:
        """Kill it right after one of its next writes."""
        self.arena.down_seconds = self._chance.choice([0.0, 3.0, 30.0])
        self.arena.kill_at = len(self.arena.writes) + self._chance.randint(1, 4)
        return f"kills the service at write {self.arena.kill_at} for {self.arena.down_seconds:.0f} s"


def _time(stamp: str) -> float:
    return datetime.fromisoformat(stamp).timestamp()

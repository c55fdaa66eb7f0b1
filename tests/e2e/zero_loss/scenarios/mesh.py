"""A mesh that hears of routes late, pods that drain slowly, and answers that take long."""

from functools import partial

from tests.e2e.zero_loss.app import App
from tests.e2e.zero_loss.scenario import LATE, Scenario
from tests.e2e.zero_loss.scenarios.people import deleted_canary
from tests.e2e.zero_loss.scenarios.plays import ABORTED, STAY, Play, judged_bad, promoted
from tests.e2e.zero_loss.shapes import tagged

SLOW = {"slow_every": 20, "slow_seconds": 4}
"""Five requests per second that take four seconds: many are under way whenever a pod goes."""
DRAINS = partial(tagged, image="v1-slow-drain")


def _with_slow_answers(play: Play) -> Play:
    def slowly(app: App) -> None:
        app.client.load(**SLOW)
        play(app)

    return slowly


def _abort_late(app: App) -> None:
    app.start("v2", config=STAY)
    app.at(10)
    app.annotate(abort=str(app.run()["name"]))
    app.ends(ABORTED, "a user asked for it")


SCENARIOS = (
    Scenario(name="slow drains: v2", play=promoted("v2-slow-drain"), shape=DRAINS),
    Scenario(name="slow drains: rolling v2", play=promoted("v2-slow-drain", strategy="rolling"), shape=DRAINS),
    Scenario(name="slow drains: v2-errors", play=judged_bad("v2-errors"), shape=DRAINS),
    Scenario(name="slow answers: v2", play=_with_slow_answers(promoted()), shape=DRAINS),
    Scenario(name="slow answers: v2-errors", play=_with_slow_answers(judged_bad("v2-errors"))),
    Scenario(name="routes 0.1 to 10 s late: v2", play=promoted(), mesh=LATE),
    Scenario(name="routes 0.1 to 10 s late: v2-errors", play=judged_bad("v2-errors"), mesh=LATE),
    Scenario(name="routes 0.1 to 10 s late: blue-green v2", play=promoted(strategy="blue-green"), mesh=LATE),
    Scenario(name="routes 0.1 to 10 s late: abort", play=_abort_late, mesh=LATE),
    Scenario(name="routes 0.1 to 10 s late: canary deleted", play=deleted_canary, mesh=LATE),
)

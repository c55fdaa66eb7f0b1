"""Each strategy promoted and sent back."""

from tests.e2e.zero_loss.app import App
from tests.e2e.zero_loss.scenario import Scenario
from tests.e2e.zero_loss.scenarios.plays import (
    ABORTED,
    BAD,
    LONG_BLUE_GREEN,
    PATIENT,
    SUCCEEDED,
    Play,
    judged_bad,
    promoted,
)

FRESH = "{baseline: fresh, steps: [{weight: 10, seconds: 4}, {weight: 30, seconds: 100}]}"
FRESH_QUICK = "{baseline: fresh, steps: [{weight: 10, seconds: 4}, {weight: 30, seconds: 10, requests: 100}]}"
STEPS = (
    '{steps: [{match: {headers: {x-tester: "yes"}}, seconds: 3}, {mirror: 50, seconds: 3}, {pause: 2}, '
    "{weight: 50, seconds: 8, requests: 100}]}"
)
STICKY = "{sticky: {}}"
ADAPTIVE = (
    "{adaptive: {first: 10, largest: 50, bad_requests: 20, seconds: 4, "
    "healthy_seconds: 4, soak_seconds: 6, soak_requests: 100}}"
)


def _fresh_and_bad() -> Play:
    def play(app):
        app.start("v2-errors", config=FRESH)
        app.ends(ABORTED, "errors")

    return play


def _green_promoted_by_hand(app: App) -> None:
    """Blue lets all its pods go at once when it is replaced, which is nobody's loss once green serves alone."""
    app.edit("Deployment", _let_all_go_at_once)
    app.start("v2", strategy="blue-green", config=LONG_BLUE_GREEN)
    app.at_stage("analyse", "Analysing")
    app.annotate(promote=str(app.run()["name"]))
    app.ends(SUCCEEDED, promoted="flask-app:v2")


def _let_all_go_at_once(deployment: dict) -> None:
    rolling = {"maxSurge": 0, "maxUnavailable": "100%"}
    deployment["spec"]["strategy"] = {"type": "RollingUpdate", "rollingUpdate": rolling}


SCENARIOS = (
    *(
        Scenario(name=f"{strategy}: {image}", play=play)
        for strategy in PATIENT
        for image, play in {
            "v2": promoted(strategy=strategy),
            **{bad: judged_bad(bad, strategy) for bad in BAD},
        }.items()
    ),
    Scenario(name="blue-green promoted by hand: v2", play=_green_promoted_by_hand),
    Scenario(name="canary with a fresh baseline: v2", play=promoted(config=FRESH_QUICK)),
    Scenario(name="canary with a fresh baseline: v2-errors", play=_fresh_and_bad()),
    Scenario(name="canary with testers, mirror, pause: v2", play=promoted(config=STEPS)),
    Scenario(name="canary with sticky sessions: v2", play=promoted(config=STICKY)),
    Scenario(name="canary with an adaptive ramp: v2", play=promoted(config=ADAPTIVE)),
)

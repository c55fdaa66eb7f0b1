"""Each strategy promoted and sent back."""

from tests.e2e.zero_loss.scenario import Scenario
from tests.e2e.zero_loss.scenarios.plays import ABORTED, BAD, PATIENT, Play, judged_bad, promoted

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


SCENARIOS = (
    *(
        Scenario(name=f"{strategy}: {image}", play=play)
        for strategy in PATIENT
        for image, play in {
            "v2": promoted(strategy=strategy),
            **{bad: judged_bad(bad, strategy) for bad in BAD},
        }.items()
    ),
    Scenario(name="canary with a fresh baseline: v2", play=promoted(config=FRESH_QUICK)),
    Scenario(name="canary with a fresh baseline: v2-errors", play=_fresh_and_bad()),
    Scenario(name="canary with testers, mirror, pause: v2", play=promoted(config=STEPS)),
    Scenario(name="canary with sticky sessions: v2", play=promoted(config=STICKY)),
    Scenario(name="canary with an adaptive ramp: v2", play=promoted(config=ADAPTIVE)),
)

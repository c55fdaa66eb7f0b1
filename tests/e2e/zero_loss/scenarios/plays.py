"""Moves that many scenarios are made of."""

from collections.abc import Callable

from tests.e2e.zero_loss.app import App

SUCCEEDED, ABORTED = "Succeeded", "Aborted"
Play = Callable[[App], None]
STAY = "{steps: [{weight: 10, seconds: 4}, {weight: 50, seconds: 150}]}"
"""Time enough at half the requests for what is bad to be shown, or for what is to be done meanwhile."""
BAD = {"v2-errors": "errors", "v2-slow": "latency"}
"""Image, and the metric that the reason names."""
LONG_BLUE_GREEN = "{blue_green: {preview: [{pause: 3}], analysis_seconds: 120}}"
LONG_ROLLING = "{rolling: {pace_seconds: 20}}"
PATIENT = {"canary": STAY, "blue-green": LONG_BLUE_GREEN, "rolling": LONG_ROLLING}
"""By strategy: a policy that gives the judge time."""


def promoted(image: str = "v2", **companions: str) -> Play:
    """A good image is rolled out."""

    def play(app: App) -> None:
        app.start(image, **companions)
        app.ends(SUCCEEDED, promoted=f"flask-app:{image}")

    return play


def judged_bad(image: str, strategy: str = "canary") -> Play:
    """A bad image is sent back, for the right reason."""

    def play(app: App) -> None:
        app.start(image, strategy=strategy, config=PATIENT[strategy])
        app.ends(ABORTED, BAD[image])

    return play


def abort(app: App) -> None:
    """Ask for the end of the run, and see it."""
    app.annotate(abort=str(app.run()["name"]))
    app.ends(ABORTED, "a user asked for it")

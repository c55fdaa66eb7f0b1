"""A user aborts at each step; he changes his mind, or his version cannot be promoted."""

from tests.e2e.zero_loss.app import App
from tests.e2e.zero_loss.scenario import Scenario
from tests.e2e.zero_loss.scenarios.plays import ABORTED, LONG_BLUE_GREEN, LONG_ROLLING, STAY, SUCCEEDED, Play, abort
from tests.e2e.zero_loss.shapes import Shape, behind_gateway, sample

KEEP_BLUE = "{blue_green: {preview: [], analysis_seconds: 10, requests: 100, keep_seconds: 60}}"


def _at_weight(weight: int) -> Play:
    def play(app: App) -> None:
        app.start("v2")
        app.at(weight)
        abort(app)

    return play


def _at_stage(stage: str, phase: str, image: str = "v2", **companions: str) -> Play:
    def play(app: App) -> None:
        app.start(image, **companions)
        app.at_stage(stage, phase)
        abort(app)

    return play


def _blue_kept(app: App) -> None:
    app.start("v2", strategy="blue-green", config=KEEP_BLUE)
    app.at(100)
    abort(app)


def _trigger_removed(app: App) -> None:
    app.start("v2")
    app.at(25)
    app.annotate(image=None)
    app.ends(ABORTED, "annotation image was removed")


def _another_image(app: App) -> None:
    app.start("v2-slow", config=STAY)
    app.at(50)
    first = app.run()["name"]
    app.annotate(image="flask-app:v2", config="{}")
    app.idle["Deployment", "flask-app"]["annotations"]["canary-analyzer.io/config"] = "{}"
    app.until(lambda: app.run()["name"] != first, "the next run")
    app.ends(SUCCEEDED, promoted="flask-app:v2")


def _never_ready(app: App) -> None:
    app.edit("Deployment", _let_one_be_missing)
    app.start("v2-only-canary", config="{promote_seconds: 12}")
    app.at_stage("await restored stable", "Aborting")
    if app.weight() != 50:
        raise AssertionError("the canary does not go on serving while stable recovers")
    app.ends(ABORTED, "did not roll out")


def _let_one_be_missing(deployment: dict) -> None:
    """Stable then has lost a pod when the promoted version fails, and recovers no sooner than a pod has started."""
    deployment["spec"]["strategy"] = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 1}}


def _replaced_by_hand(app: App) -> None:
    """Somebody deploys past us: `kubectl set image` on stable in mid-run."""
    app.start("v2")
    app.at(25)
    app.edit("Deployment", lambda it: _set_image(it, "flask-app:v2"))
    app.ends(ABORTED, "pod template")
    app.rolled_out()


def _set_image(deployment: dict, image: str) -> None:
    deployment["spec"]["template"]["spec"]["containers"][0]["image"] = image


def _starting_slowly(namespace: str) -> Shape:
    return behind_gateway(namespace, *sample("v2-slow-start"))


SCENARIOS = (
    Scenario(name="abort while the canary starts", play=_at_stage("await canary", "Starting", "v2-slow-start")),
    Scenario(name="abort while the route is prepared", play=_at_stage("settle route", "Starting")),
    *(Scenario(name=f"abort at {weight} %", play=_at_weight(weight)) for weight in (10, 25, 50)),
    Scenario(name="abort while stable rolls out", play=_at_stage("await stable", "Promoting")),
    Scenario(
        name="abort in blue-green's preview",
        play=_at_stage("analyse", "Analysing", strategy="blue-green", config=LONG_BLUE_GREEN),
    ),
    Scenario(
        name="abort after blue-green's switch",
        play=_at_stage("settle weight", "Analysing", strategy="blue-green", config="{blue_green: {preview: []}}"),
    ),
    Scenario(name="abort while blue is kept", play=_blue_kept),
    Scenario(
        name="abort in a rolling update",
        play=_at_stage("analyse", "Analysing", strategy="rolling", config=LONG_ROLLING),
    ),
    Scenario(name="trigger removed in mid-run", play=_trigger_removed),
    Scenario(name="new image in mid-run", play=_another_image),
    Scenario(name="stable changed by hand in mid-run", play=_replaced_by_hand),
    Scenario(name="promoted stable never becomes ready", play=_never_ready, shape=_starting_slowly),
)

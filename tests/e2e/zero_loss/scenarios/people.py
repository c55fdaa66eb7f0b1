"""People who edit, delete, revert and scale in mid-run."""

from tests.e2e.zero_loss.app import NAME, App
from tests.e2e.zero_loss.scenario import Scenario
from tests.e2e.zero_loss.scenarios.plays import ABORTED, STAY, SUCCEEDED, Play
from tests.e2e.zero_loss.shapes import autoscaled, in_mesh, strict, too_strict

CANARY = f"{NAME}-canary"


def deleted_canary(app: App) -> None:
    app.start("v2", config=STAY)
    app.at(50)
    app.delete("Deployment", CANARY)
    app.ends(ABORTED, f"{CANARY} was deleted")


def _route_edited(app: App) -> None:
    app.start("v2")
    app.at(25)
    app.edit("VirtualService", lambda it: it["spec"]["http"][0].update(timeout="7s"))
    app.ends(SUCCEEDED, promoted="flask-app:v2")


def _route_deleted(app: App) -> None:
    app.start("v2", config=STAY)
    app.at(50)
    app.delete("VirtualService")
    app.ends(ABORTED)


def _reverted_once(app: App) -> None:
    app.start("v2")
    app.at(25)
    app.revert()
    app.ends(SUCCEEDED, promoted="flask-app:v2")


def _reverted_always(app: App) -> None:
    """GitOps that knows nothing of us: whenever the route is not as in Git, it is put back."""
    app.start("v2", config=STAY)
    app.at(10)

    def synced() -> bool:
        if app.run()["phase"] in ("Analysing", "Holding"):
            app.revert()
        return app.run()["phase"] in ("Aborting", "Aborted", "Succeeded")

    app.until(synced, "the run to give in")
    app.ends(ABORTED, "somebody else changed the weights")


def _scaled(replicas: int) -> Play:
    def play(app: App) -> None:
        app.start("v2")
        app.at(25)
        app.edit("Deployment", lambda it: it["spec"].update(replicas=replicas))
        app.ends(SUCCEEDED, promoted="flask-app:v2")
        app.rolled_out()

    return play


def _shrinks(app: App) -> None:
    """Half of the requests go to the canary, so the autoscaler would take stable's pods away."""
    app.start("v2-slow", config=STAY)
    app.at(10)
    app.place.control(f"hpa/{app.namespace}/{NAME}?replicas=1")
    app.idle["Deployment", NAME]["spec"]["replicas"] = 1
    app.idle["HorizontalPodAutoscaler", NAME]["annotations"]["sandbox.canary-analyzer.io/desired-replicas"] = "1"
    app.ends(ABORTED, "latency")
    app.rolled_out()


def _label_policies(app: App) -> None:
    app.start("v2")
    app.at(10)
    labels = app.pods(CANARY)[0]["metadata"]["labels"]
    if (labels["app"], labels["track"]) != (NAME, "canary"):
        raise AssertionError(f"policies that select app={NAME} do not hold for the canary: {labels}")
    app.ends(SUCCEEDED, promoted="flask-app:v2")


def _refused(app: App) -> None:
    app.annotate(image="flask-app:v2")
    app.in_phase("Refused")
    reason = app.status()["reason"]
    if "No label can tell" not in reason:
        raise AssertionError(reason)


def _held(app: App) -> None:
    app.start("v2", hold="true")
    app.in_phase("Holding")
    app.annotate(hold=None)
    app.at(10)
    app.annotate(hold="true")
    app.in_phase("Holding")
    app.annotate(hold=None)
    app.ends(SUCCEEDED, promoted="flask-app:v2")


SCENARIOS = (
    Scenario(name="canary deleted by hand", play=deleted_canary),
    Scenario(name="VirtualService edited in mid-run", play=_route_edited),
    Scenario(name="VirtualService deleted in mid-run", play=_route_deleted, shape=in_mesh),
    Scenario(name="VirtualService reverted once", play=_reverted_once),
    Scenario(name="VirtualService reverted again and again", play=_reverted_always),
    Scenario(name="Deployment scaled up in mid-run", play=_scaled(5)),
    Scenario(name="Deployment scaled down in mid-run", play=_scaled(2)),
    Scenario(name="autoscaler shrinks stable in mid-run", play=_shrinks, shape=autoscaled),
    Scenario(name="strict label policies", play=_label_policies, shape=strict),
    Scenario(name="label policies that leave no label free", play=_refused, shape=too_strict),
    Scenario(name="held and let go", play=_held),
)

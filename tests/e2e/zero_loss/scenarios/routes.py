"""Routes that other teams wrote, and canaries that users bring themselves."""

from functools import partial

from tests.e2e.zero_loss.app import NAME, App
from tests.e2e.zero_loss.scenario import Scenario
from tests.e2e.zero_loss.scenarios.plays import ABORTED, SUCCEEDED, Play, judged_bad, promoted
from tests.e2e.zero_loss.shapes import NEXT, behind_testers, delegated, http_route, two_hosts, two_subsets

STAY = "steps: [{weight: 10, seconds: 4}, {weight: 50, seconds: 150}]"
BROUGHT = {"hosts": two_hosts, "subsets": two_subsets}
GATEWAY_API = partial(dict, routing="gateway-api")


def _brought(app: App, config: str) -> None:
    app.annotate(NEXT, baseline=NAME, config=config)
    mine = {"canary-analyzer.io/baseline": NAME, "canary-analyzer.io/config": config}
    app.idle["Deployment", NEXT]["annotations"] |= mine


def _brought_and_good(app: App) -> None:
    """It keeps its weight until Git has promoted it."""
    _brought(app, "{}")
    app.in_phase("Promoting", name=NEXT)
    app.edit("Deployment", _promote)
    app.ends(SUCCEEDED, name=NEXT)


def _promote(deployment: dict) -> None:
    deployment["spec"]["template"]["spec"]["containers"][0]["image"] = f"{NAME}:v2"


def _brought_and_patched(app: App) -> None:
    _brought(app, "{bring_your_own: {patch_stable: true}}")
    app.ends(SUCCEEDED, name=NEXT, promoted=f"{NAME}:v2")


def _brought_and_bad(app: App) -> None:
    _brought(app, f"{{{STAY}}}")
    app.ends(ABORTED, "errors", name=NEXT)


def _by_testers(play: Play) -> Play:
    """The weights move in every route that leads to the app."""

    def watched(app: App) -> None:
        play(app)
        if len(app.get("VirtualService")["spec"]["http"]) != 2:
            raise AssertionError("a route came or went")

    return watched


SCENARIOS = (
    Scenario(name="bring your own by hosts: v2", play=_brought_and_patched, shape=partial(two_hosts, image="v2")),
    *(
        scenario
        for kind, shape in BROUGHT.items()
        for scenario in (
            Scenario(
                name=f"bring your own by {kind}: v2, promoted by Git",
                play=_brought_and_good,
                shape=partial(shape, image="v2"),
            ),
            Scenario(
                name=f"bring your own by {kind}: v2-errors",
                play=_brought_and_bad,
                shape=partial(shape, image="v2-errors"),
            ),
        )
    ),
    Scenario(name="HTTPRoute: v2", play=promoted(), shape=http_route, config=GATEWAY_API),
    Scenario(name="HTTPRoute: v2-errors", play=judged_bad("v2-errors"), shape=http_route, config=GATEWAY_API),
    Scenario(name="delegate: v2", play=promoted(), shape=delegated),
    Scenario(name="delegate: v2-errors", play=judged_bad("v2-errors"), shape=delegated),
    Scenario(name="header-matched route in front: v2", play=_by_testers(promoted()), shape=behind_testers),
    Scenario(
        name="header-matched route in front: v2-errors",
        play=_by_testers(judged_bad("v2-errors")),
        shape=behind_testers,
    ),
)

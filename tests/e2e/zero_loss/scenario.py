"""One scenario: what is there, what happens, and what came of it."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.e2e.zero_loss.app import App
from tests.e2e.zero_loss.client import IN_FLIGHT_ON_KILLED
from tests.e2e.zero_loss.place import Place
from tests.e2e.zero_loss.shapes import Shape, behind_gateway

PROMPT, LATE = (), ("--config-delay", "0.1-10", "--seed", "7")
"""Sandboxes: one whose mesh follows at once, and one whose mesh hears of routes 0.1 to 10 s late."""
POLICY = {
    "tick_seconds": 2,
    "settle_seconds": 2,
    "start_seconds": 25,
    "promote_seconds": 40,
    "deadline_seconds": 300,
    "steps": [
        {"weight": 10, "seconds": 4, "requests": 20},
        {"weight": 25, "seconds": 4, "requests": 50},
        {"weight": 50, "seconds": 6, "requests": 100},
    ],
    "blue_green": {"preview": [{"pause": 3}], "analysis_seconds": 16, "requests": 200, "keep_seconds": 4},
    "rolling": {"pace_seconds": 12},
}
"""At the speed of a sandbox."""


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """What is done to an app under load. `play` raises Unexpected where the run ends otherwise than it should."""

    name: str
    play: Callable[[App], None]
    shape: Callable[[str], Shape] = behind_gateway
    mesh: tuple[str, ...] = PROMPT
    config: Callable[[], Mapping[str, Any]] = dict
    """Of the service, beside the policy."""
    users_own: str = ""
    """Why requests are lost by what the user does, whatever we do; empty where none may be."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a scenario showed."""

    scenario: Scenario
    lost: int
    """Requests without an answer that nothing excuses."""
    in_flight: int
    """Lost with the pod that was killed under them."""
    users_own: int
    wrong: tuple[str, ...]
    """What was not as it should be; empty where all was."""
    seconds: float
    losses: tuple[Mapping[str, Any], ...] = ()

    @property
    def passed(self) -> bool:
        return not self.lost and not self.wrong


def played(scenario: Scenario, place: Place, namespace: str) -> Result:
    """Make the app, play the scenario, look at what is left and at what was lost."""
    began, shape = time.monotonic(), scenario.shape(namespace)
    config = {"profiles": {"standard": POLICY}} | scenario.config()
    app, wrong = App(place, namespace, config), []
    try:
        app.make(shape.documents)
        app.call(shape.by, shape.host)
        try:
            scenario.play(app)
        except Exception as error:
            wrong.append(f"{type(error).__name__}: {error}")
        counts = app.over()
        wrong += [] if wrong else app.differences()
        return _result(scenario, counts, wrong, time.monotonic() - began, app)
    finally:
        app.clear()


def _result(scenario: Scenario, counts: Mapping[str, Any], wrong: list[str], seconds: float, app: App) -> Result:
    in_flight = counts["lost_by_kind"][IN_FLIGHT_ON_KILLED]
    others = counts["lost"] - in_flight
    return Result(
        scenario=scenario,
        lost=0 if scenario.users_own else others,
        in_flight=in_flight,
        users_own=others if scenario.users_own else 0,
        wrong=tuple(wrong),
        seconds=seconds,
        losses=tuple(app.client.losses()),
    )

"""Pods that are killed, and a service that is killed, comes back, or never does."""

import subprocess
import sys
import time

from tests.e2e.zero_loss.app import NAME, App, Unexpected
from tests.e2e.zero_loss.scenario import Scenario
from tests.e2e.zero_loss.scenarios.plays import ABORTED, STAY, SUCCEEDED, Play
from tests.e2e.zero_loss.shapes import retrying

RESTARTS_SECONDS = 400.0
"""For a run whose service starts anew in each of its stages."""
SLOW_ROLLING = "{rolling: {pace_seconds: 30}}"
"""Pods come whether there is a service or not: each restart takes away from the time in which they are seen."""
SLOW_START = "v2-slow-start"
"""So that the service is not back only when the pods are there anyway."""
AWAY_SECONDS = 3.0
"""Without a service; longer than a step's settle time."""


def _pods_killed(deployment: str, **companions: str) -> Play:
    """One pod at every step; the others of it and Istio's retries keep its requests."""

    def play(app: App) -> None:
        app.start("v2", **companions)
        for weight in (10, 50):  # the canary has two pods
            app.at(weight)
            app.kill_pod(deployment)
        app.ends(SUCCEEDED, promoted="flask-app:v2")

    return play


def _killed_in_every_stage(image: str, phase: str, stages: int, **companions: str) -> Play:
    """Kill and start the service again in every stage that is seen, at least in so many."""

    def play(app: App) -> None:
        app.start(image, **companions)
        seen = set()

        def over() -> bool:
            run = app.run()
            at = (run["phase"], run["stage"])
            if run["phase"] not in (SUCCEEDED, ABORTED) and at not in seen:
                seen.add(at)
                app.service.kill()
                app.service.start()
            return run["phase"] in (SUCCEEDED, ABORTED)

        app.until(over, "the end of the run", patience=RESTARTS_SECONDS)
        app.ends(phase, promoted=f"flask-app:{image}" if phase == SUCCEEDED else "")
        print(f"{app.namespace}: killed in {len(seen)} stages")
        if len(seen) < stages:
            raise Unexpected(f"killed in {len(seen)} stages, not in {stages}: {sorted(seen)}")

    return play


def _away(stage: str, phase: str, image: str = "v2") -> Play:
    """The service is killed, stays away for a while, and takes the run up again."""

    def play(app: App) -> None:
        app.start(image)
        app.at_stage(stage, phase)
        app.service.kill()
        time.sleep(AWAY_SECONDS)
        app.service.start()
        app.ends(SUCCEEDED, promoted=f"flask-app:{image}")

    return play


def _abort_all(app: App) -> None:
    """The service was deleted for good; somebody finds out later."""
    app.start("v2", config=STAY)
    app.at(50)
    app.service.kill()
    time.sleep(2 * AWAY_SECONDS)
    command = [sys.executable, "-m", "canary_analyzer.cli", "abort", "--all", *app.where]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    if made.returncode:
        raise AssertionError(f"abort --all: {made.stdout}{made.stderr}")
    app.ends(ABORTED, "a user asked for it")


def _deployment_deleted_unseen(app: App) -> None:
    app.start("v2", config=STAY)
    app.at(50)
    app.service.kill()
    app.delete("Deployment")
    app.until(lambda: not app.pods(NAME), "stable's pods to go")
    app.service.start()
    app.until(lambda: not app.differences(), "all to be tidy")


def _deployment_deleted(app: App) -> None:
    app.start("v2", config=STAY)
    app.at(50)
    app.delete("Deployment")
    app.until(lambda: not app.differences(), "all to be tidy")


ITS_PODS = "the user deletes the Deployment that serves"

SCENARIOS = (
    Scenario(name="canary pods killed", play=_pods_killed(f"{NAME}-canary"), shape=retrying),
    Scenario(name="stable pods killed", play=_pods_killed(NAME), shape=retrying),
    Scenario(name="service killed in every stage: v2", play=_killed_in_every_stage("v2", SUCCEEDED, 6)),
    Scenario(
        name="service killed in every stage: v2-errors",
        play=_killed_in_every_stage("v2-errors", ABORTED, 4, config=STAY),
    ),
    Scenario(
        name="service killed in every stage of blue-green",
        play=_killed_in_every_stage("v2", SUCCEEDED, 6, strategy="blue-green"),
    ),
    Scenario(
        name="service killed in every stage of a rolling update",
        play=_killed_in_every_stage("v2", SUCCEEDED, 3, strategy="rolling", config=SLOW_ROLLING),
    ),
    *(
        Scenario(name=f"service away: {stage}", play=_away(stage, *when))
        for stage, when in {
            "await canary": ("Starting", SLOW_START),
            "analyse": ("Analysing",),
            "await stable": ("Promoting", SLOW_START),
            "settle drained": ("Promoting",),
        }.items()
    ),
    Scenario(name="service deleted for good, abort --all", play=_abort_all),
    Scenario(name="Deployment deleted while no service runs", play=_deployment_deleted_unseen, users_own=ITS_PODS),
    Scenario(name="Deployment deleted in mid-run", play=_deployment_deleted, users_own=ITS_PODS),
)

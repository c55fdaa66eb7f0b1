"""The demo's parts fit to the rest."""

from __future__ import annotations

import pytest

from canary_analyzer.sandbox.demo.observe import Look
from canary_analyzer.sandbox.demo.outcome import ROLLOUTS
from canary_analyzer.sandbox.demo.parse import Progress, Status
from canary_analyzer.sandbox.demo.play import CONFIG, scene
from canary_analyzer.sandbox.demo.view import Arm
from canary_analyzer.service.settings import load


def test_the_service_accepts_the_config_of_the_demo():
    policy = load(CONFIG).profiles["standard"]
    assert sum(step.seconds + policy.settle_seconds for step in policy.steps) < 60


@pytest.mark.parametrize(
    ("status", "phase"),
    [
        pytest.param(Status(run="a-1", phase="Succeeded"), "", id="the run before"),
        pytest.param(Status(run="a-2", phase="Starting"), "Starting", id="this run"),
    ],
)
def test_the_status_of_the_run_before_is_not_taken_for_this_one(status, phase):
    look = Look(status=status, progress=Progress(), baseline=Arm(), canary=Arm(), canary_total=None, load=None)
    assert scene(ROLLOUTS[0], look, 1.0, run_before="a-1").phase == phase

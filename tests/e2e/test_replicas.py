"""Three replicas of the service as processes, one killed and one frozen, over rollouts that all have to end well."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "replicas.py"


@pytest.mark.long
@pytest.mark.timeout(900)
def test_every_rollout_ends_as_it_should_and_once_whoever_works_on_it():
    command = [sys.executable, str(SCRIPT), "--rollouts", "12", "--blows", "1", "--seed", "3"]
    played = subprocess.run(command, capture_output=True, text=True)
    assert played.returncode == 0, played.stdout + played.stderr
    assert "0 violations" in played.stdout

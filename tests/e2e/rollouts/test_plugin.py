"""`kubectl canary` as a pipeline uses it: start and wait, watch beside it, and the story when the service is gone."""

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.e2e

CANARY = [sys.executable, "-c", "from canary_analyzer.cli.plugin import main; main()"]


def test_a_canary_is_started_watched_promoted_by_hand_and_told_without_the_service(sandbox, user, service, tmp_path):
    place = ["--kubeconfig", sandbox["kubeconfig"]]

    def canary(*words):
        return subprocess.run([*CANARY, *words, *place], capture_output=True, text=True, timeout=200)

    refused = canary("start", "flask-app", "--image", user.image())
    assert refused.returncode == 1
    assert "already runs" in refused.stderr

    asked = ["start", "flask-app", "--image", "flask-app:v2", "--set", "steps=[{weight: 10, seconds: 120}]"]
    started = [*CANARY, *asked, "--wait", "--timeout", "5m", "--json", *place]
    with subprocess.Popen(started, stdout=subprocess.PIPE, text=True) as waiting:
        user.eventually(user.phase("Analysing"), "the canary to be judged")
        with subprocess.Popen([*CANARY, "watch", "flask-app", *place], stdout=subprocess.PIPE, text=True) as watching:
            user.eventually(lambda: max(user.weights()) < 100, "the first weight")
            assert canary("promote", "flask-app").returncode == 0
            story, _ = watching.communicate(timeout=200)
        outcome, _ = waiting.communicate(timeout=200)
    assert (watching.returncode, waiting.returncode) == (0, 0)
    ended = json.loads(outcome)
    assert (ended["outcome"], ended["run"]["phase"]) == ("promoted", "Succeeded")
    assert "a user promoted it at" in ended["reason"]
    assert all(phase in story for phase in ("Analysing", "Promoting", "Succeeded"))
    assert user.image() == "flask-app:v2"

    service.kill()
    run = ended["run"]["run"]
    told = canary("explain", run)
    assert told.returncode == 0
    assert "a user promoted it at" in told.stdout
    page = tmp_path / "run.html"
    assert canary("report", run, "-o", str(page)).returncode == 0
    assert "a user promoted it at" in page.read_text()
    service.start()

"""What docs/tuning.md asks of the past: its commands as they stand, of a real run and of real traffic."""

import json
import re
import shlex
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]

PAGE = Path(__file__).parents[3] / "docs/tuning.md"
CLI = [sys.executable, "-m", "canary_analyzer.cli"]
PAST_SECONDS = 90
NEWEST = 'min(timestamp(istio_requests_total{reporter="destination",destination_workload="flask-app"}))'


def commands():
    """The page's commands about what a policy catches, and what it would have decided."""
    found = re.findall(r"^canary-analyzer ((?:backtest|calibrate) .*)$", PAGE.read_text(), re.MULTILINE)
    return [shlex.split(each) for each in found]


@pytest.fixture
def type_(sandbox, tmp_path):
    """Type a command, what is of the page's cluster replaced by what is of this one; gives its JSON."""

    def run(words, here):
        places = {"--prometheus-url": sandbox["prometheus"], "--kubeconfig": sandbox["kubeconfig"]}
        values = places | here | {"--namespace": "default", "--canary-pods": "1", "--minutes": "1"}
        typed = [values.get(before, word) for before, word in zip(["", *words], words, strict=False)]
        quick = ["--runs", "1", "--jobs", "1"] if words[0] == "calibrate" else []
        command = [*CLI, *typed, *quick, "--json"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, f"{shlex.join(command)}\n{done.stdout}{done.stderr}"
        return json.loads(done.stdout)

    return run


def newest(prometheus):
    """Unix seconds of the newest sample that there is of every pod of stable."""
    answer = requests.get(f"{prometheus}/api/v1/query", params={"query": NEWEST}, timeout=10).json()
    return max((float(each["value"][1]) for each in answer["data"]["result"]), default=0.0)


def written(at):
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def test_the_past_is_judged_as_the_page_says(sandbox, user, service, type_, tmp_path):
    user.canary("flask-app:v2-errors")
    ended = user.ended()
    assert ended["phase"] == "Aborted"
    since = int(time.time()) + 1
    until = since + PAST_SECONDS
    user.eventually(lambda: newest(sandbox["prometheus"]) >= until, "a past in which stable served alone")
    (tmp_path / "mine.yaml").write_text("analysis: {alpha: 0.02}\n")

    here = {"--run": ended["run"].rpartition("-")[2], "--from": written(since), "--to": written(until)}
    simulated, measured, of_run, saved, a_a = (type_(words, here) for words in commands())
    assert simulated["requests_per_second"] == 50
    assert measured["requests_per_second"] == pytest.approx(100, rel=0.4)
    decisions = {each["policy"]: each["decision"] for each in of_run["policies"]}
    assert decisions.keys() == {"standard", "careful"}
    assert decisions["standard"] == "abort"
    assert [(each["policy"], each["decision"]) for each in saved["policies"]] == [("mine", "abort")]
    sequential = [each for each in a_a["policies"] if each["judge"] == "sequential"]
    assert sequential
    assert "abort" not in {each["decision"] for each in sequential}
    assert all(metric["n_canary"] for each in sequential for metric in each["metrics"])

"""`canary-analyzer backtest` on saved data."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from canary_analyzer.analysis import ArmCounts, History
from canary_analyzer.analysis.saved import Past, written
from canary_analyzer.cli.app import app


def arm(errors):
    return ArmCounts(
        requests=np.full(30, 1000), errors=np.full(30, errors), latency=np.tile(np.array([900, 90, 10]), (30, 1))
    )


@pytest.fixture
def saved(tmp_path):
    """Data in which the canary has 8 % of errors, where the baseline has 0.2 %."""
    history = History(tick_seconds=10, edges_ms=np.array([50.0, 200.0]), canary=arm(80), baseline=arm(2))
    path = tmp_path / "run.json"
    path.write_text(json.dumps(written(Past(history=history, times=tuple(1.7e9 + 10 * i for i in range(30))))))
    return path


def backtest(*arguments):
    return CliRunner().invoke(app, ["backtest", *map(str, arguments)])


def test_policies_are_shown_side_by_side(saved):
    result = backtest("--file", saved, "--profile", "standard", "--profile", "threshold")
    assert result.exit_code == 0, result.output
    standard, threshold = (
        line.split() for line in result.output.splitlines() if "2023-11-14" in line and "Z" in line[-2:]
    )
    assert standard[:2] == ["standard", "ABORT"]
    assert threshold[:3] == ["threshold", "ABORT", "29"]
    assert "5 checks failed, 5 abort" in result.output


def test_as_json_every_policy_has_decision_time_reason_and_effects(saved, tmp_path):
    mine = tmp_path / "mine.yaml"
    mine.write_text("analysis: {judge: mann-whitney, mann_whitney: {marginal_score: 1, pass_score: 2}}")
    result = backtest("--file", saved, "--policy", mine, "--profile", "standard", "--json")
    assert result.exit_code == 0, result.output
    standard, lenient = json.loads(result.output)["policies"]
    assert (standard["policy"], standard["decision"]) == ("standard", "abort")
    assert standard["at"] == 1.7e9 + standard["seconds"]
    assert standard["reason"].startswith("errors")
    errors = standard["metrics"][0]
    assert errors["low"] < 0.078 < errors["high"]
    assert (lenient["policy"], lenient["judge"], lenient["decision"]) == ("mine", "mann-whitney", "healthy")


def test_without_a_choice_all_profiles_and_judges_are_replayed(saved):
    policies = json.loads(backtest("--file", saved, "--json").output)["policies"]
    assert {"quick", "standard", "careful", "mann-whitney", "threshold"} <= {one["policy"] for one in policies}


def test_what_is_saved_can_be_replayed(saved, tmp_path):
    copy = tmp_path / "copy.json"
    assert backtest("--file", saved, "--save", copy).exit_code == 0
    assert json.loads(copy.read_text()) == json.loads(saved.read_text())


REFUSED = {
    "no data": ([], "where are the data? Give one of --file"),
    "two sources": (["--file", "x.json", "--run", "3"], "where are the data? Give one of --file"),
    "nobody's run": (["--run", "3"], "--deployment is missing"),
    "no time": (["--a-a", "--deployment", "web"], "--a-a needs --from and a later --to"),
    "no file": (["--file", "nowhere.json"], "nowhere.json: it cannot be read"),
    "unknown profile": (["--file", "x.json", "--profile", "brave"], "there is no profile brave: take some of quick"),
    "unreachable": (
        ["--a-a", "--deployment", "web", "--from", "2026-01-20T09:00", "--to", "2026-01-20T10:00",
         "--prometheus-url", "http://127.0.0.1:9"],
        "cannot be reached",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("arguments", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_done_is_refused_with_what_to_do(arguments, message):
    result = backtest(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr


def test_a_policy_file_with_mistakes_tells_all_of_them(saved, tmp_path):
    mine = tmp_path / "mine.yaml"
    mine.write_text("analysis: {alpha: 2, errors: {relative: -1}}")
    result = backtest("--file", saved, "--policy", mine)
    assert result.exit_code == 2
    assert "analysis.alpha = 2" in result.stderr
    assert "analysis.errors.relative = -1" in result.stderr


def test_a_damaged_file_is_refused(tmp_path):
    damaged = tmp_path / "damaged.json"
    damaged.write_text("{")
    assert "it is not JSON" in backtest("--file", damaged).stderr

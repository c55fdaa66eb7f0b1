"""`canary-analyzer calibrate`: a table, JSON, a picture; and one clear sentence where it cannot be done."""

import json

import pytest
from typer.testing import CliRunner

from canary_analyzer.analysis.calibrate import CASES, IDENTICAL
from canary_analyzer.cli.app import app

QUICK = "profiles: {short: {steps: [{weight: 50, seconds: 20, requests: 0}]}}"


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(QUICK)
    return path


def calibrate(*arguments):
    return CliRunner().invoke(app, ["calibrate", *map(str, arguments)])


def test_every_canary_is_a_row_and_the_answer_is_a_sentence(config):
    result = calibrate("--config", config, "--profile", "short", "--runs", 1, "--jobs", 1)
    assert result.exit_code == 0, result.output
    rows = [line for line in result.stdout.splitlines() if line.startswith(tuple(CASES))]
    assert [next(case for case in CASES if row.startswith(case)) for row in rows] == list(CASES)
    assert "At 50 requests/s this policy catches:" in result.stdout
    assert "outage" in result.stdout


def test_json_has_bounds_and_says_what_was_asked_and_a_picture_is_drawn(config, tmp_path):
    picture = tmp_path / "power.svg"
    shared = ("--config", config, "--profile", "short", "--runs", 1, "--jobs", 1, "--rps", 200, "--seed", 3)
    result = calibrate(*shared, "--json", "--plot", picture)
    assert result.exit_code == 0, result.output
    answer = json.loads(result.stdout)
    assert (answer["profile"], answer["requests_per_second"], answer["seed"]) == ("short", 200, 3)
    identical = next(row for row in answer["rows"] if row["name"] == IDENTICAL)
    assert (identical["aborted"], identical["seconds_to_abort"]) == (0, None)
    assert identical["low"] == 0 < identical["high"] < 1
    assert picture.read_text().startswith("<?xml")
    assert calibrate(*shared, "--json").stdout == result.stdout


REFUSED = {
    "an unknown profile": (("--profile", "lazy"), "there is no profile 'lazy'"),
    "quantiles the wrong way round": (("--latency-p50-ms", 50, "--latency-p99-ms", 40), "is not above"),
    "a Prometheus without a Deployment": (("--prometheus-url", "http://127.0.0.1:1"), "needs --deployment"),
    "a Prometheus that is not there": (
        ("--prometheus-url", "http://127.0.0.1:1", "--deployment", "web"),
        "Prometheus at http://127.0.0.1:1",
    ),
    "a picture of no kind": (("--plot", "power.doc"), "power.doc: give a file that ends in .svg, .png or .pdf"),
}


@pytest.mark.parametrize(("arguments", "sentence"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_done_is_said_in_one_sentence(arguments, sentence):
    result = calibrate(*arguments)
    assert result.exit_code == 2
    assert sentence in result.stderr
    assert "Traceback" not in result.output

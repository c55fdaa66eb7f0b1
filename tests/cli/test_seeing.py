"""`list`, `status`, `history`, `explain`, `report`: from records alone, for people and for programs."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest

from canary_analyzer.cluster import records
from canary_analyzer.cluster.client import CONFIGMAPS, VIRTUAL_SERVICES
from canary_analyzer.rollout.causes import Cause
from canary_analyzer.rollout.phases import Phase
from canary_analyzer.rollout.story import Figures

ROUTED = [
    {"destination": {"host": "app"}, "weight": 95},
    {"destination": {"host": "app-canary"}, "weight": 5},
]
HOSTILE = "app:v2\x1b[2J\x07<script>alert(1)</script>"


@pytest.fixture
def under_way(shop):
    """A run at 5 %, in the route too."""
    record = shop.run()
    shop.cluster.merge(VIRTUAL_SERVICES, "default", "app", {"spec": {"http": [{"route": ROUTED}]}})
    return record


def test_list_shows_what_is_under_way_with_the_weights_wanted_and_live(under_way, canary):
    told = canary("list", "-A")
    header, row = told.stdout.splitlines()
    assert header.split()[:6] == ["NAMESPACE", "DEPLOYMENT", "RUN", "STRATEGY", "PHASE", "WEIGHT"]
    assert row.split()[:9] == ["default", "app", "app-1", "canary", "Analysing", "5", "%", "5", "%"]


def test_list_leaves_out_what_has_ended_unless_asked(shop, canary):
    shop.run(Phase.SUCCEEDED)
    assert canary("list", "--json").stdout.strip() == "[]"
    assert [run["run"] for run in json.loads(canary("list", "--ended", "--json").stdout)] == ["app-1"]


def test_status_says_where_it_stands_what_it_waits_for_and_what_to_do(under_way, canary):
    told = canary("status", "app").stdout
    for part in ("app-1  Analysing", "app:v1 -> app:v2", "route 5 %", "waits for", "of 50 requests", "Next:"):
        assert part in told


def test_effects_of_the_user_s_own_metrics_are_points_or_factors_as_their_kind_is(shop, canary):
    of_app = '{app="{{workload}}"}'
    own = (
        {"name": "bad_carts", "total": f"carts{of_app}", "bad": f"bad_carts{of_app}"},
        {"name": "cart_seconds", "histogram": f"carts_bucket{of_app}"},
    )
    record = shop.run()
    policy = record.run.policy.model_validate({**record.run.policy.model_dump(), "metrics": own})
    figures = Figures(0.4, 0.1, 1.5, 0.9, 1.9)
    sample = record.story.samples[0]._replace(metrics=(figures, figures))
    names = {"metrics": ("bad_carts", "cart_seconds_p99"), "reasons": ("a", "b")}
    story = record.story.with_samples([sample]).model_copy(update=names)
    told = replace(record, run=record.run.model_copy(update={"policy": policy}), story=story)
    records.save(shop.cluster, told)
    shown = canary("status", "app").stdout
    assert "+150.00 (+90.00 to +190.00) pp" in shown
    assert "x1.50 (x0.90 to x1.90)" in shown


def test_status_for_programs(under_way, canary):
    document = json.loads(canary("status", "app", "--json").stdout)
    assert (document["standing"], document["run"]["weight"]["route"]) == ("under way", 5)
    assert document["run"]["metrics"][0] == {
        "name": "errors",
        "reason": "errors: 3 of 100 against 2 of 900",
        "against": 0.4,
        "favour": 0.1,
        "effect": 0.02,
        "low": -0.01,
        "high": 0.05,
    }


def test_status_of_a_deployment_that_nobody_released(shop, canary):
    told = canary("status", "app")
    assert (told.exit_code, told.stdout) == (0, "app: nothing was asked for\n")


def test_the_weight_of_routes_that_one_may_not_read_is_unknown_and_no_trouble(under_way, canary, emulator):
    user = emulator.user("dev", ("apps", ["deployments"], ["get"]), ("", ["configmaps"], ["get", "list"]))
    told = canary("status", "app", kubeconfig=user)
    assert told.exit_code == 0
    assert "route -" in told.stdout


def test_history_tells_how_runs_ended_and_why(shop, canary):
    shop.run(Phase.ABORTED, verdict="abort", reason="errors: 40 of 100 against 0 of 900", cause=Cause.JUDGED_WORSE)
    shop.run(Phase.SUCCEEDED, verdict="healthy", reason="all is well")
    lines = canary("history", "app").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["RUN", "app-2", "app-1"]
    assert "Aborted" in lines[2]
    assert "40 of 100" in lines[2]
    assert len(canary("history", "app", "--limit", "1").stdout.splitlines()) == 2


@pytest.mark.parametrize("verb", ["list", "status", "history", "explain"])
def test_what_others_wrote_cannot_steer_the_terminal(shop, canary, verb):
    shop.run(images={"app": HOSTILE}, reason=HOSTILE)
    told = canary(verb, *([] if verb == "list" else ["app"])).stdout
    assert "\x1b" not in told
    assert "\x07" not in told


def test_explain_and_report_tell_the_whole_story_of_a_run_by_its_name_or_its_deployments(shop, canary, tmp_path):
    shop.run(Phase.ABORTED, reason="errors: 40 of 100 against 0 of 900", cause=Cause.JUDGED_WORSE)
    told = canary("explain", "app-1").stdout
    assert "errors: 40 of 100 against 0 of 900" in told
    assert canary("explain", "app").stdout == told
    page = tmp_path / "run.html"
    assert canary("report", "app-1", "-o", str(page)).exit_code == 0
    assert "errors: 40 of 100 against 0 of 900" in page.read_text()


def test_the_story_for_programs(shop, canary):
    shop.run()
    whole = json.loads(canary("explain", "app-1", "--json").stdout)
    assert [moment["phase"] for moment in whole["timeline"]] == ["Starting", "Analysing"]
    assert whole["samples"][0]["requests"] == {"canary": 100, "baseline": 900}
    assert whole["samples"][0]["metrics"]["errors"]["effect"] == 0.02
    assert whole["policy"]["tick_seconds"] == 10


def test_a_report_that_cannot_be_written_is_told(shop, canary):
    shop.run()
    told = canary("report", "app", "-o", "/nowhere/run.html")
    assert told.exit_code == 3
    assert "name a file that can be written" in told.stderr


@pytest.mark.parametrize("program", ["canary_analyzer.cli", "canary_analyzer.cli.plugin"])
def test_what_cannot_be_read_is_told_beside_the_answer_and_not_in_it(emulator, shop, program):
    shop.run()
    broken = records.RUN_PREFIX + "app-1"
    emulator.cluster.merge(CONFIGMAPS, "default", broken, {"data": {records.RUN_KEY: "scribbled over"}})
    command = [sys.executable, "-c", f"from {program} import main; main()", "list", "--json"]
    environment = {**os.environ, "KUBECONFIG": str(emulator.kubeconfig)}
    told = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"
    assert f"default/{broken}" in json.loads(told.stderr)["error"]
